import type { Call, CallContext, CallEvent, Outcome } from '../../protocol/index.ts';
import type { Failures } from '../failures.ts';

export interface LegOptions {
  readonly call: Call;
  readonly context: CallContext;
  readonly failures: Failures;
  /** The connection's. */
  readonly via: string;
  /** The client gave up before it had an answer. */
  readonly onAbort: (leg: Leg) => void;
  /** It has its answer, or gave up; called once. */
  readonly onEnd: () => void;
}

/** One request of the client within a call: the first one, or a retry. Its signal counts until its own answer, not longer (PROTOCOL D, trap 1). */
export class Leg {
  readonly call: Call;
  readonly outcome: Promise<Outcome>;
  readonly #options: LegOptions;
  readonly #begun = performance.now();
  #resolve: ((outcome: Outcome) => void) | undefined;

  constructor(options: LegOptions) {
    this.#options = options;
    this.call = options.call;
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    this.outcome = promise;
    this.#resolve = resolve;
    options.context.signal.addEventListener('abort', this);
  }

  /** The client's signal. */
  handleEvent(): void {
    if (this.#resolve !== undefined) this.#options.onAbort(this);
  }

  tell(event: CallEvent): void {
    if (this.#resolve !== undefined) this.#options.context.onEvent(event);
  }

  /** Gives the client its answer; only the first one counts. */
  settle(outcome: Outcome): void {
    const resolve = this.#resolve;
    if (resolve === undefined) return;
    const { failures, via, context } = this.#options;
    const durationMs = performance.now() - this.#begun;
    this.tell({ kind: 'attempt', attempt: { server: failures.server, via, durationMs, outcome: codeOf(outcome) } });
    this.#resolve = undefined;
    context.signal.removeEventListener('abort', this);
    this.#options.onEnd();
    resolve(outcome);
  }
}

function codeOf(outcome: Outcome): string {
  if (outcome.kind === 'failed') return outcome.failure.code;
  return outcome.kind === 'error' ? String(outcome.error.code) : 'ok';
}
