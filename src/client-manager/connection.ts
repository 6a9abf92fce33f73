import type { Era, Failure, HeaderParam, JsonObject, Params, ResponseMessage, Revision, ServerFacts } from '../protocol/index.ts';

/** One request on its way to an upstream. */
export interface Exchange {
  readonly method: string;
  /** The outgoing params, as JSON text. */
  readonly params: string;
  /** The outgoing params as a value: what modern HTTP headers are computed from. */
  readonly mirror: JsonObject;
  readonly headerParams: readonly HeaderParam[];
  /** On the clock of `performance.now()`. */
  readonly expiresAt: number;
  readonly signal: AbortSignal | undefined;
  /** Notifications that came on the request's own stream. */
  readonly onNotification: ((method: string, params: Params | undefined) => void) | undefined;
}

export interface FailedReply {
  readonly kind: 'failed';
  readonly failure: Failure;
  /** The connection is of no more use, and the request never left: it may be sent again over the next one. */
  readonly gone?: true;
  /** The HTTP status with which our credentials were refused. */
  readonly denied?: number;
}

export interface AnsweredReply extends ResponseMessage {
  /** The HTTP status under which it came, where that was not 200. */
  readonly status?: number;
}

/** The upstream's answer, or why there is none. */
export type Reply = AnsweredReply | FailedReply;

/** An established connection to one upstream in one era. */
export interface Connection {
  readonly era: Era;
  /** `http-modern`, `http-legacy`, `stdio-modern`, `stdio-legacy`. */
  readonly via: string;
  readonly revision: Revision;
  /** All eras that the server is known to speak. */
  readonly eras: readonly Era[];
  readonly facts: ServerFacts;
  readonly pid?: number;
  /** Requests that wait for their answer. */
  readonly inFlight: number;
  /** Resolves with a public reason once the connection is of no more use. */
  readonly lost: Promise<string>;
  /** Never rejects. */
  exchange(exchange: Exchange): Promise<Reply>;
  /** Calls back when the server says that its tools changed. */
  onToolsChanged(listener: () => void): void;
  /** Ends the connection; calls in flight end at once. Never rejects. */
  close(): Promise<void>;
}

/** What a connection attempt may say when it fails; `reason` is public. */
export class ConnectError extends Error {
  readonly reason: string;
  readonly detail: unknown;
  readonly stderr: readonly string[];

  constructor(reason: string, detail?: unknown, stderr: readonly string[] = []) {
    super(reason);
    this.name = 'ConnectError';
    this.reason = reason;
    this.detail = detail;
    this.stderr = stderr;
  }
}

/** The server refused our credentials: time does not help, its operator has to act. */
export class DeniedError extends ConnectError {
  readonly status: number;

  constructor(status: number) {
    super(`it needs credentials (HTTP ${status}): set working ones under "headers" in its configuration`, { status });
    this.name = 'DeniedError';
    this.status = status;
  }
}
