import type { Kysely } from 'kysely';
import type { Era, JsonObject } from '../../protocol/index.ts';
import type { Clock } from '../../shared/index.ts';
import type { ClientManagerTables } from '../tables.ts';
import { differences, fingerprint, pinnedPart, type Difference } from './fingerprint.ts';
import { judge, type Pin, type PinPolicy, type Verdict } from './judge.ts';

export interface PinBoardOptions {
  /** Without it pins are forgotten with the process. */
  readonly db: Kysely<ClientManagerTables> | undefined;
  readonly clock: Clock;
  /** Pins could not be read or written. */
  readonly onFault: (error: unknown) => void;
}

/** A tool that waits for acceptance. */
export interface Waiting {
  readonly name: string;
  readonly era: Era;
  readonly state: 'new' | 'changed';
  readonly differences: readonly Difference[];
}

/** What a server shows now and what was accepted of it, in one era. */
interface Side {
  readonly pins: Map<string, Pin>;
  /** The definitions that wait, by name. */
  waiting: ReadonlyMap<string, { readonly definition: JsonObject; readonly state: 'new' | 'changed' }>;
}

/** Who accepted what nobody was asked about. */
const FIRST_USE = 'first_use';

/** Which definitions of tools were accepted, of every server in each of its eras (PROTOCOL A1). */
export class PinBoard {
  readonly #options: PinBoardOptions;
  readonly #sides = new Map<string, Side>();
  #writing: Promise<unknown> = Promise.resolve();

  constructor(options: PinBoardOptions) {
    this.#options = options;
  }

  /** Reads what was accepted of these servers before. Never rejects: what cannot be read is trusted anew, and said. */
  async load(servers: readonly string[]): Promise<void> {
    const { db, onFault } = this.#options;
    if (db === undefined || servers.length === 0) return;
    try {
      const rows = await db
        .selectFrom('client_manager_pins')
        .selectAll()
        .where('server', 'in', [...servers])
        .execute();
      for (const { server, era, name, fingerprint: mark, definition } of rows)
        if (era === 'modern' || era === 'legacy')
          this.#side(server, era).pins.set(name, { fingerprint: mark, definition: JSON.parse(definition) as JsonObject });
    } catch (error) {
      onFault(error);
    }
  }

  /** What becomes of each tool that the server shows now. What is trusted on first use is accepted by this. */
  judge(server: string, era: Era, definitions: readonly JsonObject[], policy: PinPolicy): readonly Verdict[] {
    const side = this.#side(server, era);
    const verdicts = judge(side.pins, side.pins.size > 0, definitions, policy);
    const byName = new Map(definitions.map((definition) => [String(definition.name), definition]));
    const waiting = new Map<string, { definition: JsonObject; state: 'new' | 'changed' }>();
    const first: JsonObject[] = [];
    for (const { name, state } of verdicts) {
      const definition = byName.get(name) ?? {};
      if (state === 'new' || state === 'changed') waiting.set(name, { definition, state });
      else if (state === 'first' && policy !== 'off') first.push(definition);
    }
    side.waiting = waiting;
    if (first.length > 0) this.#accept(server, era, first, FIRST_USE);
    return verdicts;
  }

  /** The accepted definition: only its annotations count (DESIGN 5). */
  accepted(server: string, era: Era, name: string): JsonObject | undefined {
    return this.#sides.get(keyOf(server, era))?.pins.get(name)?.definition;
  }

  /** What waits for acceptance, with how it differs from what was accepted. */
  waiting(server: string): readonly Waiting[] {
    return (['modern', 'legacy'] as const).flatMap((era) => {
      const side = this.#sides.get(keyOf(server, era));
      return [...(side?.waiting ?? [])].map(([name, { definition, state }]) => ({
        name,
        era,
        state,
        differences: differences(side?.pins.get(name)?.definition ?? {}, definition),
      }));
    });
  }

  /** Accepts what is shown now: these tools, or all that wait. Returns the names that were accepted. */
  accept(server: string, names: readonly string[] | 'all', by: string): readonly string[] {
    const accepted = new Set<string>();
    for (const era of ['modern', 'legacy'] as const) {
      const side = this.#sides.get(keyOf(server, era));
      if (side === undefined) continue;
      const chosen = [...side.waiting].filter(([name]) => names === 'all' || names.includes(name));
      if (chosen.length === 0) continue;
      for (const [name] of chosen) accepted.add(name);
      side.waiting = new Map([...side.waiting].filter(([name]) => !accepted.has(name)));
      this.#accept(
        server,
        era,
        chosen.map(([, { definition }]) => definition),
        by,
      );
    }
    return [...accepted];
  }

  /** Resolves when everything is written. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  #side(server: string, era: Era): Side {
    const key = keyOf(server, era);
    const known = this.#sides.get(key);
    if (known !== undefined) return known;
    const side: Side = { pins: new Map(), waiting: new Map() };
    this.#sides.set(key, side);
    return side;
  }

  #accept(server: string, era: Era, definitions: readonly JsonObject[], by: string): void {
    const { db, clock, onFault } = this.#options;
    const side = this.#side(server, era);
    const at = new Date(clock.now());
    const rows = definitions.map((definition) => {
      const pinned = pinnedPart(definition);
      const name = String(definition.name);
      const mark = fingerprint(definition);
      side.pins.set(name, { fingerprint: mark, definition: pinned });
      return { server, era, name, fingerprint: mark, definition: JSON.stringify(pinned), accepted_at: at, accepted_by: by };
    });
    if (db === undefined) return;
    const write = async (): Promise<void> => {
      for (let from = 0; from < rows.length; from += BATCH)
        await db
          .insertInto('client_manager_pins')
          .values(rows.slice(from, from + BATCH))
          .onConflict((conflict) =>
            conflict.columns(['server', 'era', 'name']).doUpdateSet((eb) => ({
              fingerprint: eb.ref('excluded.fingerprint'),
              definition: eb.ref('excluded.definition'),
              accepted_at: eb.ref('excluded.accepted_at'),
              accepted_by: eb.ref('excluded.accepted_by'),
            })),
          )
          .execute();
    };
    this.#writing = this.#writing.then(write).catch(onFault);
  }
}

const BATCH = 200;
const keyOf = (server: string, era: Era): string => `${server} ${era}`;
