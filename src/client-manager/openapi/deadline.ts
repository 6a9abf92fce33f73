/** One signal for a call: the client's, and the end of the time it has. Dispose of it when the call is over. */
export class CallSignal implements Disposable {
  readonly #controller = new AbortController();
  readonly #client: AbortSignal;
  readonly #timer: NodeJS.Timeout;
  #expired = false;

  constructor(client: AbortSignal, ms: number) {
    this.#client = client;
    this.#timer = setTimeout(() => {
      this.#expired = true;
      this.#controller.abort(new Error('the deadline has passed'));
    }, ms);
    client.addEventListener('abort', this.#onAbort, { once: true });
    if (client.aborted) this.#onAbort();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** True if the time was over before the client gave up. */
  get expired(): boolean {
    return this.#expired;
  }

  /** The promise's outcome, or a rejection as soon as the call is over: for work that knows no signal. */
  async bound<T>(work: Promise<T>): Promise<T> {
    const { signal } = this;
    const { promise, reject } = Promise.withResolvers<never>();
    const onAbort = (): void => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await Promise.race([work, promise]);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#client.removeEventListener('abort', this.#onAbort);
  }

  readonly #onAbort = (): void => this.#controller.abort(this.#client.reason);
}
