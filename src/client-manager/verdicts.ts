import type { Kysely } from 'kysely';
import type { Era } from '../protocol/index.ts';
import type { Clock } from '../shared/index.ts';
import type { ClientManagerTables } from './tables.ts';
import type { UpstreamConfig } from './types.ts';

export interface VerdictsOptions {
  /** Without it verdicts are forgotten with the process. */
  readonly db: Kysely<ClientManagerTables> | undefined;
  readonly clock: Clock;
  /** How long a verdict is believed, in milliseconds. */
  readonly holdMs: number;
  /** A verdict could not be read or written: the server is asked then. */
  readonly onFault: (error: unknown) => void;
}

interface Verdict {
  readonly address: string;
  readonly era: Era;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/**
 * The eras in which servers were last reached (PROTOCOL A9). A verdict is a hint of where to begin: the server is asked at each connection all
 * the same. It belongs to the server's address, so another one under the same name starts anew.
 */
export class Verdicts {
  readonly #options: VerdictsOptions;
  readonly #known = new Map<string, Verdict>();
  #writing: Promise<unknown> = Promise.resolve();

  constructor(options: VerdictsOptions) {
    this.#options = options;
  }

  /** Reads what earlier processes found out about these servers. Never rejects. */
  async load(names: readonly string[]): Promise<void> {
    const { db, onFault } = this.#options;
    if (db === undefined || names.length === 0) return;
    try {
      const rows = await db
        .selectFrom('client_manager_verdicts')
        .selectAll()
        .where('server', 'in', [...names])
        .execute();
      for (const { server, address, era, at } of rows)
        if (era === 'modern' || era === 'legacy') this.#known.set(server, { address, era, at: at.getTime() });
    } catch (error) {
      onFault(error);
    }
  }

  /** The era in which the server was last reached, unless that was too long ago. */
  get(name: string, config: UpstreamConfig): Era | undefined {
    const verdict = this.#known.get(name);
    const holds = verdict?.address === addressOf(config) && this.#options.clock.now() - verdict.at < this.#options.holdMs;
    return holds ? verdict.era : undefined;
  }

  set(name: string, config: UpstreamConfig, era: Era): void {
    const { db, clock, onFault } = this.#options;
    const verdict = { address: addressOf(config), era, at: clock.now() };
    this.#known.set(name, verdict);
    if (db === undefined) return;
    const row = { address: verdict.address, era, at: new Date(verdict.at) };
    const write = (): Promise<unknown> =>
      db
        .insertInto('client_manager_verdicts')
        .values({ server: name, ...row })
        .onConflict((conflict) => conflict.column('server').doUpdateSet(row))
        .execute();
    this.#writing = this.#writing.then(write).catch(onFault);
  }

  /** Resolves when everything is written. */
  async flush(): Promise<void> {
    await this.#writing;
  }
}

/** Where the server is, without anything that may be secret. */
function addressOf(config: UpstreamConfig): string {
  if (config.transport === 'stdio') return `stdio ${config.command}`.slice(0, 500);
  const url = URL.canParse(config.url) ? new URL(config.url) : undefined;
  return `${config.transport} ${url?.origin ?? ''}${url?.pathname ?? ''}`.slice(0, 500);
}
