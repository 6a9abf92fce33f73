export interface BreakerOptions {
  /** Failures in a row after which it opens. */
  readonly failures: number;
  /** It opens too when more than half of this many last calls failed. */
  readonly window: number;
  /** How long it stays open the first time, in milliseconds; each time that its trial fails twice as long, up to `maxOpenMs`. */
  readonly openMs: number;
  readonly maxOpenMs: number;
  /** A trial should be a read: a write is let through only when none came for so long. */
  readonly writeTrialMs: number;
  /** Milliseconds on a clock that never goes back. */
  readonly now: () => number;
  readonly onChange: (state: BreakerState) => void;
}

export type BreakerState = 'closed' | 'open' | 'half_open';

export const DEFAULT_BREAKER = { failures: 5, window: 20, openMs: 5_000, maxOpenMs: 60_000, writeTrialMs: 2_000 } as const;

/** How long to wait while a trial is under way. */
const TRIAL_WAIT_MS = 500;

/**
 * The circuit breaker of one server: while it fails, calls fail at once instead of waiting for it. After a while one call at a time tries
 * whether it is back. A call that `enter` let through ends with exactly one of `succeeded`, `failed` and `left`.
 */
export class Breaker {
  readonly #options: BreakerOptions;
  #state: BreakerState = 'closed';
  /** Failures since the last success. */
  #row = 0;
  /** The last outcomes as bits, the newest lowest: 1 for a failure. */
  #bits = 0;
  #count = 0;
  #openedAt = 0;
  #openMs: number;
  #halfOpenAt = 0;
  #trial = false;
  /** Calls that began before it opened tell nothing about the server as it is now. */
  #epoch = 0;

  constructor(options: BreakerOptions) {
    if (options.window > 30) throw new RangeError('the window of a breaker is at most 30 calls');
    this.#options = options;
    this.#openMs = options.openMs;
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** Milliseconds to wait, or 0 for a call that may go now. */
  enter(read: boolean): number {
    if (this.#state === 'closed') return 0;
    const now = this.#options.now();
    if (this.#state === 'open') {
      const left = this.#openedAt + this.#openMs - now;
      if (left > 0) return Math.ceil(left);
      this.#halfOpenAt = now;
      this.#change('half_open');
    }
    if (this.#trial) return TRIAL_WAIT_MS;
    const left = read ? 0 : this.#halfOpenAt + this.#options.writeTrialMs - now;
    if (left > 0) return Math.ceil(left);
    this.#trial = true;
    return 0;
  }

  /** What the call that now begins gives back with its outcome. */
  get epoch(): number {
    return this.#epoch;
  }

  succeeded(epoch: number): void {
    if (epoch !== this.#epoch) return;
    this.#row = 0;
    if (this.#state === 'half_open') return this.reset();
    this.#note(0);
  }

  failed(epoch: number): void {
    if (epoch !== this.#epoch) return;
    if (this.#state === 'half_open') {
      this.#openMs = Math.min(this.#openMs * 2, this.#options.maxOpenMs);
      return this.#open();
    }
    this.#row++;
    this.#note(1);
    const { failures, window } = this.#options;
    if (this.#row >= failures || (this.#count >= window && ones(this.#bits) * 2 > window)) this.#open();
  }

  /** Ended without telling anything of the server: canceled, refused before it left, or waiting for a person. */
  left(epoch: number): void {
    if (epoch === this.#epoch) this.#trial = false;
  }

  /** The server is known to be well: connected anew, say. */
  reset(): void {
    this.#epoch++;
    this.#row = 0;
    this.#bits = 0;
    this.#count = 0;
    this.#trial = false;
    this.#openMs = this.#options.openMs;
    this.#change('closed');
  }

  #open(): void {
    this.#epoch++;
    this.#row = 0;
    this.#bits = 0;
    this.#count = 0;
    this.#trial = false;
    this.#openedAt = this.#options.now();
    this.#change('open');
  }

  #note(bit: number): void {
    this.#bits = ((this.#bits << 1) | bit) & ((1 << this.#options.window) - 1);
    if (this.#count < this.#options.window) this.#count++;
  }

  #change(state: BreakerState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#options.onChange(state);
  }
}

function ones(bits: number): number {
  let count = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) count++;
  return count;
}
