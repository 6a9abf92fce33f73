import type { Era, Revision, ServerFacts } from '../../protocol/index.ts';
import type { Connection, ConnectionListener, Exchange, Reply } from '../connection.ts';
import type { Duplex } from './duplex.ts';
import type { Introduction } from './handshake.ts';

export interface DuplexConnectionOptions {
  readonly kind: 'stdio' | 'ws' | 'sse';
  readonly duplex: Duplex;
  readonly introduction: Introduction;
  readonly pid?: number;
  /** Ends what carries the messages. Must not reject. */
  readonly end: () => Promise<void>;
}

/** A server that has introduced itself over a channel that all its messages share. */
export class DuplexConnection implements Connection {
  readonly stateful = true;
  readonly era: Era;
  readonly via: string;
  readonly revision: Revision;
  readonly eras: readonly Era[];
  readonly facts: ServerFacts;
  readonly pid?: number;
  readonly lost: Promise<string>;
  readonly #duplex: Duplex;
  readonly #end: () => Promise<void>;

  constructor({ kind, duplex, introduction, pid, end }: DuplexConnectionOptions) {
    const { era, revision, eras, facts } = introduction;
    this.era = era;
    this.via = `${kind}-${era}`;
    this.revision = revision;
    this.eras = eras;
    this.facts = facts;
    if (pid !== undefined) this.pid = pid;
    this.lost = duplex.lost;
    this.#duplex = duplex;
    this.#end = end;
    duplex.era = era;
  }

  get inFlight(): number {
    return this.#duplex.inFlight;
  }

  exchange(exchange: Exchange): Promise<Reply> {
    return this.#duplex.exchange(exchange);
  }

  notify(method: string, params?: string): void {
    this.#duplex.notify(method, params);
  }

  listen(listener: ConnectionListener): void {
    this.#duplex.requests.listener = listener;
  }

  async close(): Promise<void> {
    this.#duplex.end('the connection was closed by the gateway');
    await this.#end();
  }
}
