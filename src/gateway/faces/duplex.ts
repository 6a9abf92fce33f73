import {
  arrayItems,
  checkModern,
  decodeMessage,
  errorText,
  methodNotFound,
  orFailure,
  RPC,
  rpcError,
  wantsModern,
  type BatchMessage,
  type ClientFacts,
  type Message,
  type RequestMessage,
} from '../../protocol/index.ts';
import type { Authentication, Principal } from '../../security/index.ts';
import { answerRequest } from '../answer.ts';
import type { ClientPort } from '../client-port.ts';
import type { Endpoint } from '../endpoints.ts';
import type { Services } from '../frame.ts';
import { initializeClient, isRpcError } from '../legacy-messages.ts';
import { isKnownMethod, methodsOf } from '../methods.ts';
import type { AsksOptions, Outlet } from '../sessions/asks.ts';
import { Conversation } from '../sessions/conversation.ts';
import { Flights, isRefused, tooFast } from '../sessions/flights.ts';
import { Listens } from './duplex-listens.ts';

/** How messages reach the client: lines, WebSocket frames, or events. */
export interface Wire {
  /** One JSON-RPC message. What comes after the end is dropped. */
  write(text: string): void;
  /** True while the client leaves much unread. */
  readonly behind: boolean;
}

export interface DuplexOptions {
  /** How the call record calls the transport. */
  readonly face: string;
  readonly services: Services;
  readonly endpoint: Endpoint;
  /** Who the requests are from, asked for each. */
  readonly authenticate: () => Authentication;
  /** Counts one request: milliseconds that the client has to wait before it, 0 for none. */
  readonly admit?: (() => number) | undefined;
  /** Whether what carries a message has counted a request already: then one of a batch counts no more. */
  readonly counted?: boolean;
  readonly wire: Wire;
  /** Whether requests of the modern era are understood; HTTP+SSE never carried them. */
  readonly modern: boolean;
  readonly maxInFlight: number;
  readonly asks: AsksOptions;
}

const MAX_BATCH = 50;

/** What a request has beyond itself. */
interface Ends {
  readonly port?: ClientPort;
  readonly session?: Conversation | undefined;
}

/** The client's end of one modern request on a connection. What comes after the answer, or a cancellation, is dropped. */
class DuplexPort implements ClientPort {
  readonly ask = undefined;
  readonly streams = false;
  readonly #outlet: Outlet;
  readonly #signal: AbortSignal;
  #open = true;

  constructor(outlet: Outlet, signal: AbortSignal) {
    this.#outlet = outlet;
    this.#signal = signal;
  }

  notify(text: string): void {
    if (this.#open && !this.#signal.aborted) this.#outlet.send(text, true);
  }

  close(): void {
    this.#open = false;
  }
}

/** One client on a connection that carries messages both ways: stdio, WebSocket, HTTP+SSE. Both eras (S26 stdio, S25 transports). */
export class Duplex implements Outlet {
  readonly #options: DuplexOptions;
  readonly #flights: Flights;
  readonly #listens: Listens;
  /** Set by `initialize`: from then on requests without modern `_meta` are of this legacy session. */
  #session: Conversation | undefined;
  #lost = false;

  constructor(options: DuplexOptions) {
    this.#options = options;
    this.#flights = new Flights(options.maxInFlight);
    this.#listens = new Listens(this.#flights, options.wire);
  }

