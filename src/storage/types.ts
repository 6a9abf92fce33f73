import type { Kysely } from 'kysely';
import type { StorageLimits } from './limits.ts';

/** One step of the schema, owned by the room that exports it. The name is `<room>-<number>-<what>` and never changes once released. */
export interface Migration {
  readonly name: string;
  /** Runs in one transaction with every other pending migration: use the given handle only. SQL of PostgreSQL 15. */
  up(db: Kysely<unknown>): Promise<void>;
}

export interface StorageOptions {
  /** PostgreSQL when set, else the embedded database in `${dataDir}/pgdata`, run by a worker thread. */
  readonly databaseUrl?: string | undefined;
  /** The data folder; made with mode 0700 if it does not exist. */
  readonly dataDir: string;
  /** The migrations of every room, in any order. */
  readonly migrations: readonly Migration[];
  /** Aborts the opening; an opened storage is stopped by `close`. */
  readonly signal?: AbortSignal | undefined;
  /** Deadlines and caps other than the defaults. */
  readonly limits?: Partial<StorageLimits> | undefined;
  /** Faults that no caller is waiting for: a lost idle connection, a database worker that died. For the log. */
  readonly onFault?: ((error: Error) => void) | undefined;
}

export type StorageKind = 'pglite' | 'postgres';

export interface Storage {
  readonly db: Kysely<unknown>;
  readonly kind: StorageKind;
  /** Rejects (`storage_unavailable`, `storage_failed`, `storage_busy`, `deadline_exceeded`) unless a query is answered within `readyMs`. */
  ready(): Promise<void>;
  /** Lets running statements finish within `closeMs`, then stops everything. Idempotent; never rejects because of a late statement. */
  close(): Promise<void>;
}
