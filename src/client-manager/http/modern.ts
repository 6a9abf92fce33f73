import type { Era, ModernRevision, NotificationMessage, RequestMessage, ServerFacts } from '../../protocol/index.ts';
import type { Connection, Exchange, Reply } from '../connection.ts';
import type { AskEra } from '../eras.ts';
import type { Emit } from '../events.ts';
import type { Failures } from '../failures.ts';
import type { Limits } from '../limits.ts';
import { ServerRequests } from '../server-requests.ts';
import type { ExchangePeer, HttpChannel } from './channel.ts';
import { postModern, type Discovery } from './discover.ts';
import { hasTurned, looksForeign } from './refusal.ts';
import { isUnsendable, networkReason, replyOf } from './reply.ts';

export interface ModernHttpOptions {
  readonly channel: HttpChannel;
  readonly failures: Failures;
  readonly limits: Limits;
  readonly emit: Emit;
  readonly discovery: Discovery;
  readonly onRefused?: AskEra | undefined;
}

/** Streamable HTTP of the modern era: stateless, so it is lost only when the server cannot be reached. */
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
    else if (looksForeign(reply, 'modern') && (await hasTurned('modern', exchange, this.#options)))
      return this.#options.failures.turned(reply.response?.error);
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
    await this.#channel.close();
  }
}
