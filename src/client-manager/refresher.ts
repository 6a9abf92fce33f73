/** The longest pause between two readings: timers know no longer one than some weeks, and no list is good for that long. */
const LONGEST_MS = 24 * 3_600_000;
const MOST_DOUBLINGS = 6;
/** Readings come up to a tenth of their pause later, so that those of many servers do not meet. */
const JITTER = 0.1;

/**
 * Milliseconds until a list with this lifetime is read again: twice as long for each reading in a row that failed, with jitter (S26 caching,
 * "Freshness Calculation"). `random` gives 0 to 1.
 */
export function pollAfter(ttlMs: number, leastMs: number, failures: number, random: () => number = Math.random): number {
  return Math.max(ttlMs, leastMs) * 2 ** Math.min(failures, MOST_DOUBLINGS) * (1 + JITTER * random());
}

/**
 * Reads a list again when it is said to have changed, and when its time has come. Many announcements in a row cost one reading, and
 * only one runs at a time. It has one timer, which does not keep the process alive.
 */
export class Refresher {
  readonly #delayMs: number;
  readonly #refresh: () => Promise<void>;
  #timer: NodeJS.Timeout | undefined;
  #dueAt = Infinity;
  #running: Promise<void> | undefined;
  #again = false;
  #stopped = false;

  /** `refresh` must not reject. */
  constructor(delayMs: number, refresh: () => Promise<void>) {
    this.#delayMs = delayMs;
    this.#refresh = refresh;
  }

  /** True while the list is being read. */
  get reading(): boolean {
    return this.#running !== undefined;
  }

  /** The list is said to have changed. */
  soon(): void {
    this.later(this.#delayMs);
  }

  /** The list is to be read in `ms`, if not sooner. */
  later(ms: number): void {
    const wait = Math.min(ms, LONGEST_MS);
    const dueAt = performance.now() + wait;
    if (this.#stopped || dueAt >= this.#dueAt) return;
    clearTimeout(this.#timer);
    this.#dueAt = dueAt;
    this.#timer = setTimeout(() => this.#due(), wait).unref();
  }

  /** Reads the list, or joins the reading that is under way. */
  now(): Promise<void> {
    if (this.#running !== undefined) return this.#running;
    this.forget();
    this.#running = this.#refresh().finally(() => {
      this.#running = undefined;
      if (!this.#again) return;
      this.#again = false;
      this.soon();
    });
    return this.#running;
  }

  /** What was due is not any more. */
  forget(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#dueAt = Infinity;
  }

  stop(): void {
    this.#stopped = true;
    this.forget();
  }

  #due(): void {
    this.forget();
    if (this.#running !== undefined) this.#again = true;
    else void this.now();
  }
}
