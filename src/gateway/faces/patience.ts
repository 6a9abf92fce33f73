/** An answer that is awaited. `Patience` alone writes these. */
export interface Awaited {
  /** The tick in which it was added; 0 while it is in no list. */
  since: number;
  earlier: Awaited | undefined;
  later: Awaited | undefined;
  /** It took longer than it should have; called once. */
  overdue(): void;
}

const TICK_MS = 500;

/**
 * Tells answers that take long, all after the same time, on one timer. A list through the entries themselves, and time in ticks: each
 * request adds and removes one, which must cost nothing.
 */
export class Patience {
  readonly #tickMs: number;
  readonly #ticks: number;
  #now = 1;
  #first: Awaited | undefined;
  #last: Awaited | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(ms: number) {
    this.#tickMs = Math.min(TICK_MS, ms);
    // One was added somewhere within its first tick.
    this.#ticks = Math.ceil(ms / this.#tickMs) + 1;
  }

  add(entry: Awaited): void {
    entry.since = this.#now;
    entry.earlier = this.#last;
    entry.later = undefined;
    if (this.#last === undefined) this.#first = entry;
    else this.#last.later = entry;
    this.#last = entry;
    this.#timer ??= setInterval(() => this.#tick(), this.#tickMs).unref();
  }

  /** Deleting what is not there changes nothing. */
  delete(entry: Awaited): void {
    if (entry.since === 0) return;
    entry.since = 0;
    if (entry.earlier === undefined) this.#first = entry.later;
    else entry.earlier.later = entry.later;
    if (entry.later === undefined) this.#last = entry.earlier;
    else entry.later.earlier = entry.earlier;
    entry.earlier = undefined;
    entry.later = undefined;
  }

  #tick(): void {
    this.#now++;
    if (this.#first === undefined) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      return;
    }
    const until = this.#now - this.#ticks;
    for (let entry = this.#first as Awaited | undefined; entry !== undefined && entry.since <= until; entry = this.#first) {
      this.delete(entry);
      entry.overdue();
    }
  }
}
