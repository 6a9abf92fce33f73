import {
  isModernCode,
  RPC,
  type Era,
  type Implementation,
  type ModernRevision,
  type NotificationMessage,
  type RequestMessage,
  type ServerFacts,
} from '../../protocol/index.ts';
import type { Connection, Exchange, Reply } from '../connection.ts';
import type { Emit } from '../events.ts';
import type { Failures } from '../failures.ts';
import type { Limits } from '../limits.ts';
import { ServerRequests } from '../server-requests.ts';
import type { ExchangePeer, HttpChannel } from './channel.ts';
import { discover, postModern, type Discovery } from './discover.ts';
import type { HttpReply } from './exchange.ts';
import { isUnsendable, networkReason, replyOf } from './reply.ts';

export interface ModernHttpOptions {
  readonly channel: HttpChannel;
  readonly failures: Failures;
  readonly limits: Limits;
  readonly gateway: Implementation;
  readonly emit: Emit;
  readonly discovery: Discovery;
}

/** Errors that a server of this era gives to requests that are not right. */
const ORDINARY: ReadonlySet<number> = new Set([RPC.methodNotFound, RPC.invalidParams, RPC.invalidRequest]);

/** True for an answer that looks as if a server of another era had given it. */
function looksForeign({ status, response }: HttpReply): boolean {
  if (status !== 400 && status !== 404 && status !== 405) return false;
  const code = response?.error?.code;
  return code === undefined || !(isModernCode(code) || ORDINARY.has(code));
}

/** Streamable HTTP of the modern era: stateless, so it is lost only when the server cannot be reached or has become a legacy one. */
export class ModernHttpConnection implements Connection, ExchangePeer {
  readonly era = 'modern';
  readonly via = 'http-modern';
  readonly stateful = true;
  readonly revision: ModernRevision;
  readonly eras: readonly Era[];
  readonly facts: ServerFacts;
  readonly lost: Promise<string>;
  readonly #channel: HttpChannel;
  readonly #options: ModernHttpOptions;
  readonly #requests: ServerRequests;
  readonly #over = new AbortController();
  #doubtedAt = -Infinity;
  #lose: (reason: string) => void = () => undefined;

  constructor(options: ModernHttpOptions) {
    const { channel, discovery, emit } = options;
    this.revision = discovery.revision;
    this.eras = discovery.eras;
    this.facts = discovery.facts;
    this.#channel = channel;
    this.#options = options;
    this.#requests = new ServerRequests({ say: () => undefined, emit, roots: [] });
    this.lost = new Promise((resolve) => {
      this.#lose = resolve;
    });
    channel.peer = this;
    if (this.facts.info !== undefined) channel.flows.serverInfo = this.facts.info;
  }

  get inFlight(): number {
    return this.#channel.inFlight;
  }

  async exchange(exchange: Exchange): Promise<Reply> {
    const begun = performance.now();
    const reply = await postModern(this.#channel, exchange, this.revision);
    if (reply.response !== undefined && reply.status === 200) return reply.response;
    if (reply.flow !== undefined) return { kind: 'response', id: null, result: undefined, error: undefined, stream: reply.flow };
    if (!reply.started && reply.broken?.why === 'error' && !isUnsendable(reply.broken.error)) this.#lose(networkReason(reply.broken.error));
    else if (looksForeign(reply)) void this.#doubt();
    return replyOf(reply, this.#options.failures, exchange.expiresAt - begun);
  }

  notify(): void {
    // This revision has no notifications of clients over HTTP.
  }

  listen(): void {
    // Everything that a modern server sends belongs to a request.
  }

  onRequest(message: RequestMessage): void {
    this.#requests.ignore(message);
  }

  /** Progress of another request is none of this one (S26 progress). */
  onNotification({ method, params }: NotificationMessage, exchange: Exchange | undefined): void {
    const token = exchange?.progressToken;
    if (token !== undefined && method === 'notifications/progress' && params?.value.progressToken !== token) return;
    exchange?.onNotification?.(method, params);
  }

  async close(): Promise<void> {
    this.#lose('closed');
    this.#over.abort(new Error('the connection is over'));
    await this.#channel.close();
  }

  /** Asks the server whether it has become a legacy one, but not for each strange answer. */
  async #doubt(): Promise<void> {
    const { gateway, limits } = this.#options;
    const now = performance.now();
    if (now - this.#doubtedAt < limits.renewMs) return;
    this.#doubtedAt = now;
    try {
      const { signal } = this.#over;
      const discovery = await discover(this.#channel, { gateway, timeoutMs: limits.connectMs, signal });
      if (discovery === undefined) this.#lose('it does not speak a modern revision any more');
    } catch {
      // No verdict: whatever is wrong shows with the next call.
    }
  }
}
