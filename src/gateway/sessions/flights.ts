import { RPC, rpcError, type Params, type RpcError } from '../../protocol/index.ts';

/** The requests of one client that wait for their answer, by id: number 1 and string "1" are different ids. */
export class Flights {
  readonly #open = new Map<string | number, AbortController>();
  readonly #cap: number;
  #onIdle: (() => void) | undefined;

  constructor(cap: number) {
    this.#cap = cap;
  }

  get size(): number {
    return this.#open.size;
  }

  /** The request's own cancellation, or why it is not taken. Each one that was opened is closed. */
  open(id: string | number): AbortController | RpcError {
    if (this.#open.has(id)) return rpcError(RPC.invalidRequest, 'A request with this id is still in flight.');
    if (this.#open.size >= this.#cap)
      return rpcError(RPC.busy, `This connection is at its limit of ${this.#cap} requests in flight. Wait for answers, then go on.`);
    const controller = new AbortController();
    this.#open.set(id, controller);
    return controller;
  }

  close(id: string | number): void {
    this.#open.delete(id);
    if (this.#open.size > 0 || this.#onIdle === undefined) return;
    this.#onIdle();
    this.#onIdle = undefined;
  }

  /** Aborts what a `notifications/cancelled` names. Unknown ids are ignored, as the specification wants (S26, S25 cancellation). */
  cancel(params: Params | undefined): void {
    const id = params?.value.requestId;
    if (typeof id === 'string' || typeof id === 'number') this.#open.get(id)?.abort();
  }

  abortAll(): void {
    for (const controller of this.#open.values()) controller.abort();
  }

  /** Resolves once nothing is in flight and the last answer was written, or after `ms`. For one waiter at a time. */
  idle(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      // A request is closed a few turns of the microtask queue before its answer is written.
      this.#onIdle = () => {
        clearTimeout(timer);
        setImmediate(resolve);
      };
      if (this.#open.size === 0) this.#onIdle();
    });
  }
}

export const isRefused = (opened: AbortController | RpcError): opened is RpcError => 'code' in opened;

/** What a request beyond its key's rate is answered, where others that came over the same way pass. */
export const tooFast = (retryAfterMs: number): RpcError =>
  rpcError(RPC.busy, 'This key sends too many requests: slow down.', { retryAfterMs });
