import { sql, type Kysely } from 'kysely';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Migration } from './index.ts';
import { removeTemplate, targets, title, type Place, type Target } from './test-support.ts';

const table = (name: string, tableName: string): Migration => ({
  name,
  up: async (db: Kysely<unknown>) => {
    await db.schema.createTable(tableName).addColumn('id', 'integer').execute();
  },
});

const first = table('alpha-001-first', 'a1');
const second = table('alpha-002-second', 'a2');
const third = table('alpha-003-third', 'a3');
const other = table('beta-001-first', 'b1');

afterAll(removeTemplate);

const suite = (target: Target) => (): void => {
  let place: Place;

  beforeEach(async () => {
    place = await target.place();
  });

  afterEach(async () => {
    await place.remove();
  });

  const openWith = async (...migrations: Migration[]): Promise<string[]> => {
    const storage = await place.open({ migrations });
    const found = await storage.db.introspection.getTables();
    await storage.close();
    return found.map(({ name }) => name).toSorted();
  };

  it('run once, in order, and again only what is new', async () => {
    expect(await openWith(second, first)).toEqual(['a1', 'a2']);
    expect(await openWith(first, second)).toEqual(['a1', 'a2']);
    expect(await openWith(first, second, third)).toEqual(['a1', 'a2', 'a3']);
  });

  it('let a room add one although another room, later in the alphabet, has run', async () => {
    await openWith(first, other);
    expect(await openWith(first, second, other)).toEqual(['a1', 'a2', 'b1']);
  });

  it('refuse a number below one of the same room that ran already', async () => {
    await openWith(first, third);
    await expect(openWith(first, second, third)).rejects.toMatchObject({
      code: 'storage_migration_failed',
      message: expect.stringContaining('alpha-002-second is new but sorts before alpha-003-third') as string,
    });
  });

  it('refuse a database that a newer release has migrated, and name what is unknown', async () => {
    await openWith(first, second);
    const refusal = openWith(first);
    await expect(refusal).rejects.toMatchObject({ code: 'storage_newer', message: expect.stringContaining('alpha-002-second') as string });
    expect(await openWith(first, second)).toEqual(['a1', 'a2']);
  });

  it('change nothing when one of them fails', async () => {
    const broken: Migration = { name: 'alpha-002-broken', up: async (db) => void (await sql`create table a1 (id int)`.execute(db)) };
    await expect(openWith(first, broken)).rejects.toMatchObject({
      code: 'storage_migration_failed',
      message: expect.stringContaining('alpha-002-broken') as string,
      cause: expect.objectContaining({ code: '42P07' }) as Error,
    });
    expect(await openWith(first)).toEqual(['a1']);
  });

  it('refuse two of one name and a name that is none', async () => {
    await expect(openWith(first, first)).rejects.toMatchObject({ code: 'storage_migration_failed' });
    await expect(openWith(table('../x', 'x'))).rejects.toMatchObject({ code: 'storage_migration_failed' });
  });

  const onServerOnly = target.kind === 'postgres' ? it : () => undefined;
  onServerOnly('run once when several replicas start at the same time', async () => {
    const opened = await Promise.all([1, 2, 3, 4].map(() => place.open({ migrations: [first, second, other] })));
    const { rows } = await sql<{ n: bigint }>`select count(*) as n from kysely_migration`.execute(opened[0]!.db);
    expect(rows).toEqual([{ n: 3n }]);
    await Promise.all(opened.map((storage) => storage.close()));
  });
};

for (const target of targets) describe.skipIf(target.skip !== undefined)(`migrations on ${title(target)}`, suite(target));
