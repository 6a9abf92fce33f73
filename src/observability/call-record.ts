import type { Attempt } from '../protocol/index.ts';

/** How a call ended. `tool_error` is a result with `isError`; `refused` never reached its target. */
export type CallOutcome = 'ok' | 'tool_error' | 'error' | 'refused' | 'failed' | 'canceled' | 'input_required' | 'task';

/**
 * One wide event per call: everything that metrics, logs and later projections are made from (DESIGN 9). It is filled while the
 * call runs and must not be touched after it was handed to the recorder. It holds no arguments, results or credentials.
 */
export interface CallRecord {
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** `streamable-http`, `sse`, `websocket`, `stdio`, `admin`. */
  readonly face: string;
  /** `/mcp`, or the server's or profile's own endpoint. */
  readonly endpoint: string;
  readonly revision: string;
  readonly method: string;
  principal: string;
  /** The key or program behind the principal, for people. */
  client: string;
  /** Self-reported, for display only. */
  clientName: string | undefined;
  /** The server that the call was routed to; empty where the gateway answers itself. */
  server: string;
  /** The tool's own name at that server. */
  tool: string | undefined;
  sideEffect: string | undefined;
  readonly attempts: Attempt[];
  /** Names of the pipeline steps of this kind of call: one array that all its records share. */
  readonly stepNames: readonly string[];
  /** Milliseconds of the steps that ran, in the order of `stepNames`; a refused call has fewer. */
  readonly stepMs: number[];
  bytesIn: number;
  bytesOut: number;
  durationMs: number;
  outcome: CallOutcome;
  /** Code of what went wrong: ours, or the JSON-RPC code as text. */
  errorCode: string | undefined;
  /** Private detail of what went wrong, for the log. */
  errorDetail: unknown;
  /** W3C trace id from the caller's `traceparent`, if it sent one. */
  traceId: string | undefined;
  /** Checks that did not run, each with its reason. */
  readonly notValidated: string[];
  /** What the method is called where `method` says `other`: clients choose it. */
  otherMethod?: string;
  /** Rounds in which the client was asked while the call was open. */
  inputRounds?: number;
  /** Whether a kept result was the answer, and how old it was in milliseconds. */
  cache?: { readonly state: 'hit' | 'miss' | 'bypass'; readonly ageMs: number };
  /** True for a result that flowed instead of being held. */
  streamed?: boolean;
}
