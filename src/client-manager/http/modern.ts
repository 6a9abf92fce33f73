import { mirrorHeaders, requestText, type Era, type ModernRevision, type ServerFacts } from '../../protocol/index.ts';
import type { Connection, Exchange, Reply } from '../connection.ts';
import type { Failures } from '../failures.ts';
import type { HttpChannel } from './channel.ts';
import type { HttpReply } from './exchange.ts';
import { networkReason, replyOf } from './reply.ts';

let lastId = 0;

/** One modern request with the headers that mirror it (PROTOCOL C3). */
export function postModern(channel: HttpChannel, exchange: Exchange, revision: ModernRevision): Promise<HttpReply> {
  const mirrored = mirrorHeaders(revision, exchange.method, exchange.mirror, exchange.headerParams);
  const headers: string[] = [];
  for (const name in mirrored) headers.push(name, mirrored[name] as string);
  const id = ++lastId;
  return channel.post(requestText(id, exchange.method, exchange.params), headers, id, exchange.expiresAt, exchange);
}

export interface ModernHttpOptions {
  readonly channel: HttpChannel;
  readonly failures: Failures;
  readonly revision: ModernRevision;
  readonly eras: readonly Era[];
  readonly facts: ServerFacts;
}

/** Streamable HTTP of the modern era: stateless, so it is lost only when the server cannot be reached. */
export class ModernHttpConnection implements Connection {
  readonly era = 'modern';
  readonly via = 'http-modern';
  readonly revision: ModernRevision;
  readonly eras: readonly Era[];
  readonly facts: ServerFacts;
  readonly lost: Promise<string>;
  readonly #channel: HttpChannel;
  readonly #failures: Failures;
  #lose: (reason: string) => void = () => undefined;

  constructor(options: ModernHttpOptions) {
    this.revision = options.revision;
    this.eras = options.eras;
    this.facts = options.facts;
    this.#channel = options.channel;
    this.#failures = options.failures;
    this.lost = new Promise((resolve) => {
      this.#lose = resolve;
    });
  }

  get inFlight(): number {
    return this.#channel.inFlight;
  }

  async exchange(exchange: Exchange): Promise<Reply> {
    const begun = performance.now();
    const reply = await postModern(this.#channel, exchange, this.revision);
    if (reply.response !== undefined && reply.status === 200) return reply.response;
    if (!reply.started && reply.broken?.why === 'error') this.#lose(networkReason(reply.broken.error));
    return replyOf(reply, this.#failures, exchange.expiresAt - begun);
  }

  onToolsChanged(): void {
    // The modern era announces changes only to those who listen; the tool list's lifetime covers the rest.
  }

  async close(): Promise<void> {
    this.#lose('closed');
    await this.#channel.close();
  }
}
