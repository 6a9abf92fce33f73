import {
  arrayItems,
  decodeMessage,
  isModernCode,
  notificationText,
  requestText,
  type JsonObject,
  type LegacyRevision,
  type NotificationMessage,
  type RequestMessage,
  type ServerFacts,
} from '../../protocol/index.ts';
import { ConnectError, type Connection, type ConnectionListener, type Exchange, type Reply } from '../connection.ts';
import type { AskEra } from '../eras.ts';
import type { Emit } from '../events.ts';
import type { Failures } from '../failures.ts';
import type { Limits } from '../limits.ts';
import { ServerRequests } from '../server-requests.ts';
import type { Root } from '../types.ts';
import { settledWithin } from '../waiting.ts';
import { longerThan, MAX_BATCH, opensArray } from './batch.ts';
import type { ExchangePeer, HttpChannel } from './channel.ts';
import type { HttpReply } from './exchange.ts';
import { LegacyCall } from './legacy-call.ts';
import { hasTurned, looksForeign } from './refusal.ts';
import { isUnsendable, networkReason, replyOf } from './reply.ts';
import { ServerStream } from './server-stream.ts';
import { openSession, type Session } from './session.ts';

/** Notifications and answers are worth this long. */
const ASIDE_MS = 5_000;
/** Notifications and answers under way at once; what is beyond is dropped. */
const MAX_ASIDES = 256;
/** How long a connection that may be asked waits for the stream on which it is asked. */
const STREAM_MS = 500;

/** What concerns the whole connection, on whichever stream it comes. */
const GLOBAL: ReadonlySet<string> = new Set([
  'notifications/tools/list_changed',
  'notifications/prompts/list_changed',
  'notifications/resources/list_changed',
  'notifications/resources/updated',
]);

export interface LegacyHttpOptions {
  readonly channel: HttpChannel;
  readonly failures: Failures;
  readonly limits: Limits;
  readonly emit: Emit;
  readonly roots: readonly Root[];
  /** Params of `initialize`. */
  readonly params: JsonObject;
  /** True if `initialize` declares that this client may be asked: then a lost session is not made anew, as nobody could tell whose it is. */
  readonly asked: boolean;
  readonly onRefused?: AskEra | undefined;
}

/** Streamable HTTP of the legacy era: a session that is made anew when the server has forgotten it (S25 transports). */
export class LegacyHttpConnection implements Connection, ExchangePeer {
  readonly era = 'legacy';
  readonly via = 'http-legacy';
  readonly eras = ['legacy'] as const;
  readonly lost: Promise<string>;
  readonly #options: LegacyHttpOptions;
  readonly #requests: ServerRequests;
  readonly #calls = new Map<number, LegacyCall>();
  readonly #tokens = new Map<number, Exchange>();
  #session: Session;
  #stream: ServerStream | undefined;
  #renewal: Promise<boolean> | undefined;
  #lastId = 1;
  #asides = 0;
  #closed = false;
  #lose: (reason: string) => void = () => undefined;

  private constructor(options: LegacyHttpOptions, session: Session) {
    this.#options = options;
    this.#session = session;
    this.#requests = new ServerRequests({ ...options, say: (text) => this.#say(text) });
    this.lost = new Promise((resolve) => {
      this.#lose = resolve;
    });
    options.channel.peer = this;
  }