  send(text: string, droppable: boolean): boolean {
    if (this.#lost) return false;
    if (!droppable || !this.#options.wire.behind) this.#options.wire.write(text);
    return true;
  }

  /** What the client sent. Answers come through the wire. */
  take(given: Message): void {
    const message = orFailure(given);
    switch (message.kind) {
      case 'request':
        return void this.#answer(message, this.#options.counted === true).then((text) => this.#write(text));
      case 'batch':
        return void this.#batch(message);
      case 'invalid':
        return this.#write(errorText(message.idText, message.error));
      default:
        return this.#note(message);
    }
  }

  /** True if the credential still holds; subscriptions of one that does not end here. */
  recheck(): boolean {
    if (this.#options.authenticate().ok) return true;
    this.#listens.endAll();
    this.#session?.hearing.through(undefined);
    return false;
  }

  /** The client sends no more, or shall not: subscriptions end, and calls in flight are answered within `ms`. */
  async drain(ms: number): Promise<void> {
    this.#listens.endAll();
    this.#session?.hearing.through(undefined);
    this.#session?.endAsks();
    await this.#flights.idle(ms);
  }

  /** The connection is gone, or ends now: so do its calls (PROTOCOL A4). */
  lose(): void {
    if (this.#lost) return;
    this.#lost = true;
    this.#flights.abortAll();
    this.#session?.end();
  }

  #note(message: Exclude<Message, { kind: 'request' | 'batch' | 'invalid' }>): void {
    if (message.kind === 'response') return this.#session?.response(message);
    if (message.method === 'notifications/cancelled') this.#flights.cancel(message.params);
    else if (message.method === 'notifications/initialized') this.#session?.hearing.through(this);
    else this.#session?.notice(message);
  }

  /** Never rejects: what goes wrong outside the pipeline ends this request only. */
  async #answer(request: RequestMessage, counted: boolean): Promise<string> {
    try {
      return await this.#request(request, counted);
    } catch {
      return errorText(request.idText, rpcError(RPC.internalError, 'Internal error.'));
    }
  }

  async #request(request: RequestMessage, counted: boolean): Promise<string> {
    const { authenticate, admit, modern } = this.#options;
    const who = authenticate();
    if (!who.ok) return errorText(request.idText, rpcError(RPC.unauthenticated, who.message, { code: who.code }));
    const waitMs = counted ? 0 : (admit?.() ?? 0);
    if (waitMs > 0) return errorText(request.idText, tooFast(waitMs));
    if (modern && wantsModern(request, undefined)) return this.#modern(request, who.principal);
    if (request.method === 'initialize') return this.#initialize(request, who.principal);
    if (this.#session === undefined) return this.#beforeSession(request, who.principal);
    const answer = await this.#session.request(request, who.principal, bytesOf(request), this);
    // A canceled request gets no answer (S26 cancellation, S25 cancellation).
    return answer?.text ?? '';
  }

  async #modern(request: RequestMessage, principal: Principal): Promise<string> {
    const { endpoint, services } = this.#options;
    const check = checkModern(request, methodsOf(endpoint, 'modern'), undefined);
    if (!check.ok) return errorText(request.idText, check.error);
    const opened = this.#flights.open(request.id);
    if (isRefused(opened)) return errorText(request.idText, opened);
    const { signal } = opened;
    if (request.method === 'subscriptions/listen')
      return this.#listens.open(this.#incoming(request, check.client, principal, signal), services);
    const port = new DuplexPort(this, signal);
    try {
      const answer = await answerRequest(this.#incoming(request, check.client, principal, signal, { port }), services);
      return signal.aborted ? '' : answer.text;
    } finally {
      port.close();
      this.#flights.close(request.id);
    }
  }

  async #initialize(request: RequestMessage, principal: Principal): Promise<string> {
    const { face, services, endpoint, asks } = this.#options;
    if (this.#session !== undefined)
      return errorText(request.idText, rpcError(RPC.invalidRequest, 'This connection is initialized already.'));
    const client = initializeClient(request);
    if (isRpcError(client)) return errorText(request.idText, client);
    const session = new Conversation({ face, services, endpoint, client, principal, flights: this.#flights, asks });
    this.#session = session;
    return this.#single(request, client, principal, session);
  }

  /** Before `initialize` there is nothing but `ping`. Unknown methods are said to be: that is how clients find out the era. */
  async #beforeSession(request: RequestMessage, principal: Principal): Promise<string> {
    if (request.method === 'ping')
      return this.#single(request, { revision: '2025-11-25', capabilities: {}, info: undefined }, principal, undefined);
    if (!isKnownMethod(request.method, 'legacy')) return errorText(request.idText, methodNotFound(request.method));
    const how = this.#options.modern ? 'Send initialize first, or the _meta of a modern request.' : 'Send initialize first.';
    return errorText(request.idText, rpcError(RPC.invalidRequest, how));
  }

  async #single(request: RequestMessage, client: ClientFacts, principal: Principal, session: Conversation | undefined): Promise<string> {
    const opened = this.#flights.open(request.id);
    if (isRefused(opened)) return errorText(request.idText, opened);
    try {
      const incoming = this.#incoming(request, client, principal, opened.signal, { session });
      return (await answerRequest(incoming, this.#options.services)).text;
    } finally {
      this.#flights.close(request.id);
    }
  }

  #incoming(request: RequestMessage, client: ClientFacts, principal: Principal, signal: AbortSignal, ends: Ends = {}) {
    const { face, endpoint } = this.#options;
    const { port, session } = ends;
    return { face, endpoint, principal, client, request, headers: undefined, bytesIn: bytesOf(request), signal, port, session };
  }

  async #batch(batch: BatchMessage): Promise<void> {
    if (this.#session?.client.revision !== '2025-03-26' || batch.size === 0 || batch.size > MAX_BATCH) {
      return this.#write(
        errorText('null', rpcError(RPC.invalidRequest, `A batch of 1 to ${MAX_BATCH} messages exists only in revision 2025-03-26.`)),
      );
    }
    let counted = this.#options.counted === true;
    const texts = arrayItems(batch.text).map((text) => {
      const message = orFailure(decodeMessage(text));
      const free = counted;
      if (message.kind === 'request') counted = false;
      return this.#member(message, free);
    });
    const answers = (await Promise.all(texts)).filter((text) => text !== '');
    if (answers.length > 0) this.#write(`[${answers.join(',')}]`);
  }

  async #member(message: Message, counted: boolean): Promise<string> {
    if (message.kind === 'request' && message.method !== 'initialize') return this.#answer(message, counted);
    if (message.kind === 'notification' || message.kind === 'response') {
      this.#note(message);
      return '';
    }
    const idText = message.kind === 'batch' ? 'null' : message.idText;
    return errorText(
      idText,
      message.kind === 'invalid' ? message.error : rpcError(RPC.invalidRequest, 'This message cannot be in a batch.'),
    );
  }

  #write(text: string): void {
    if (text !== '' && !this.#lost) this.#options.wire.write(text);
  }
}

const bytesOf = (request: RequestMessage): number => request.params?.text.length ?? 0;
