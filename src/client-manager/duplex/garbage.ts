import type { Emit } from '../events.ts';

const FIRST_MS = 1_000;
const LONGEST_MS = 5 * 60_000;
const SAMPLE = 200;

/**
 * Tells of lines that are no messages: the first one at once, then twice as late each time while they go on, with how many there were. After
 * five minutes without one it begins anew.
 */
export class Garbage {
  readonly #emit: Emit;
  readonly #now: () => number;
  #lines = 0;
  #lastAt = -Infinity;
  #dueAt = -Infinity;
  #pauseMs = FIRST_MS;

  /** `now` is monotonic, in milliseconds. */
  constructor(emit: Emit, now: () => number = () => performance.now()) {
    this.#emit = emit;
    this.#now = now;
  }

  count(text: string): void {
    this.#lines++;
    const now = this.#now();
    const quietMs = now - this.#lastAt;
    this.#lastAt = now;
    if (quietMs >= LONGEST_MS) this.#pauseMs = FIRST_MS;
    else if (now < this.#dueAt) return;
    this.#emit({ kind: 'garbage', lines: this.#lines, sample: text.slice(0, SAMPLE) });
    this.#lines = 0;
    this.#dueAt = now + this.#pauseMs;
    this.#pauseMs = Math.min(2 * this.#pauseMs, LONGEST_MS);
  }
}