  /** Makes a session. Throws a ConnectError. */
  static async open(options: LegacyHttpOptions, signal: AbortSignal): Promise<LegacyHttpConnection> {
    const session = await openSession({ ...options, timeoutMs: options.limits.connectMs }, signal);
    const connection = new LegacyHttpConnection(options, session);
    if (options.asked) await settledWithin(connection.#opened().settled, STREAM_MS, signal);
    return connection;
  }

  get revision(): LegacyRevision {
    return this.#session.revision;
  }

  get facts(): ServerFacts {
    return this.#session.facts;
  }

  get stateful(): boolean {
    return this.#session.id !== undefined;
  }

  get inFlight(): number {
    return this.#calls.size;
  }

  async exchange(exchange: Exchange): Promise<Reply> {
    const { failures } = this.#options;
    if (this.#closed) return failures.unavailable('the connection was closed by the gateway');
    const begun = performance.now();
    const session = this.#session;
    let reply = await this.#call(exchange);
    // A session that we hold and the server does not know: it refused the request before doing anything (PROTOCOL A8).
    if (reply.status === 404 && session.id !== undefined) {
      if (!(await this.#renew(session))) return failures.unavailable('its session is over');
      reply = await this.#call(exchange);
    } else if (isForgotten(reply, session)) void this.#renew(session);
    if (reply.response !== undefined && reply.status === 200) return reply.response;
    if (hasTurnedModern(reply)) {
      this.#lose('it does not speak a legacy revision any more');
      return failures.turned(reply.response?.error);
    }
    if (looksForeign(reply, 'legacy') && (await hasTurned('legacy', exchange, this.#options)))
      return failures.turned(reply.response?.error);
    const { broken } = reply;
    if (!reply.started && broken?.why === 'error' && !isUnsendable(broken.error)) this.#lose(networkReason(broken.error));
    return replyOf(reply, failures, exchange.expiresAt - begun);
  }

  notify(method: string, params?: string): void {
    this.#say(notificationText(method, params));
  }

  listen(listener: ConnectionListener): void {
    this.#requests.listener = listener;
  }

  openStream(): void {
    if (!this.#closed) this.#opened();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#lose('closed');
    this.#requests.end('the connection was closed by the gateway');
    this.#stream?.stop();
    for (const call of this.#calls.values()) call.cut(new Error('the connection was closed by the gateway'));
    const { id, headers } = this.#session;
    if (id !== undefined) await this.#options.channel.delete(headers, performance.now() + 1_000);
    await this.#options.channel.close();
  }

  onRequest(message: RequestMessage, exchange: Exchange | undefined): void {
    this.#requests.take(message, exchange);
  }

  /** Progress goes where its token belongs; what belongs to a call that is over is dropped. */
  onNotification({ method, params }: NotificationMessage, exchange: Exchange | undefined): void {
    if (method === 'notifications/cancelled') return this.#requests.cancel(params);
    if (method === 'notifications/progress') {
      const token = params?.value.progressToken;
      const owner = typeof token === 'number' ? this.#tokens.get(token) : undefined;
      const untold = exchange?.progressToken === undefined ? exchange : undefined;
      return (owner ?? untold)?.onNotification?.(method, params);
    }
    if (exchange === undefined || GLOBAL.has(method)) this.#requests.listener?.onNotification(method, params);
    else exchange.onNotification?.(method, params);
  }

  async #call(exchange: Exchange): Promise<HttpReply> {
    const { channel, limits } = this.#options;
    const id = ++this.#lastId;
    const session = this.#session;
    const call = new LegacyCall({ channel, limits, id, exchange, headers: session.headers });
    const { progressToken } = exchange;
    this.#calls.set(id, call);
    if (progressToken !== undefined) this.#tokens.set(progressToken, exchange);
    const reply = await call.run(requestText(id, exchange.method, exchange.params));
    this.#calls.delete(id);
    if (progressToken !== undefined && this.#tokens.get(progressToken) === exchange) this.#tokens.delete(progressToken);
    // Closing the stream is no cancellation in this era, so it is said in words.
    if (reply.started && (reply.broken?.why === 'canceled' || reply.broken?.why === 'deadline'))
      this.notify('notifications/cancelled', `{"requestId":${id},"reason":"${reply.broken.why}"}`);
    if (call.sessionForgotten) void this.#renew(session);
    return reply;
  }

  #say(body: string): void {
    if (this.#closed || this.#asides >= MAX_ASIDES) return;
    this.#asides++;
    void this.#options.channel.post(body, this.#session.headers, undefined, performance.now() + ASIDE_MS).then(() => this.#asides--);
  }

  /** The stream that belongs to no request. */
  #opened(): ServerStream {
    const { channel, limits } = this.#options;
    const session = this.#session;
    this.#stream ??= new ServerStream({
      channel,
      limits,
      headers: session.headers,
      onMessage: (text) => this.#message(text),
      onForgotten: () => {
        if (session.id !== undefined) void this.#renew(session);
      },
    });
    return this.#stream;
  }

  /** A message on the stream that belongs to no request. */
  #message(text: string): void {
    if (opensArray(text)) {
      if (longerThan(text, MAX_BATCH) || decodeMessage(text).kind !== 'batch') return;
      for (const item of arrayItems(text)) if (!opensArray(item)) this.#message(item);
      return;
    }
    const message = decodeMessage(text);
    if (message.kind === 'request') this.onRequest(message, undefined);
    else if (message.kind === 'notification') this.onNotification(message, undefined);
    else if (message.kind === 'response' && typeof message.id === 'number') this.#calls.get(message.id)?.accept(message);
  }

  /** A new session instead of `dead`, one at a time for all calls that found it dead. False if there is none. */
  #renew(dead: Session): Promise<boolean> {
    if (this.#session !== dead) return Promise.resolve(true);
    if (this.#closed) return Promise.resolve(false);
    this.#renewal ??= this.#reopen().finally(() => {
      this.#renewal = undefined;
    });
    return this.#renewal;
  }

  async #reopen(): Promise<boolean> {
    const { limits, asked, emit } = this.#options;
    emit({ kind: 'session_lost' });
    if (asked) {
      this.#lose('its session is over');
      return false;
    }
    try {
      const timeoutMs = limits.connectMs;
      this.#session = await openSession({ ...this.#options, timeoutMs }, AbortSignal.timeout(timeoutMs));
      if (this.#stream !== undefined && !this.#closed) {
        this.#stream.stop();
        this.#stream = undefined;
        this.#opened();
      }
      this.#requests.listener?.onRenewed?.();
      return true;
    } catch (error) {
      this.#lose(error instanceof ConnectError ? error.reason : 'it made no new session');
      return false;
    }
  }
}

/** Some servers say 400 with -32000 where the specification wants a 404. Then the session is renewed, but the call is not repeated. */
function isForgotten(reply: HttpReply, session: Session): boolean {
  const error = reply.response?.error;
  return reply.status === 400 && session.id !== undefined && error?.code === -32000 && /session/i.test(error.message);
}

/** A modern server refuses a request without the modern headers before it does anything (S26 Streamable HTTP, "Server Validation"). */
function hasTurnedModern({ status, response }: HttpReply): boolean {
  return status === 400 && response?.error !== undefined && isModernCode(response.error.code);
}
