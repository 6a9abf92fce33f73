/** Something that ends by itself when its time has come. */
export interface Expiring {
  /** On the clock of `performance.now()`. */
  readonly expiresAt: number;
  expire(): void;
}

const TICK_MS = 50;

/**
 * Deadlines of many calls on one timer: a set that is swept every 50 ms while it holds anything. A timer per call would cost more
 * than the call's own bookkeeping. It keeps the process alive while something waits, and stops itself one tick later.
 */
export class Deadlines {
  readonly #entries = new Set<Expiring>();
  #timer: NodeJS.Timeout | undefined;

  get size(): number {
    return this.#entries.size;
  }

  add(entry: Expiring): void {
    this.#entries.add(entry);
    this.#timer ??= setInterval(() => this.#sweep(), TICK_MS);
  }

  delete(entry: Expiring): void {
    this.#entries.delete(entry);
  }

  #sweep(): void {
    if (this.#entries.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      return;
    }
    const now = performance.now();
    for (const entry of this.#entries) {
      if (entry.expiresAt > now) continue;
      this.#entries.delete(entry);
      entry.expire();
    }
  }
}
