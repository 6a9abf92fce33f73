import type {
  AskAnswer,
  Era,
  Failure,
  HeaderParam,
  JsonObject,
  Params,
  RequestMessage,
  ResponseMessage,
  ResultStream,
  Revision,
  ServerFacts,
} from '../protocol/index.ts';

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
  /**
   * Notifications that belong to this request: they came on its own HTTP stream, carry its progress token, or carry its subscription id
   * (which is the request's id on the wire).
   */
  readonly onNotification: ((method: string, params: Params | undefined) => void) | undefined;
  /** The token in `params`, if there is one. */
  readonly progressToken?: number | undefined;
  /** True if `params` ask for log messages, which only HTTP relates to their request. */
  readonly logs?: boolean | undefined;
  /** True if a large result may come as a stream (PROTOCOL A13); connections that cannot stream ignore it. */
  readonly streams?: boolean | undefined;
}

export interface FailedReply {
  readonly kind: 'failed';
  readonly failure: Failure;
  /** The connection is of no more use, and the request never left: it may be sent again over the next one. */
  readonly gone?: true;
  /** The server refused the request before it did anything, as it speaks another era by now: so will the next connection. */
  readonly turned?: true;
  /** The HTTP status with which our credentials were refused. */
  readonly denied?: number;
}

export interface AnsweredReply extends ResponseMessage {
  /** The HTTP status under which it came, where that was not 200. */
  readonly status?: number;
  /** Instead of `result`: a large one that flows. Only for an exchange with `streams`. */
  readonly stream?: ResultStream;
}

/** The upstream's answer, or why there is none. */
export type Reply = AnsweredReply | FailedReply;

/** What a connection does with messages of the server that answer nothing. Set before the connection is used. */
export interface ConnectionListener {
  /**
   * A request of a legacy server, `ping` excepted (connections answer it themselves). `exchange` is the request of ours on whose own stream
   * it came, where the transport tells. The signal aborts when the server cancels its request or the connection ends.
   */
  onRequest(request: RequestMessage, exchange: Exchange | undefined, signal: AbortSignal): Promise<AskAnswer>;
  /** A notification that belongs to no exchange. */
  onNotification(method: string, params: Params | undefined): void;
  /** The session was made anew without losing the connection: the server has forgotten its subscriptions and its log level. */
  onRenewed?(): void;
}

/** An established connection to one upstream in one era. */
export interface Connection {
  readonly era: Era;
  /** `http-modern`, `http-legacy`, `sse-legacy`, `ws-modern`, `ws-legacy`, `stdio-modern`, `stdio-legacy`. */
  readonly via: string;
  readonly revision: Revision;
  /** All eras that the server is known to speak. */
  readonly eras: readonly Era[];
  readonly facts: ServerFacts;
  /** False for a legacy HTTP connection whose server gave no session id: it cannot ask, and keeps nothing between requests (PROTOCOL A1). */
  readonly stateful: boolean;
  readonly pid?: number;
  /** Requests that wait for their answer. */
  readonly inFlight: number;
  /** Resolves with a public reason once the connection is of no more use. */
  readonly lost: Promise<string>;
  /** Never rejects. */
  exchange(exchange: Exchange): Promise<Reply>;
  /** Sends a notification; what cannot be sent is dropped. `params` is JSON text. */
  notify(method: string, params?: string): void;
  /**
   * Opens the stream for messages that belong to no request, where there is one that is not always open (legacy HTTP: GET), and keeps it
   * open. Calling it twice changes nothing.
   */
  openStream?(): void;
  /** Who hears what answers nothing; the last one set counts. Without a listener asks are refused (`answerOutsideCalls`). */
  listen(listener: ConnectionListener): void;
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

/** The server answers, and wants no such connection. */
export class RefusedError extends ConnectError {}

/** The server refused our credentials: time does not help, its operator has to act. */
export class DeniedError extends ConnectError {
  readonly status: number;

  constructor(status: number) {
    super(`it needs credentials (HTTP ${status}): set working ones under "headers" in its configuration`, { status });
    this.name = 'DeniedError';
    this.status = status;
  }
}
