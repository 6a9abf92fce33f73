import { sleep } from '../shared/index.ts';

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
  #beganAt = -Infinity;
  /** A reading that has not begun yet: it waits for the one before it. */
  #next: Promise<void> | undefined;
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

  /** Milliseconds since the reading that is under way began; 0 for none. */
  get readingMs(): number {
    return this.#running === undefined ? 0 : performance.now() - this.#beganAt;
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
    this.#beganAt = performance.now();
    this.#running = this.#refresh().finally(() => {
      this.#running = undefined;
      if (!this.#again) return;
      this.#again = false;
      this.soon();
    });
    return this.#running;
  }

  /**
   * Reads the list not sooner than now, so that it shows what its asker has done before, and not sooner than `leastMs` after the beginning of the
   * reading before. All who want it until it begins share it.
   */
  anew(leastMs: number): Promise<void> {
    if (this.#next !== undefined) return this.#next;
    if (this.#running === undefined && performance.now() - this.#beganAt >= leastMs) return this.now();
    this.#next = this.#after(leastMs);
    return this.#next;
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

  async #after(leastMs: number): Promise<void> {
    await this.#running;
    await sleep(Math.max(0, this.#beganAt + leastMs - performance.now()));
    this.#next = undefined;
    if (!this.#stopped) await this.now();
  }

  #due(): void {
    this.forget();
    if (this.#running !== undefined) this.#again = true;
    else void this.now();
  }
}
