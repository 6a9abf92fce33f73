import type { Kysely, Selectable } from 'kysely';
import { AppError, type Clock } from '../../shared/index.ts';
import type { SecurityTables, VaultTable } from '../tables.ts';
import { rewrap, unwrap, wrap, wrappingKey, type Envelope, type WrappingKey } from './envelope.ts';

/** What a secret is: whose, of which issuer, of what kind, under which name. Together they are its key. */
export interface SecretId {
  /** `gateway`, or the id of a user. */
  readonly owner: string;
  /** Where it is good for: the issuer of a token, the server of a header. */
  readonly issuer: string;
  /** `oauth_token`, `oauth_client`, `header`, ... */
  readonly kind: string;
  readonly name: string;
}

export interface Secret {
  readonly value: unknown;
  /** Grows with each `put`. */
  readonly version: number;
}

/** All that is told of a secret without opening it. */
export interface SecretFacts extends SecretId {
  readonly version: number;
  readonly keyId: string;
  /** RFC 3339, UTC. */
  readonly createdAt: string;
  readonly updatedAt: string;
}

export interface VaultOptions {
  readonly db: Kysely<SecurityTables>;
  readonly clock: Clock;
  readonly masterKey: Buffer;
  /** Master keys of before: what they wrapped can still be read, until `rotate` has wrapped it anew. */
  readonly previousKeys?: readonly Buffer[];
}

/** Secrets in the database, each under a key of its own (DESIGN 8). Nothing of a secret is kept in memory. */
export interface Vault {
  /** Undefined if there is none. Throws `vault_unreadable`. */
  get(id: SecretId): Promise<Secret | undefined>;
  /**
   * Stores a value that JSON can hold; resolves with its version. With `ifVersion` only if that is the stored one (0: none is), else
   * undefined: who refreshed a token too late must not overwrite the newer one.
   */
  put(id: SecretId, value: unknown, options?: { readonly ifVersion?: number }): Promise<number | undefined>;
  /** True if there was one. */
  delete(id: SecretId): Promise<boolean>;
  /** At most `limit` (1000), in order of owner, issuer, kind and name. */
  list(filter?: Partial<SecretId>, limit?: number): Promise<readonly SecretFacts[]>;
  /**
   * Wraps everything anew that is under a previous key. Reads and writes go on meanwhile; one that was interrupted goes on where it stopped.
   * Resolves with how many were wrapped, and the secrets that no key opens.
   */
  rotate(): Promise<{ readonly rewrapped: number; readonly unreadable: readonly SecretFacts[] }>;
}

type Row = Selectable<VaultTable>;

const MAX_LISTED = 1000;
const BATCH = 100;

const identityOf = ({ owner, issuer, kind, name }: SecretId): string => JSON.stringify([owner, issuer, kind, name]);
const envelopeOf = ({ key_id: keyId, wrapped, body }: Row): Envelope => ({ keyId, wrapped, body });

function factsOf(row: Row): SecretFacts {
  const { owner, issuer, kind, name, version, key_id: keyId, created_at: created, updated_at: updated } = row;
  return { owner, issuer, kind, name, version, keyId, createdAt: created.toISOString(), updatedAt: updated.toISOString() };
}

function unreadable({ kind, issuer }: SecretId): AppError {
  return new AppError(
    'vault_unreadable',
    `The ${kind} of ${issuer} cannot be opened: it was stored under another master key, or it is damaged. Start with the STOCKPULSE_MASTER_KEY (or master.key) of before, or authorize anew.`,
  );
}

class DatabaseVault implements Vault {
  readonly #db: Kysely<SecurityTables>;
  readonly #clock: Clock;
  readonly #key: WrappingKey;
  readonly #keys: ReadonlyMap<string, WrappingKey>;

  constructor({ db, clock, masterKey, previousKeys = [] }: VaultOptions) {
    this.#db = db;
    this.#clock = clock;
    this.#key = wrappingKey(masterKey);
    this.#keys = new Map([masterKey, ...previousKeys].map(wrappingKey).map((key) => [key.id, key]));
  }

