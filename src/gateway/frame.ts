import type {
  Call,
  CallEvent,
  ClientFacts,
  Era,
  JsonObject,
  JsonText,
  MirrorHeaders,
  Outcome,
  ProgressGate,
  RequestMessage,
  Target,
} from '../protocol/index.ts';
import type { CallRecord, Recorder } from '../observability/index.ts';
import type { Registry } from '../registry/index.ts';
import type { Principal, Sealer } from '../security/index.ts';
import type { BoundedCount, Clock } from '../shared/index.ts';
import type { ClientPort, Hub, SessionState } from './client-port.ts';
import type { Endpoint } from './endpoints.ts';
import type { OpenWatch } from './open-watch.ts';
import type { ExposedTool, Views } from './view.ts';

/** Kinds of call: the columns of the pipeline. */
export type Kind = 'call' | 'read' | 'list' | 'session' | 'server' | 'listen';

/** What an operator says of a server and its tools; tools by the server's own names. */
export interface ServerPolicy {
  /** Scopes that a caller needs for anything of this server, all of them. */
  readonly scopes: readonly string[];
  /** `forward` sends calls of tools that the server does not list; `refuse` answers -32602 (PROTOCOL B). */
  readonly unlisted: 'refuse' | 'forward';
  /** Longest time of a call; the gateway's unless it is given. */
  readonly deadlineSeconds?: number | undefined;
  readonly tools: Readonly<Record<string, ToolPolicy>>;
}

export interface ToolPolicy {
  /** Stands above the server's. */
  readonly deadlineSeconds?: number | undefined;
  /** When a call becomes a task; never unless it is given (PROTOCOL A3). */
  readonly tasks?: 'never' | 'always' | 'after_input' | 'required' | undefined;
  /** Client capabilities without which the call is refused (-32021) before the server sees it (PROTOCOL D). */
  readonly requires: JsonObject;
}

/** Resource URIs between an endpoint and the servers behind it (PROTOCOL C15). */
export interface Uris {
  /** The server's URI as this endpoint shows it. */
  wrapUri(endpoint: Endpoint, server: string, uri: string, registry: Registry): string;
  resolveUri(endpoint: Endpoint, uri: string, registry: Registry): { readonly server: string; readonly uri: string } | undefined;
  /** The result with its URIs wrapped; the same object if there are none. */
  wrapResultUris(endpoint: Endpoint, server: string, method: string, result: JsonText, registry: Registry): JsonText;
}

/** What the steps work with; one per gateway. */
export interface Services {
  readonly registry: Registry;
  readonly views: Views;
  readonly recorder: Recorder;
  readonly clock: Clock;
  readonly inFlight: BoundedCount;
  readonly target: (server: string) => Target | undefined;
  readonly policyOf: (server: string) => ServerPolicy | undefined;
  readonly sealer: Sealer;
  readonly hub: Hub;
  readonly uris: Uris;
  readonly settings: GatewaySettings;
}

export interface GatewaySettings {
  readonly name: string;
  readonly title: string;
  readonly version: string;
  /** Tools per page of a list. */
  readonly pageSize: number;
  /** How long a list waits for servers that are still connecting for the first time. */
  readonly listWaitMs: number;
  /** Longest time of a call whose server sets none. */
  readonly deadlineMs: number;
}

/** A request that passed its face's checks. */
export interface Incoming {
  readonly face: string;
  readonly endpoint: Endpoint;
  readonly principal: Principal;
  readonly client: ClientFacts;
  readonly request: RequestMessage;
  /** Present on transports that mirror the body into headers. */
  readonly headers: MirrorHeaders | undefined;
  readonly bytesIn: number;
  readonly signal: AbortSignal;
  /** The client's end of the request, where it can be told or asked something before the answer. */
  readonly port?: ClientPort | undefined;
  /** Of a legacy client's session. */
  readonly session?: SessionState | undefined;
}

/** One request on its way through the pipeline. Steps read what earlier steps wrote. */
export interface Frame {
  readonly kind: Kind;
  /** Of the client. */
  readonly era: Era;
  readonly endpoint: Endpoint;
  readonly principal: Principal;
  readonly client: ClientFacts;
  readonly request: RequestMessage;
  readonly headers: MirrorHeaders | undefined;
  readonly port: ClientPort | undefined;
  /** What a legacy client keeps between its requests. */
  readonly session: SessionState | undefined;
  readonly signal: AbortSignal;
  readonly record: CallRecord;
  readonly onEvent: (event: CallEvent) => void;
  /** False once the call is over: nothing of it is told or noted any more. */
  open: boolean;
  admitted: boolean;
  /** The server that the request is for; undefined while it is for the gateway itself. */
  server: string | undefined;
  exposed: ExposedTool | undefined;
  call: Call | undefined;
  /** Progress that was told so far. */
  progress: ProgressGate | undefined;
  /** What a `subscriptions/listen` opened. */
  watch: OpenWatch | undefined;
  /** What `execute` came to; the steps behind it may replace it. */
  outcome: Outcome | undefined;
}

/** One step. What it returns ends the walk: the later steps before `record` do not run. */
export type Step = (frame: Frame, services: Services) => Outcome | undefined | Promise<Outcome | undefined>;
