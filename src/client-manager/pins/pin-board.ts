import type { Kysely } from 'kysely';
import type { JsonObject } from '../../protocol/index.ts';
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

/** A tool whose definition is not the one that was accepted. */
export interface Waiting {
  readonly name: string;
  /** Where it was seen: the server's era, and whether it is shown only to clients that can be asked. */
  readonly scope: string;
  readonly differences: readonly Difference[];
}

/** What a server shows now and what was accepted of it, in one scope. */
interface Side {
  readonly pins: Map<string, Pin>;
  /** The definitions that wait, by name. */
  waiting: ReadonlyMap<string, JsonObject>;
}

/** Who accepted what nobody was asked about. */
const FIRST_USE = 'first_use';

/** Which definitions of tools were accepted, of every server in each of its eras (PROTOCOL A1): a scope is an era and who is shown them. */
export class PinBoard {
  readonly #options: PinBoardOptions;
  /** By server and scope. */
  readonly #sides = new Map<string, Map<string, Side>>();
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
      for (const { server, scope, name, fingerprint: mark, definition } of rows)
        this.#side(server, scope).pins.set(name, { fingerprint: mark, definition: JSON.parse(definition) as JsonObject });
    } catch (error) {
      onFault(error);
    }
  }

  /** What becomes of each tool that the server shows now. What is trusted on first use is accepted by this. */
  judge(server: string, scope: string, definitions: readonly JsonObject[], policy: PinPolicy): readonly Verdict[] {
    const side = this.#side(server, scope);
    const verdicts = judge(side.pins, definitions, policy);
    const waiting = new Map<string, JsonObject>();
    const first: JsonObject[] = [];
    for (const [i, { name, state }] of verdicts.entries()) {
      const definition = definitions[i] as JsonObject;
      if (state === 'changed') waiting.set(name, definition);
      else if (state === 'first' && policy !== 'off') first.push(definition);
    }
    side.waiting = waiting;
    if (first.length > 0) this.#accept(server, scope, first, FIRST_USE);
    return verdicts;
  }

  /** The accepted definition: only its annotations count (DESIGN 5). */
  accepted(server: string, scope: string, name: string): JsonObject | undefined {
    return this.#sides.get(server)?.get(scope)?.pins.get(name)?.definition;
  }

  /** What waits for acceptance, with how it differs from what was accepted. */
  waiting(server: string): readonly Waiting[] {
    return [...(this.#sides.get(server) ?? [])].flatMap(([scope, { pins, waiting }]) =>
      [...waiting].map(([name, definition]) => ({ name, scope, differences: differences(pins.get(name)?.definition ?? {}, definition) })),
    );
  }

  /** Accepts what is shown now: these tools, or all that wait. Returns the names that were accepted. */
  accept(server: string, names: readonly string[] | 'all', by: string): readonly string[] {
    const accepted = new Set<string>();
    for (const [scope, side] of this.#sides.get(server) ?? []) {
      const chosen = [...side.waiting].filter(([name]) => names === 'all' || names.includes(name));
      if (chosen.length === 0) continue;
      for (const [name] of chosen) accepted.add(name);
      side.waiting = new Map([...side.waiting].filter(([name]) => !accepted.has(name)));
      const definitions = chosen.map(([, definition]) => definition);
      this.#accept(server, scope, definitions, by);
    }
    return [...accepted];
  }

  /** Resolves when everything is written. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  #side(server: string, scope: string): Side {
    const scopes = this.#sides.get(server) ?? new Map<string, Side>();
    this.#sides.set(server, scopes);
    const side = scopes.get(scope) ?? { pins: new Map<string, Pin>(), waiting: new Map<string, JsonObject>() };
    scopes.set(scope, side);
    return side;
  }

  #accept(server: string, scope: string, definitions: readonly JsonObject[], by: string): void {
    const { db, clock, onFault } = this.#options;
    const side = this.#side(server, scope);
    const at = new Date(clock.now());
    const rows = definitions.map((definition) => {
      const pinned = pinnedPart(definition);
      const name = String(definition.name);
      const mark = fingerprint(definition);
      side.pins.set(name, { fingerprint: mark, definition: pinned });
      return { server, scope, name, fingerprint: mark, definition: JSON.stringify(pinned), accepted_at: at, accepted_by: by };
    });
    if (db === undefined) return;
    const write = async (): Promise<void> => {
      for (let from = 0; from < rows.length; from += BATCH)
        await db
          .insertInto('client_manager_pins')
          .values(rows.slice(from, from + BATCH))
          .onConflict((conflict) =>
            conflict.columns(['server', 'scope', 'name']).doUpdateSet((eb) => ({
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
