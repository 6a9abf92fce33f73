import type { Kysely } from 'kysely';
import { Migrator } from 'kysely/migration';
import { AppError, messageOf } from '../shared/index.ts';
import { storageError } from './errors.ts';
import type { Migration } from './types.ts';

const table = 'kysely_migration';

/**
 * Brings the schema up to date, in one transaction under the database's advisory lock, so that of several replicas one migrates.
 * Throws `storage_newer` if the database knows a migration that we do not, `storage_migration_failed` if the list or a step is wrong.
 */
export async function migrate(db: Kysely<unknown>, migrations: readonly Migration[]): Promise<void> {
  const ordered = orderedByName(migrations);
  await checkApplied(db, ordered);
  const provider = { getMigrations: () => Promise.resolve(Object.fromEntries(ordered.map((each) => [each.name, each]))) };
  // Each room numbers its own migrations: a new one may sort before another room's that ran already.
  const migrator = new Migrator({ db, provider, allowUnorderedMigrations: true, nameComparator: byCodeUnit });
  const { error, results } = await migrator.migrateToLatest();
  if (error === undefined) return;
  // Another replica of a newer release may have migrated between the check and the lock.
  await checkApplied(db, ordered);
  if (error instanceof AppError) throw error;
  const failed = results?.find((each) => each.status === 'Error')?.migrationName;
  const where = failed === undefined ? 'Preparing the database' : `Migration ${failed}`;
  throw storageError('storage_migration_failed', `${where} failed; nothing was changed. See the log for the reason.`, {
    cause: error,
    detail: { migration: failed, reason: messageOf(error) },
  });
}

const byCodeUnit = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function orderedByName(migrations: readonly Migration[]): Migration[] {
  const ordered = migrations.toSorted((a, b) => byCodeUnit(a.name, b.name));
  ordered.forEach(({ name }, at) => {
    if (!/^\w[\w.-]{0,200}$/.test(name)) throw badList(`"${name}" is not a name of letters, digits, dots, - and _`);
    if (ordered[at - 1]?.name === name) throw badList(`two migrations are called ${name}`);
  });
  return ordered;
}

async function checkApplied(db: Kysely<unknown>, ours: readonly Migration[]): Promise<void> {
  const applied = await appliedNames(db);
  const known = new Set(ours.map(({ name }) => name));
  const unknown = applied.filter((name) => !known.has(name));
  if (unknown.length > 0) throw newer(unknown);
  const done = new Set(applied);
  for (const { name } of ours) {
    const later = done.has(name) ? undefined : applied.find((other) => room(other) === room(name) && other > name);
    if (later !== undefined) throw badList(`${name} is new but sorts before ${later}, which ran already: give it a higher number`);
  }
}

/** The part of a name before its number: migrations are ordered within their room. */
const room = (name: string): string => /^\D*/.exec(name)?.[0] ?? '';

async function appliedNames(db: Kysely<unknown>): Promise<string[]> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
  if (!tables.some(({ name }) => name === table)) return [];
  const rows = await (db as Kysely<{ [table]: { name: string } }>).selectFrom(table).select('name').execute();
  return rows.map(({ name }) => name);
}

function newer(names: readonly string[]): AppError {
  const message =
    `The database was written by a newer release of StockPulse MCP: it has ${names.slice(0, 3).join(', ')}, which this release does not know. ` +
    'Start that release, or restore a backup made before the upgrade. Nothing was changed.';
  return storageError('storage_newer', message, { detail: { unknown: names } });
}

function badList(reason: string): AppError {
  return storageError('storage_migration_failed', `The list of migrations is wrong: ${reason}.`);
}