  async get(id: SecretId): Promise<Secret | undefined> {
    const row = await this.#row(id);
    if (row === undefined) return undefined;
    const key = this.#keys.get(row.key_id);
    const plain = key && unwrap(key, identityOf(row), envelopeOf(row));
    if (plain === undefined) throw unreadable(id);
    return { value: JSON.parse(plain) as unknown, version: row.version };
  }

  async put(id: SecretId, value: unknown, { ifVersion }: { readonly ifVersion?: number } = {}): Promise<number | undefined> {
    const identity = identityOf(id);
    const { keyId, wrapped, body } = wrap(this.#key, identity, JSON.stringify(value));
    const now = new Date(this.#clock.now());
    const sealed = { key_id: keyId, wrapped, body, updated_at: now };
    const first = {
      id: identity,
      owner: id.owner,
      issuer: id.issuer,
      kind: id.kind,
      name: id.name,
      ...sealed,
      created_at: now,
      version: 1,
    };
    if (ifVersion === undefined || ifVersion === 0) {
      const insert = this.#db.insertInto('security_vault').values(first);
      const row = await insert
        .onConflict((conflict) =>
          ifVersion === 0
            ? conflict.column('id').doNothing()
            : conflict.column('id').doUpdateSet((eb) => ({ ...sealed, version: eb('security_vault.version', '+', 1) })),
        )
        .returning('version')
        .executeTakeFirst();
      return row?.version;
    }
    const row = await this.#db
      .updateTable('security_vault')
      .set({ ...sealed, version: ifVersion + 1 })
      .where('id', '=', identity)
      .where('version', '=', ifVersion)
      .returning('version')
      .executeTakeFirst();
    return row?.version;
  }

  async delete(id: SecretId): Promise<boolean> {
    const { numDeletedRows } = await this.#db.deleteFrom('security_vault').where('id', '=', identityOf(id)).executeTakeFirst();
    return numDeletedRows > 0n;
  }

  async list(filter: Partial<SecretId> = {}, limit = MAX_LISTED): Promise<readonly SecretFacts[]> {
    let query = this.#db.selectFrom('security_vault').selectAll();
    for (const column of ['owner', 'issuer', 'kind', 'name'] as const) {
      const wanted = filter[column];
      if (wanted !== undefined) query = query.where(column, '=', wanted);
    }
    const rows = await query.orderBy('id').limit(Math.min(limit, MAX_LISTED)).execute();
    return rows.map(factsOf);
  }

  async rotate(): Promise<{ rewrapped: number; unreadable: readonly SecretFacts[] }> {
    let rewrapped = 0;
    const closed: SecretFacts[] = [];
    for (let after = ''; ;) {
      const rows = await this.#db
        .selectFrom('security_vault')
        .selectAll()
        .where('key_id', '!=', this.#key.id)
        .where('id', '>', after)
        .orderBy('id')
        .limit(BATCH)
        .execute();
      for (const row of rows) {
        const done = await this.#rewrap(row);
        if (done === undefined) closed.push(factsOf(row));
        else if (done) rewrapped++;
      }
      const last = rows.at(-1);
      if (last === undefined) return { rewrapped, unreadable: closed };
      after = last.id;
    }
  }

  /** False for a secret that was stored anew meanwhile; undefined for one that cannot be opened. */
  async #rewrap(row: Row): Promise<boolean | undefined> {
    const key = this.#keys.get(row.key_id);
    const envelope = key && rewrap(key, this.#key, identityOf(row), envelopeOf(row));
    if (envelope === undefined) return undefined;
    const { numUpdatedRows } = await this.#db
      .updateTable('security_vault')
      .set({ key_id: envelope.keyId, wrapped: envelope.wrapped })
      .where('id', '=', row.id)
      .where('key_id', '=', row.key_id)
      .where('version', '=', row.version)
      .executeTakeFirst();
    return numUpdatedRows > 0n;
  }

  #row(id: SecretId): Promise<Row | undefined> {
    return this.#db.selectFrom('security_vault').selectAll().where('id', '=', identityOf(id)).executeTakeFirst();
  }
}

/** The vault on our tables. */
export function createVault(options: VaultOptions): Vault {
  return new DatabaseVault(options);
}
