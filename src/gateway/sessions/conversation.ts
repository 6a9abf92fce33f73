import {
  errorText,
  isObject,
  methodNotFound,
  RPC,
  rpcError,
  type AskClient,
  type CallerSession,
  type ClientFacts,
  type LogLevel,
  type NotificationMessage,
  type RequestMessage,
  type ResponseMessage,
} from '../../protocol/index.ts';
import type { Principal } from '../../security/index.ts';
import { answerRequest } from '../answer.ts';
import type { ClientPort, SessionState } from '../client-port.ts';
import type { Endpoint } from '../endpoints.ts';
import type { Services } from '../frame.ts';
import { methodsOf } from '../methods.ts';
import type { Answer } from '../render.ts';
import { Asks, type AsksOptions, type Outlet } from './asks.ts';
import { isRefused, type Flights } from './flights.ts';
import { Hearing } from './hearing.ts';
import { SessionPeer } from './peer.ts';

export interface ConversationOptions {
  /** How the call record calls the transport. */
  readonly face: string;
  readonly services: Services;
  readonly endpoint: Endpoint;
  readonly client: ClientFacts;
  readonly principal: Principal;
  /** Shared with requests of the other era where both come over one connection. */
  readonly flights: Flights;
  readonly asks: AsksOptions;
}

/** What a legacy client that declared none of these is never asked. */
const ASKABLE = ['elicitation', 'sampling', 'roots'];
const NOT_TOLD = 'The server of this resource does not tell when it changes.';

/** The client's end of one request of a legacy session. What comes after the answer is dropped. */
class LegacyPort implements ClientPort {
  readonly streams = false;
  readonly ask: AskClient | undefined;
  #outlet: Outlet | undefined;

  constructor(outlet: Outlet | undefined, asks: Asks | undefined) {
    this.#outlet = outlet;
    this.ask = outlet && asks && ((ask, signal) => asks.ask(ask, signal, outlet));
  }

  notify(text: string): void {
    this.#outlet?.send(text, true);
  }

  close(): void {
    this.#outlet = undefined;
  }
}

/** One legacy client between `initialize` and its end, whatever the transport: its requests, our asks, its log level and subscriptions. */
export class Conversation implements SessionState {
  readonly client: ClientFacts;
  readonly flights: Flights;
  readonly hearing: Hearing;
  logLevel: LogLevel | undefined;
  readonly #options: ConversationOptions;
  readonly #asks: Asks;
  readonly #peer: SessionPeer | undefined;
  #principal: Principal;

  constructor(options: ConversationOptions) {
    const { client, endpoint, services } = options;
    this.#options = options;
    this.client = client;
    this.flights = options.flights;
    this.#principal = options.principal;
    this.#asks = new Asks(options.asks);
    const askable = ASKABLE.some((capability) => isObject(client.capabilities[capability]));
    this.#peer = askable ? new SessionPeer(() => this.#asker()) : undefined;
    this.hearing = new Hearing({ hub: services.hub, endpoint, client, session: this.#peer, principal: () => this.#principal });
  }

  get peer(): CallerSession | undefined {
    return this.#peer;
  }

  subscribe(uri: string): boolean {
    return this.hearing.subscribe(uri);
  }

  unsubscribe(uri: string): void {
    this.hearing.unsubscribe(uri);
  }

  /**
   * The answer to one request. What belongs to it leaves through `outlet`; without one the client hears only the answer. Undefined if it was
   * canceled. Never rejects.
   */
  async request(request: RequestMessage, principal: Principal, bytesIn: number, outlet: Outlet | undefined): Promise<Answer | undefined> {
    const { face, services, endpoint } = this.#options;
    this.#principal = principal;
    if (request.method === 'initialize') return refused(request, rpcError(RPC.invalidRequest, 'This session is initialized already.'));
    if (methodsOf(endpoint, 'legacy')?.has(request.method) === false) return refused(request, methodNotFound(request.method));
    const opened = this.flights.open(request.id);
    if (isRefused(opened)) return refused(request, opened);
    const { signal } = opened;
    const port = new LegacyPort(outlet, this.#peer === undefined ? undefined : this.#asks);
    const { client } = this;
    try {
      const answer = await answerRequest(
        { face, endpoint, principal, client, request, headers: undefined, bytesIn, signal, port, session: this },
        services,
      );
      // A client that was told that it is subscribed must not miss the next change.
      if (request.method === 'resources/subscribe') await this.hearing.settled();
      if (signal.aborted) return undefined;
      return this.#promisedInVain(request) ? refused(request, rpcError(RPC.invalidParams, NOT_TOLD)) : answer;
    } finally {
      port.close();
      this.flights.close(request.id);
    }
  }

  /** True for a subscription that the server behind has refused in the meantime. */
  #promisedInVain({ method, params }: RequestMessage): boolean {
    return method === 'resources/subscribe' && this.hearing.refused(String(params?.value.uri));
  }

  notice(message: NotificationMessage): void {
    if (message.method === 'notifications/cancelled') this.flights.cancel(message.params);
    else if (message.method === 'notifications/roots/list_changed') this.#peer?.rootsChanged();
  }

  response(message: ResponseMessage): void {
    this.#asks.answer(message);
  }

  /** The client can answer no more, but may still read. */
  endAsks(reason?: string): void {
    this.#asks.end(reason);
  }

  /** Ends everything; calls in flight are aborted. */
  end(): void {
    this.hearing.through(undefined);
    this.flights.abortAll();
    this.#asks.end();
    this.#peer?.end();
  }

  /** How the client is asked apart from its requests. */
  #asker(): AskClient | undefined {
    const { outlet } = this.hearing;
    return outlet && ((ask, signal) => this.#asks.ask(ask, signal, outlet));
  }
}

export const refused = ({ idText }: RequestMessage, error: Parameters<typeof errorText>[1]): Answer => ({
  text: errorText(idText, error),
  status: 200,
});
