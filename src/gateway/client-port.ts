import type { AskClient, CallerSession, ClientFacts, JsonText, LogLevel } from '../protocol/index.ts';
import type { Principal } from '../security/index.ts';
import type { Endpoint } from './endpoints.ts';

/** The client's end of one request while it is open. Each face makes one per request. */
export interface ClientPort {
  /** Sends a notification that belongs to the request, as JSON-RPC text. Over HTTP the response becomes a stream with the first one. */
  notify(text: string): void;
  /** Asks the client while its request is open; undefined where the era or the transport has no such thing. */
  readonly ask: AskClient | undefined;
  /** True where the face can pass a large result on as it comes (PROTOCOL A13). */
  readonly streams: boolean;
}

/** What a legacy client keeps between its requests: the steps for `logging/setLevel`, subscribe and unsubscribe work on it. */
export interface SessionState {
  /** What `logging/setLevel` set; undefined until then: servers choose what they tell (S25 logging). */
  logLevel: LogLevel | undefined;
  /** Adds or removes a resource of the endpoint, by the URI that the client uses. False at the cap of subscriptions. */
  subscribe(uri: string): boolean;
  unsubscribe(uri: string): void;
  /** The session as targets know it: of a client that can be asked. */
  readonly peer?: CallerSession | undefined;
}

/** What somebody wants to hear of an endpoint, in the endpoint's own names and sealed task ids. */
export interface WatchFilter {
  readonly tools: boolean;
  readonly prompts: boolean;
  readonly resources: boolean;
  readonly uris: readonly string[];
  readonly taskIds: readonly string[];
}

/** Who watches, and what it shows him. */
export interface WatchRequest {
  readonly endpoint: Endpoint;
  readonly principal: Principal;
  readonly client: ClientFacts;
  /** Of a legacy client that can be asked. */
  readonly session?: CallerSession | undefined;
  readonly filter: WatchFilter;
  /** The client's watch that this one takes the place of: notices that wait in it go to this one, and it is closed. */
  readonly replaces?: Watch | undefined;
  /**
   * A notification for the client: `notifications/{tools,prompts,resources}/list_changed`, `notifications/resources/updated`,
   * `notifications/tasks`. Params are in the endpoint's names, without a subscription id.
   */
  readonly onNotice: (method: string, params: JsonText | undefined) => void;
}

export interface Watch {
  /** What is honoured, at the latest 300 ms after the start (PROTOCOL C8); never rejects. */
  readonly honoured: Promise<WatchFilter>;
  /** True once the server of this URI of the filter has said that it will not tell of it. */
  refuses(uri: string): boolean;
  close(): void;
}

/** Change notifications of endpoints: from the catalogue, and from the servers behind them. */
export interface Hub {
  /** Undefined at the cap of watches. */
  watch(request: WatchRequest): Watch | undefined;
  readonly size: number;
  close(): void;
}
