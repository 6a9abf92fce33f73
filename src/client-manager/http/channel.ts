import type { Implementation, NotificationMessage, RequestMessage, SseEvent } from '../../protocol/index.ts';
import type { Exchange } from '../connection.ts';
import { Deadlines } from '../deadlines.ts';
import { EventStream } from './event-stream.ts';
import { HttpExchange, type ExchangeOwner, type FlowRules, type HttpReply } from './exchange.ts';
import { configuredHeaders } from './headers.ts';
import type { HttpConnectOptions } from './options.ts';
import type { WireRequest } from './wire/connection.ts';
import { WirePool } from './wire/pool.ts';

/** A server's socket that was idle this long is not used again: it may be closing already. */
const KEEP_ALIVE_MS = 4_000;
/** Connections besides those of calls: streams that stay open, answers and notifications, which calls may be waiting for. */
const SPARE_CONNECTIONS = 32;

const NEVER_SENT: HttpReply = {
  status: 0,
  headers: {},
  response: undefined,
  flow: undefined,
  broken: { why: 'canceled' },
  started: false,
  lastEventId: undefined,
  retryMs: undefined,
};

export type ChannelOptions = Pick<HttpConnectOptions, 'config' | 'limits' | 'failures' | 'egress'>;

/** What a connection does with messages on the streams of its exchanges that answer nothing. */
export interface ExchangePeer {
  onRequest(message: RequestMessage, exchange: Exchange | undefined): void;
  onNotification(message: NotificationMessage, exchange: Exchange | undefined): void;
}

/** A request and its answer-to-be. */
export interface Started {
  readonly http: HttpExchange;
  readonly reply: Promise<HttpReply>;
}

/** Requests to one upstream's endpoint over its own pool of connections. Redirects are not followed. */
export class HttpChannel implements ExchangeOwner {
  readonly deadlines = new Deadlines();
  readonly maxBytes: number;
  readonly noiseBytes: number;
  readonly flows: FlowRules;
  /** Set by the connection. */
  peer: ExchangePeer | undefined;
  readonly #pool: WirePool;
  readonly #path: string;
  readonly #own: readonly string[];
  readonly #headers: readonly string[];

  constructor({ config, limits, failures, egress }: ChannelOptions) {
    const url = new URL(config.url);
    this.maxBytes = limits.frameBytes;
    this.noiseBytes = limits.noiseBytes;
    const serverInfo: Implementation = { name: config.name, version: '' };
    this.flows = { maxBytes: limits.streamBytes, idleMs: limits.streamIdleMs, failures, serverInfo };
    this.#path = url.pathname + url.search;
    this.#own = [...configuredHeaders(config.headers).flat(), 'accept-encoding', 'identity'];
    this.#headers = [...this.#own, 'content-type', 'application/json', 'accept', 'application/json, text/event-stream'];
    this.#pool = new WirePool(url.origin, {
      connections: config.maxInFlight + SPARE_CONNECTIONS,
      connectMs: limits.connectMs,
      keepAliveMs: KEEP_ALIVE_MS,
      lookup: egress?.lookup('configured'),
    });
  }

  /** Requests under way. */
  get inFlight(): number {
    return this.deadlines.size;
  }

  /** Sends one message. `id` is undefined for notifications and responses. Never rejects. */
  post(body: string, headers: readonly string[], id: number | undefined, expiresAt: number, exchange?: Exchange): Promise<HttpReply> {
    if (exchange?.signal?.aborted === true) return Promise.resolve(NEVER_SENT);
    return new Promise((resolve) => {
      const handler = new HttpExchange(this, id, expiresAt, exchange, resolve);
      this.#pool.dispatch({ path: this.#path, method: 'POST', headers: [...this.#headers, ...headers], body }, handler);
    });
  }

  /** The same, with a handle on it. */
  start(body: string, headers: readonly string[], id: number, exchange: Exchange): Started {
    return this.#start(id, exchange, { path: this.#path, method: 'POST', headers: [...this.#headers, ...headers], body });
  }

  /** Goes on with the stream of a request where it broke off (S25 transports, "Resumability and Redelivery"). */
  resume(lastEventId: string, headers: readonly string[], id: number, exchange: Exchange): Started {
    return this.#start(id, exchange, this.#get([...headers, 'last-event-id', lastEventId]));
  }

  /** A stream of events that belongs to no request. */
  events(headers: readonly string[], onEvent: (event: SseEvent, bytes: number) => void): EventStream {
    const stream = new EventStream({ maxBytes: this.maxBytes, noiseBytes: this.noiseBytes, onEvent });
    this.#pool.dispatch(this.#get(headers), stream);
    return stream;
  }

  /** A message to another path of the server, of which only the status counts. Never rejects. */
  say(path: string, body: string, expiresAt: number): Promise<HttpReply> {
    return new Promise((resolve) => {
      const handler = new HttpExchange(this, undefined, expiresAt, undefined, resolve);
      this.#pool.dispatch({ path, method: 'POST', headers: [...this.#headers], body }, handler);
    });
  }

  /** DELETE, which ends a legacy session. Never rejects. */
  delete(headers: readonly string[], expiresAt: number): Promise<HttpReply> {
    return new Promise((resolve) => {
      const handler = new HttpExchange(this, undefined, expiresAt, undefined, resolve);
      this.#pool.dispatch({ path: this.#path, method: 'DELETE', headers: [...this.#own, ...headers] }, handler);
    });
  }

  onRequest(message: RequestMessage, exchange: Exchange | undefined): void {
    this.peer?.onRequest(message, exchange);
  }

  onNotification(message: NotificationMessage, exchange: Exchange | undefined): void {
    this.peer?.onNotification(message, exchange);
  }

  /** Ends all requests that are under way, at once. */
  async close(): Promise<void> {
    await this.#pool.destroy(new Error('the connection was closed by the gateway'));
  }

  #get(headers: readonly string[]): WireRequest {
    return { path: this.#path, method: 'GET', headers: [...this.#own, 'accept', 'text/event-stream', ...headers] };
  }

  #start(id: number, exchange: Exchange, request: WireRequest): Started {
    const { promise, resolve } = Promise.withResolvers<HttpReply>();
    const http = new HttpExchange(this, id, exchange.expiresAt, exchange, resolve);
    if (exchange.signal?.aborted === true) http.handleEvent();
    else this.#pool.dispatch(request, http);
    return { http, reply: promise };
  }
}
