/** Something that ends by itself when its time has come. */
export interface Expiring {
  /** On the clock of `performance.now()`. */
  readonly expiresAt: number;
  /** Where `Deadlines` keeps it; -1 while it is in none. Only `Deadlines` writes it. */
  slot: number;
  expire(): void;
}

const TICK_MS = 50;

/**
 * Deadlines of many calls on one timer: a list that is swept every 50 ms while it holds anything. A timer per call would cost more
 * than the call's own bookkeeping. It keeps the process alive while something waits, and stops itself one tick later.
 *
 * An array whose holes are filled from its end, not a Set: a Set that sees as many deletions as additions replaces its table all the
 * time, and each dead table keeps the next one's calls alive until a major garbage collection.
 */
export class Deadlines {
  readonly #entries: Expiring[] = [];
  #timer: NodeJS.Timeout | undefined;

  get size(): number {
    return this.#entries.length;
  }

  /** Adding twice changes nothing. */
  add(entry: Expiring): void {
    if (entry.slot < 0) entry.slot = this.#entries.push(entry) - 1;
    this.#timer ??= setInterval(() => this.#sweep(), TICK_MS);
  }

  delete(entry: Expiring): void {
    const { slot } = entry;
    if (slot < 0) return;
    entry.slot = -1;
    const last = this.#entries.pop();
    if (last === undefined || last === entry) return;
    this.#entries[slot] = last;
    last.slot = slot;
  }

  #sweep(): void {
    if (this.#entries.length === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      return;
    }
    const now = performance.now();
    for (const entry of this.#entries.filter(({ expiresAt }) => expiresAt <= now)) {
      this.delete(entry);
      entry.expire();
    }
  }
}
