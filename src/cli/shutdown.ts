const STOP_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

/** The part of `process` that tells when to stop. `disconnect` comes when the launcher that started us was killed. */
export interface SignalSource {
  on(event: StopEvent, listener: (value?: unknown) => void): unknown;
  off(event: StopEvent, listener: (value?: unknown) => void): unknown;
}
export type StopEvent = (typeof STOP_SIGNALS)[number] | 'disconnect' | 'uncaughtException';

/** Ctrl-C reaches the whole group, and npm and the launcher pass it on: within this time it is one request. */
export const ONE_REQUEST_MS = 2000;
/** Closing takes no longer than this. */
export const CLOSE_CAP_MS = 15_000;

export interface ShutdownOptions {
  readonly signals: SignalSource;
  readonly exit: (code: number) => void;
  readonly note: (text: string) => void;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
  readonly capMs?: number;
}

/** Turns signals and defects into one request to stop, and makes sure that the process does stop. */
export class Shutdown {
  /** Resolves when the end was asked for. */
  readonly requested: Promise<void>;
  readonly #abort = new AbortController();
  readonly #options: ShutdownOptions;
  readonly #listeners = new Map<StopEvent, (value?: unknown) => void>();
  #resolve: () => void = () => {};
  #since: number | undefined;
  #failed = false;
  #cap: NodeJS.Timeout | undefined;

  constructor(options: ShutdownOptions) {
    this.#options = options;
    this.requested = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    for (const signal of STOP_SIGNALS) this.#listen(signal, () => this.#onSignal(signal));
    this.#listen('disconnect', () => this.request(0));
    this.#listen('uncaughtException', (error) => this.#onDefect(error));
  }

  /** Aborted when the end was asked for. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** True if a defect asked for the end, or came on the way to it. */
  get failed(): boolean {
    return this.#failed;
  }

  /** Asks for the end. A code other than 0 marks the run as failed. From the first request on, closing has a deadline. */
  request(code: number): void {
    if (code !== 0) this.#failed = true;
    if (this.#since !== undefined) return;
    this.#since = this.#now();
    const { capMs = CLOSE_CAP_MS, exit, note } = this.#options;
    this.#cap = setTimeout(() => {
      note(`Closing took longer than ${capMs} ms: ended at once.`);
      exit(1);
    }, capMs);
    this.#abort.abort();
    this.#resolve();
  }

  /** Stops listening; the process is free to end. */
  dispose(): void {
    clearTimeout(this.#cap);
    for (const [event, listener] of this.#listeners) this.#options.signals.off(event, listener);
    this.#listeners.clear();
  }

  #listen(event: StopEvent, listener: (value?: unknown) => void): void {
    this.#listeners.set(event, listener);
    this.#options.signals.on(event, listener);
  }

  #now(): number {
    return (this.#options.now ?? (() => performance.now()))();
  }

  #onSignal(signal: StopEvent): void {
    if (this.#since === undefined) {
      this.#options.note(`${signal}: closing.`);
      this.request(0);
    } else if (this.#now() - this.#since >= ONE_REQUEST_MS) {
      this.#options.note(`${signal} again: ended at once.`);
      this.#options.exit(1);
    }
  }

  #onDefect(error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#options.note(`Something went wrong that should not have; closing. ${text}`);
    this.request(1);
  }
}
