import type { Params } from './envelope.ts';
import type { RpcError } from './errors.ts';
import type { HeaderParam } from './header-params.ts';
import type { JsonText } from './json-text.ts';
import type { Implementation, JsonObject } from './meta.ts';
import type { Revision } from './revisions.ts';

/** The client as it declared itself: on each modern request, or once for a legacy session. */
export interface ClientFacts {
  readonly revision: Revision;
  readonly info: Implementation | undefined;
  readonly capabilities: JsonObject;
}

/** Who a call is made for. Targets use it to tell callers apart, never as a credential. */
export interface Caller {
  readonly principal: string;
  readonly scopes: ReadonlySet<string>;
}

/** One request on its way to a target, in the inner language. */
export interface Call {
  readonly method: string;
  readonly params: Params | undefined;
  /** The tool's own name at the target, where it differs from `params.name`. */
  readonly toolName: string | undefined;
  /** Arguments that the target's schema mirrors into headers. */
  readonly headerParams: readonly HeaderParam[];
  readonly client: ClientFacts;
  readonly caller: Caller;
  /** Milliseconds that the target may take. */
  readonly deadlineMs: number;
}

/** One leg of a call over a wire. */
export interface Attempt {
  readonly server: string;
  /** `http-modern`, `http-legacy`, `stdio-modern`, `stdio-legacy`, `local`. */
  readonly via: string;
  readonly durationMs: number;
  /** `ok`, or the code of what went wrong. */
  readonly outcome: string;
}

export type CallEvent =
  | { readonly kind: 'attempt'; readonly attempt: Attempt }
  /** A notification that belongs to the call, as it came: progress, log message. */
  | { readonly kind: 'notification'; readonly method: string; readonly params: JsonText | undefined };

export interface CallContext {
  readonly signal: AbortSignal;
  readonly onEvent: (event: CallEvent) => void;
}

/**
 * Why there is no answer from a target, in the words of the gateway. `executed` says whether the request can have taken effect:
 * `no` if it provably never left or was refused before execution, else `unknown` (DESIGN 5).
 */
export interface Failure {
  readonly code:
    | 'forbidden'
    | 'invalid_arguments'
    | 'internal_error'
    | 'upstream_unavailable'
    | 'upstream_failed'
    | 'upstream_protocol_error'
    | 'deadline_exceeded'
    | 'canceled'
    | 'busy'
    | 'result_too_large'
    | 'outcome_unknown';
  /** Public: names the server and says what to do. */
  readonly message: string;
  readonly executed: 'no' | 'unknown';
  /** Private: for the log only. */
  readonly detail?: unknown;
  readonly retryAfterMs?: number;
}

/** What a call comes to. `error` is the target's own JSON-RPC error; `failed` means that there was no answer at all. */
export type Outcome =
  | { readonly kind: 'complete'; readonly result: JsonText }
  | { readonly kind: 'input_required'; readonly result: JsonText }
  | { readonly kind: 'task'; readonly result: JsonText }
  | { readonly kind: 'error'; readonly error: RpcError }
  | { readonly kind: 'failed'; readonly failure: Failure };

/** Whatever can carry out a call: an upstream, a group of upstreams, the StockPulse server. Never throws and never rejects. */
export interface Target {
  handle(call: Call, context: CallContext): Promise<Outcome>;
}

/** The outcome of a result by its `resultType`; absent means complete (S26 basic, "ResultType"). Unknown types are an error (PROTOCOL C9). */
export function outcomeOf(result: JsonText): Outcome {
  const type = result.value.resultType;
  if (type === undefined || type === 'complete') return { kind: 'complete', result };
  if (type === 'input_required' || type === 'task') return { kind: type, result };
  return {
    kind: 'failed',
    failure: {
      code: 'upstream_protocol_error',
      message: `The server answered with an unknown resultType.`,
      executed: 'unknown',
      detail: type,
    },
  };
}
