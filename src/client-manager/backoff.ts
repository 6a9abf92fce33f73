export interface BackoffOptions {
  readonly firstMs: number;
  readonly maxMs: number;
}

/** How long to wait before the next attempt: doubling, with jitter so that many do not come back at once. */
export class Backoff {
  readonly #options: BackoffOptions;
  readonly #random: () => number;
  #failures = 0;

  constructor(options: BackoffOptions, random: () => number = Math.random) {
    this.#options = options;
    this.#random = random;
  }

  /** Milliseconds: between half and all of the exponential step. */
  next(): number {
    const { firstMs, maxMs } = this.#options;
    const step = Math.min(maxMs, firstMs * 2 ** Math.min(this.#failures, 30));
    this.#failures++;
    return Math.round(step * (0.5 + this.#random() / 2));
  }

  /** The wait after a connection that worked was lost: none the first time, as a crash is most often a single one. */
  afterLoss(): number {
    if (this.#failures > 0) return this.next();
    this.#failures = 1;
    return 0;
  }

  reset(): void {
    this.#failures = 0;
  }
}
