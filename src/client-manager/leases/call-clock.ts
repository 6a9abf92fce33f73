export type Expiry = 'deadline' | 'unanswered';

/** The two deadlines of a call: its own, which stands still while somebody is asked, and that of the questions (PROTOCOL D, trap 7). */
export class CallClock {
  readonly #parkMs: number;
  readonly #onExpire: (why: Expiry) => void;
  #timer: NodeJS.Timeout | undefined;
  #leftMs = 0;
  /** Set while the call's own deadline runs. */
  #since: number | undefined;

  constructor(parkMs: number, onExpire: (why: Expiry) => void) {
    this.#parkMs = parkMs;
    this.#onExpire = onExpire;
  }

  /** Starts the call's own deadline, with new time. */
  run(ms: number): void {
    this.grant(ms);
    this.resume();
  }

  /** New time for the call, for when its questions are answered. */
  grant(ms: number): void {
    this.#since = undefined;
    this.#leftMs = ms;
  }

  /** Starts the deadline of the questions, anew with each one. */
  pause(): void {
    if (this.#since !== undefined) this.#leftMs -= performance.now() - this.#since;
    this.#since = undefined;
    this.#set(this.#parkMs, 'unanswered');
  }

  /** The call goes on with the time that it had left. */
  resume(): void {
    this.#since = performance.now();
    this.#set(this.#leftMs, 'deadline');
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #set(ms: number, why: Expiry): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#onExpire(why), Math.max(1, ms));
  }
}
