import type { Params } from './envelope.ts';
import type { RpcError } from './errors.ts';
import type { HeaderParam } from './header-params.ts';
import type { Edit, JsonText } from './json-text.ts';
import type { LogLevel } from './log-levels.ts';
import type { Implementation, JsonObject } from './meta.ts';
import type { Era, Revision } from './revisions.ts';

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
  /** Of a legacy client that can be asked. */
  readonly session?: CallerSession | undefined;
}

/** A legacy client's session, for a target that keeps something for it. */
export interface CallerSession {
  /** Asks the client apart from its requests; undefined while it listens to nothing. */
  readonly ask: AskClient | undefined;
  /** Tells the watcher what happens, until the function that it returns is called. */
  watch(watcher: SessionWatcher): () => void;
}

export interface SessionWatcher {
  /** What the client would answer to `roots/list` is another list now. */
  rootsChanged(): void;
  /** Nothing comes after it. Called at once where the session is over already. */
  ended(): void;
}

/** What a request is about (a tool, prompt, resource or task), as the target calls it: it replaces that member of params. */
export interface Subject {
  readonly member: 'name' | 'uri' | 'taskId';
  readonly value: string;
}

/** What happens in the world when a call is carried out (DESIGN 5). Unknown means write. */
export type SideEffect = 'read' | 'idempotent_write' | 'write';

/** One request on its way to a target, in the inner language. */
export interface Call {
  readonly method: string;
  readonly params: Params | undefined;
  readonly sideEffect: SideEffect;
  readonly subject: Subject | undefined;
  /** Other members of params that are replaced by JSON text, or left out (null): a completion's `ref`, say. */
  readonly edits: readonly Edit[];
  /** Arguments that the target's schema mirrors into headers. */
  readonly headerParams: readonly HeaderParam[];
  readonly client: ClientFacts;
  readonly caller: Caller;
  /** Client capabilities to declare to the target: what this client declared, cut to what its endpoint can relay (PROTOCOL A5, C9). */
  readonly offers: JsonText;
  /** The target's own `requestState` of the round before, byte-exact and not sealed any more (PROTOCOL C4). */
  readonly state: string | undefined;
  /** `inputResponses` for the round before. */
  readonly answers: JsonText | undefined;
  /** Lowest level of the log messages that the client asked for; undefined for none, and for a legacy client that leaves it to the server. */
  readonly logLevel: LogLevel | undefined;
  /** True if the client wants progress notifications. */
  readonly progress: boolean;
  /** Milliseconds that the target may take; time in which a person is asked does not count. */
  readonly deadlineMs: number;
}

/** One leg of a call over a wire. */
export interface Attempt {
  readonly server: string;
  /** `http-modern`, `http-legacy`, `sse-legacy`, `ws-modern`, `ws-legacy`, `stdio-modern`, `stdio-legacy`, `local`. */
  readonly via: string;
  readonly durationMs: number;
  /** `ok`, or the code of what went wrong. */
  readonly outcome: string;
}

export type CallEvent =
  | { readonly kind: 'attempt'; readonly attempt: Attempt }
  /** A result could have been kept or was; `ageMs` is how old it is. */
  | { readonly kind: 'cache'; readonly state: 'hit' | 'miss' | 'bypass'; readonly ageMs: number }
  /** A notification that belongs to the call, as it came: `notifications/progress` (with a token of the target's leg), `notifications/message`. */
  | { readonly kind: 'notification'; readonly method: string; readonly params: JsonText | undefined };

/** What a server may ask of a client: the methods of an `inputRequests` entry (S26 "Multi Round-Trip Requests"). */
export type AskMethod = 'elicitation/create' | 'sampling/createMessage' | 'roots/list';

export interface Ask {
  readonly method: AskMethod;
  /** JSON text of the params in the form of the server's own revision; undefined for none. */
  readonly params: JsonText | undefined;
}

/** The client's answer to an ask: its result, or its JSON-RPC error. */
export type AskAnswer = { readonly result: JsonText } | { readonly error: RpcError };

/** Asks the client while its request is open. Never rejects: an abort, a lost client and a deadline are errors in the answer. */
export type AskClient = (ask: Ask, signal: AbortSignal) => Promise<AskAnswer>;

export interface CallContext {
  readonly signal: AbortSignal;
  readonly onEvent: (event: CallEvent) => void;
  /** Present where the client can be asked while its request is open (legacy sessions). Without it a target that needs input answers `input_required`. */
  readonly ask?: AskClient | undefined;
  /** True where a large result may come as `stream` (PROTOCOL A13). */
  readonly streams?: boolean | undefined;
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
  /** A large complete result on its way, only where the context allows it. */
  | { readonly kind: 'stream'; readonly stream: ResultStream }
  | { readonly kind: 'failed'; readonly failure: Failure };

/** A JSON-RPC response whose result is too large to hold: its UTF-8 bytes, with the id that `begin` was given in place of the target's. */
export interface ResultStream {
  /** Starts the flow. `write` returns false when the reader is behind; then nothing comes until `resume`. `end` is called exactly once. */
  begin(sink: ResultSink): void;
  resume(): void;
  /** Gives up: the target's connection is closed. */
  abort(): void;
}

export interface ResultSink {
  /** JSON text of the id of the client's request. */
  readonly idText: string;
  write(bytes: Buffer): boolean;
  /** `failure` if the target broke off: the response is incomplete then. `isError` if the result is a tool's error. */
  end(failure: Failure | undefined, isError?: boolean): void;
}

/** What a client wants to hear of one target, by the target's own names. List changes are not in it: the catalogue knows them. */
export interface Interest {
  readonly uris: readonly string[];
  readonly taskIds: readonly string[];
  /** The client's era: a target that has both tells in this one. */
  readonly era?: Era | undefined;
}

/** A notification of the target that belongs to no call, as it came (without a subscription id): `resources/updated`, `tasks`. */
export interface Announcement {
  readonly method: 'notifications/resources/updated' | 'notifications/tasks';
  readonly params: JsonText;
}

/** An open interest. */
export interface Listening {
  /** What the target agreed to tell, as soon as it is known; never rejects. A target that cannot say yields nothing. */
  readonly honoured: Promise<Interest>;
  close(): void;
}

/** Whatever can carry out a call: an upstream, a group of upstreams, the StockPulse server. Never throws and never rejects. */
export interface Target {
  handle(call: Call, context: CallContext): Promise<Outcome>;
  /**
   * A client of this era, which can be asked or not, is about to use it: a target that has an era of its own for that, or shows more to such
   * clients, gets it ready. False if it is not ready yet, after a moment: what it lists is not all. Never rejects.
   */
  prepare?(era: Era, asks?: boolean): Promise<boolean>;
  /**
   * Somebody of this era wants a list whose lifetime is over: it is read again, once for all who want it before that begins. Resolves when it
   * was read, or could not be, or after `deadlineMs`; never rejects.
   */
  refresh?(list: 'tools' | 'prompts' | 'resources', era: Era, deadlineMs: number): Promise<void>;
  /** Tells of changes until it is closed, over reconnections too. Absent where a target announces nothing. */
  listen?(interest: Interest, caller: Caller, onAnnouncement: (announcement: Announcement) => void): Listening;
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
