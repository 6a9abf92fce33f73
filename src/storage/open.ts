import { realpathSync } from 'node:fs';
import { Kysely, PostgresDialect, sql } from 'kysely';
import { withDeadline } from '../shared/index.ts';
import type { Backend } from './backend.ts';
import { openEmbedded } from './embedded/pool.ts';
import { defaultLimits, type StorageLimits } from './limits.ts';
import { migrate } from './migrations.ts';
import { acquireOwnership, AlreadyOwnedError, ownsFolder, readOwner } from './ownership/ownership.ts';
import { openPostgres } from './postgres.ts';
import type { Storage, StorageOptions } from './types.ts';

const ignore = (): void => undefined;

/** Data folders whose database is open in this process: the engine takes no lock of its own, and two on one folder destroy it. */
const openFolders = new Set<string>();

/**
 * Opens the database and brings its schema up to date. The embedded one needs the data folder for itself: if this process does not own it
 * yet, it is taken for as long as the storage is open. Rejects with `StorageErrorCode`s, or with the signal's reason.
 */
export async function openStorage(options: StorageOptions): Promise<Storage> {
  options.signal?.throwIfAborted();
  const limits: StorageLimits = { ...defaultLimits, ...options.limits };
  const { databaseUrl } = options;
  return databaseUrl === undefined ? openOnFolder(options, limits) : openOnServer({ ...options, databaseUrl }, limits);
}

/** The handle typed with the tables that a room owns. */
export function typedDb<Schema>(storage: Pick<Storage, 'db'>): Kysely<Schema> {
  return storage.db as Kysely<Schema>;
}

async function openOnFolder(options: StorageOptions, limits: StorageLimits): Promise<Storage> {
  const { dataDir, signal, onFault = ignore } = options;
  const ownership = ownsFolder(dataDir) ? undefined : await acquireOwnership(dataDir);
  const folder = realpathSync(dataDir);
  if (openFolders.has(folder)) throw new AlreadyOwnedError(folder, readOwner(folder));
  openFolders.add(folder);
  const release = (): void => {
    openFolders.delete(folder);
    ownership?.release();
  };
  try {
    const backend = await openEmbedded({ dataDir, limits, signal, onFault });
    const storage = toStorage(backend, limits, release);
    await migrateOrClose(backend, storage, options, limits);
    backend.limitStatements(limits.statementMs);
    return storage;
  } catch (error) {
    release();
    throw error;
  }
}

async function openOnServer(options: StorageOptions & { databaseUrl: string }, limits: StorageLimits): Promise<Storage> {
  const { databaseUrl, signal, onFault = ignore } = options;
  // Migrations may wait for another replica and rewrite large tables: longer deadlines, on connections of their own.
  const patient = { ...limits, statementMs: limits.migrationMs };
  const first = await openPostgres({ databaseUrl, limits: patient, signal, onFault, maxConnections: 2 });
  const migrating = toStorage(first, limits, ignore);
  await migrateOrClose(first, migrating, options, limits);
  await migrating.close();
  return toStorage(await openPostgres({ databaseUrl, limits, signal, onFault }), limits, ignore);
}

async function migrateOrClose(backend: Backend, storage: Storage, options: StorageOptions, limits: StorageLimits): Promise<void> {
  const { migrations, signal } = options;
  try {
    await withDeadline(untilAborted(migrate(storage.db, migrations), signal), limits.migrationMs, 'Migrating the database');
  } catch (error) {
    // What still runs is a migration that was given up: there is nothing worth waiting for.
    await backend.close(Math.min(limits.closeMs, 250));
    throw error;
  }
}

async function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

function toStorage(backend: Backend, limits: StorageLimits, afterClose: () => void): Storage {
  const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool: backend.pool }) });
  let probe: Promise<unknown> | undefined;
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    await backend.close(limits.closeMs);
    afterClose();
  };
  return {
    db,
    kind: backend.kind,
    ready: async () => {
      // Probes share one query: a slow database must not be buried under them.
      probe ??= sql`select 1`.execute(db).finally(() => (probe = undefined));
      await withDeadline(probe, limits.readyMs, 'The database');
    },
    close: () => (closing ??= close()),
  };
}
