import {
  isLegacyRevision,
  notificationText,
  requestText,
  serverFacts,
  type LegacyRevision,
  type RequestMessage,
  type ServerFacts,
} from '../../protocol/index.ts';
import { ConnectError, type Connection, type Exchange, type Reply } from '../connection.ts';
import type { Emit } from '../events.ts';
import type { Failures } from '../failures.ts';
import { ownExchange, refusal } from '../own-requests.ts';
import { answerTo } from '../server-requests.ts';
import type { HttpChannel } from './channel.ts';
import type { HttpReply } from './exchange.ts';
import { connectProblem, networkReason, replyOf, statusReason } from './reply.ts';

/** Notifications, answers and the closing DELETE are worth this long. */
const ASIDE_MS = 5_000;

export interface LegacyHttpOptions {
  readonly channel: HttpChannel;
  readonly failures: Failures;
  readonly emit: Emit;
  /** Params of `initialize`. */
  readonly params: Readonly<Record<string, unknown>>;
  readonly timeoutMs: number;
}

interface Session {
  readonly id: string | undefined;
  readonly revision: LegacyRevision;
  readonly facts: ServerFacts;
  readonly headers: readonly string[];
}

/** Streamable HTTP of the legacy era: a session that is made anew when the server has forgotten it (S25 transports). */
export class LegacyHttpConnection implements Connection {
  readonly era = 'legacy';
  readonly via = 'http-legacy';
  readonly eras = ['legacy'] as const;
  readonly lost: Promise<string>;
  readonly #options: LegacyHttpOptions;
  readonly #refused = new Set<string>();
  #session: Session;
  #renewal: Promise<boolean> | undefined;
  #lastId = 1;
  #lose: (reason: string) => void = () => undefined;
  #toolsChanged: () => void = () => undefined;

  private constructor(options: LegacyHttpOptions, session: Session) {
    this.#options = options;
    this.#session = session;
    this.lost = new Promise((resolve) => {
      this.#lose = resolve;
    });
    options.channel.serverRequest = (message) => this.#answer(message);
    options.channel.serverNotification = (method) => {
      if (method === 'notifications/tools/list_changed') this.#toolsChanged();
    };
  }

  /** Makes a session. Throws a ConnectError. */
  static async open(options: LegacyHttpOptions, signal: AbortSignal): Promise<LegacyHttpConnection> {
    return new LegacyHttpConnection(options, await openSession(options, signal));
  }

  get revision(): LegacyRevision {
    return this.#session.revision;
  }

  get facts(): ServerFacts {
    return this.#session.facts;
  }

  get inFlight(): number {
    return this.#options.channel.inFlight;
  }

  async exchange(exchange: Exchange): Promise<Reply> {
    const begun = performance.now();
    const session = this.#session;
    let reply = await this.#post(exchange);
    // A session that we hold and the server does not know: it refused the request before doing anything (PROTOCOL A8).
    if (reply.status === 404 && session.id !== undefined && (await this.#renew(session))) reply = await this.#post(exchange);
    else if (isForgotten(reply, session)) void this.#renew(session);
    if (reply.response !== undefined && reply.status === 200) return reply.response;
    const { broken } = reply;
    if (!reply.started && broken?.why === 'error') this.#lose(networkReason(broken.error));
    return replyOf(reply, this.#options.failures, exchange.expiresAt - begun);
  }

  onToolsChanged(listener: () => void): void {
    this.#toolsChanged = listener;
  }

  async close(): Promise<void> {
    this.#lose('closed');
    const { id, headers } = this.#session;
    if (id !== undefined) await this.#options.channel.delete(headers, performance.now() + 1_000);
    await this.#options.channel.close();
  }

  async #post(exchange: Exchange): Promise<HttpReply> {
    const id = ++this.#lastId;
    const { headers } = this.#session;
    const body = requestText(id, exchange.method, exchange.params);
    const reply = await this.#options.channel.post(body, headers, id, exchange.expiresAt, exchange);
    // Closing the stream is no cancellation in this era, so it is said in words.
    if (reply.started && (reply.broken?.why === 'canceled' || reply.broken?.why === 'deadline'))
      this.#send(notificationText('notifications/cancelled', `{"requestId":${id},"reason":"${reply.broken.why}"}`));
    return reply;
  }

  #send(body: string): void {
    void this.#options.channel.post(body, this.#session.headers, undefined, performance.now() + ASIDE_MS);
  }

  #answer(message: RequestMessage): void {
    const { text, expected } = answerTo(message);
    this.#send(text);
    if (expected || this.#refused.has(message.method) || this.#refused.size >= 20) return;
    this.#refused.add(message.method);
    this.#options.emit({ kind: 'server_request', method: message.method.slice(0, 100), answer: 'refused' });
  }

  /** A new session instead of `dead`, one at a time for all calls that found it dead. */
  #renew(dead: Session): Promise<boolean> {
    if (this.#session !== dead) return Promise.resolve(true);
    this.#renewal ??= this.#reopen().finally(() => {
      this.#renewal = undefined;
    });
    return this.#renewal;
  }

  async #reopen(): Promise<boolean> {
    this.#options.emit({ kind: 'session_lost' });
    try {
      this.#session = await openSession(this.#options, AbortSignal.timeout(this.#options.timeoutMs));
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

async function openSession(options: LegacyHttpOptions, signal: AbortSignal): Promise<Session> {
  const { channel, params, timeoutMs } = options;
  const exchange = ownExchange({ method: 'initialize', params, timeoutMs, signal });
  const reply = await channel.post(requestText(1, 'initialize', exchange.params), [], 1, exchange.expiresAt, exchange);
  const problem = connectProblem(reply, 'initialize');
  if (problem !== undefined) throw problem;
  const { response } = reply;
  if (response === undefined)
    throw new ConnectError(`it ${reply.status === 200 ? 'is not an MCP server: it gave no JSON-RPC answer' : statusReason(reply)}`);
  if (response.result === undefined) throw new ConnectError(refusal(response.error), response.error);
  const { protocolVersion } = response.result.value;
  if (!isLegacyRevision(protocolVersion))
    throw new ConnectError(`it answered initialize with the revision ${String(protocolVersion).slice(0, 40)}, which we do not speak`);
  const id = single(reply.headers['mcp-session-id']);
  const headers = ['mcp-protocol-version', protocolVersion, ...(id === undefined ? [] : ['mcp-session-id', id])];
  const session: Session = { id, revision: protocolVersion, facts: serverFacts(response.result.value), headers };
  await channel.post(notificationText('notifications/initialized'), headers, undefined, performance.now() + ASIDE_MS);
  return session;
}

const single = (value: string | string[] | undefined): string | undefined => (typeof value === 'string' ? value : value?.[0]);
