import { Pool } from 'undici';
import type { RequestMessage } from '../../protocol/index.ts';
import type { Exchange } from '../connection.ts';
import { Deadlines } from '../deadlines.ts';
import type { HttpConfig } from '../types.ts';
import { HttpExchange, type ExchangeOwner, type HttpReply } from './exchange.ts';

/** Header names that are ours: a configured header of such a name is not sent. */
const OURS =
  /^(content-(type|length|encoding)|accept|accept-encoding|transfer-encoding|connection|keep-alive|upgrade|expect|te|trailer|mcp-.*)$/;
/** A server's socket that was idle this long is not used again: it may be closing already. */
const KEEP_ALIVE_MS = 4_000;

const NEVER_SENT: HttpReply = { status: 0, headers: {}, response: undefined, broken: { why: 'canceled' }, started: false };

export interface ChannelOptions {
  readonly config: HttpConfig;
  readonly maxBytes: number;
  readonly connectMs: number;
}

/** POSTs to one upstream's endpoint over its own pool of connections. Redirects are not followed. */
export class HttpChannel implements ExchangeOwner {
  readonly deadlines = new Deadlines();
  readonly maxBytes: number;
  readonly #pool: Pool;
  readonly #path: string;
  readonly #headers: readonly string[];
  /** Set by the legacy connection; the modern era has no server requests. */
  serverRequest: ((message: RequestMessage) => void) | undefined;
  serverNotification: ((method: string) => void) | undefined;

  constructor({ config, maxBytes, connectMs }: ChannelOptions) {
    const url = new URL(config.url);
    this.maxBytes = maxBytes;
    this.#path = url.pathname + url.search;
    this.#headers = fixedHeaders(config.headers);
    this.#pool = new Pool(url.origin, {
      connections: config.maxInFlight,
      pipelining: 1,
      allowH2: false,
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectTimeout: connectMs,
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

  /** DELETE, which ends a legacy session. Never rejects. */
  delete(headers: readonly string[], expiresAt: number): Promise<HttpReply> {
    return new Promise((resolve) => {
      const handler = new HttpExchange(this, undefined, expiresAt, undefined, resolve);
      this.#pool.dispatch({ path: this.#path, method: 'DELETE', headers: [...this.#headers, ...headers] }, handler);
    });
  }

  onServerRequest(message: RequestMessage): void {
    this.serverRequest?.(message);
  }

  onServerNotification(method: string): void {
    this.serverNotification?.(method);
  }

  /** Ends all exchanges that are under way, at once. */
  async close(): Promise<void> {
    await this.#pool.destroy(new Error('the connection was closed by the gateway'));
  }
}

function fixedHeaders(configured: Readonly<Record<string, string>>): string[] {
  const own = Object.entries(configured).filter(([name]) => !OURS.test(name.toLowerCase()));
  return [
    ...own.flatMap(([name, value]) => [name.toLowerCase(), value]),
    'content-type',
    'application/json',
    'accept',
    'application/json, text/event-stream',
    'accept-encoding',
    'identity',
  ];
}
