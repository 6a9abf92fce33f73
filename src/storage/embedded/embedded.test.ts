import { cp, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type * as threads from 'node:worker_threads';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openStorage } from '../index.ts';
import { removeTemplate, targets, tempFolder, type Place } from '../test-support.ts';
import { embeddedMajor } from './folder.ts';

/** The worker threads that the code under test started, newest last. */
const workers = vi.hoisted((): threads.Worker[] => []);

vi.mock('node:worker_threads', async (original) => {
  const real = await original<typeof threads>();
  class Recorded extends real.Worker {
    constructor(...args: ConstructorParameters<typeof threads.Worker>) {
      super(...args);
      workers.push(this);
    }
  }
  return { ...real, Worker: Recorded };
});

afterAll(removeTemplate);

describe('the embedded database', () => {
  let place: Place;

  beforeEach(async () => {
    place = await targets[0]!.place();
  });

  afterEach(() => place.remove());

  it('fails a query outside the handle of an open transaction, names the holder, and goes on', async () => {
    const storage = await place.open({ limits: { waitMs: 100 } });
    const nested = storage.db.transaction().execute(async (trx) => {
      await sql`select 7 as the_holder`.execute(trx);
      await sql`select 1`.execute(storage.db);
    });
    await expect(nested).rejects.toMatchObject({
      code: 'storage_busy',
      message: expect.stringContaining('"select 7 as the_holder"') as string,
    });
    await expect(sql`select 1 as one`.execute(storage.db)).resolves.toMatchObject({ rows: [{ one: 1 }] });
    await storage.close();
  });

  it('rolls back a transaction that fell silent, and its late statements do not touch the next one', async () => {
    const storage = await place.open({ limits: { idleInTransactionMs: 50 } });
    const silent = Promise.withResolvers<void>();
    const forgotten = storage.db.transaction().execute(async (trx) => {
      await sql`create table forgotten (id int)`.execute(trx);
      await silent.promise;
      await sql`insert into forgotten values (1)`.execute(trx);
    });
    const next = storage.db.transaction().execute(async (trx) => {
      await sql`create table kept (id int)`.execute(trx);
      silent.resolve();
      await expect(forgotten).rejects.toMatchObject({ code: 'storage_transaction_expired' });
      await sql`insert into kept values (1)`.execute(trx);
    });
    await next;
    expect((await sql`select * from kept`.execute(storage.db)).rows).toEqual([{ id: 1 }]);
    await expect(sql`select * from forgotten`.execute(storage.db)).rejects.toMatchObject({ code: '42P01' });
    await storage.close();
  });

  it('frees the caller of a statement that takes too long, and serves the next when it is over', async () => {
    const storage = await place.open({ limits: { statementMs: 500, waitMs: 200, queueMs: 60_000 } });
    const long = sql`select count(*) from generate_series(1, 15000000)`.execute(storage.db);
    await expect(long).rejects.toMatchObject({ code: 'storage_timeout' });
    const { rows } = await sql<{ one: number }>`select 1 as one`.execute(storage.db);
    expect(rows).toEqual([{ one: 1 }]);
    await storage.close();
  });

  it('rejects everything, at once and in plain words, when its thread dies; the data is there afterwards', async () => {
    const faults: Error[] = [];
    const storage = await place.open({ onFault: (error) => faults.push(error) });
    await sql`create table kept as select 1 as id`.execute(storage.db);
    const pending = [1, 2, 3].map(() => sql`select count(*) from generate_series(1, 5000000)`.execute(storage.db));
    const settled = Promise.allSettled(pending);
    await workers.at(-1)?.terminate();
    const reasons = (await settled).map((each) => (each.status === 'rejected' ? (each.reason as { code: string }).code : 'fulfilled'));
    expect(reasons).toEqual(['storage_failed', 'storage_failed', 'storage_failed']);
    await expect(storage.ready()).rejects.toMatchObject({ code: 'storage_failed', message: expect.stringContaining('Restart') as string });
    expect(faults).toHaveLength(1);
    await storage.close();
    const again = await place.open();
    expect((await sql`select id from kept`.execute(again.db)).rows).toEqual([{ id: 1 }]);
    await again.close();
  });

  it('refuses a second opening of the folder in the same process', async () => {
    const storage = await place.open();
    await expect(place.open()).rejects.toMatchObject({ code: 'already_running' });
    await storage.close();
    await (await place.open()).close();
  });

  it('keeps its log small although no background process writes checkpoints', async () => {
    const storage = await place.open();
    await sql`create table logs (text text)`.execute(storage.db);
    for (let n = 0; n < 12; n += 1) {
      await sql`insert into logs select repeat(md5(n::text), 60) || ${'.'.repeat(1_000_000)} from generate_series(1, 5) n`.execute(
        storage.db,
      );
    }
    const insert = sql`insert into logs select repeat(md5(n::text), 60) from generate_series(1, 4000) n`;
    for (let n = 0; n < 12; n += 1) await insert.execute(storage.db);
    for (let n = 0; n < 500; n += 1) await sql`select 1`.execute(storage.db);
    const { rows } = await sql<{ size: number }>`select sum(size)::float8 as size from pg_ls_waldir()`.execute(storage.db);
    const behind = sql<{
      behind: number;
    }>`select pg_wal_lsn_diff(pg_current_wal_lsn(), redo_lsn)::float8 as behind from pg_control_checkpoint()`;
    expect((await behind.execute(storage.db)).rows[0]?.behind).toBeLessThan(33 * 1024 * 1024);
    expect(rows[0]?.size).toBeLessThan(160 * 1024 * 1024);
    await storage.close();
  });
});

describe('the folder of the embedded database', () => {
  let dataDir: string;

  beforeEach(async () => {
    dataDir = await tempFolder();
  });

  afterEach(() => rm(dataDir, { recursive: true, force: true }));

  const open = (): Promise<unknown> => openStorage({ dataDir, migrations: [] });

  it('is made readable by its owner only, over the remains of an interrupted making', async () => {
    const inner = join(dataDir, 'inner');
    await mkdir(join(inner, 'pgdata.new', 'base'), { recursive: true });
    await writeFile(join(inner, 'pgdata.new', 'PG_VERSION'), '18\n');
    const storage = await openStorage({ dataDir: join(inner, 'made'), migrations: [] });
    await storage.close();
    const again = await openStorage({ dataDir: inner, migrations: [] });
    await again.close();
    for (const folder of [join(inner, 'made'), join(inner, 'pgdata')]) expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect((await readFile(join(inner, 'pgdata', 'PG_VERSION'), 'utf8')).trim()).toBe(String(embeddedMajor));
    await expect(stat(join(inner, 'pgdata.new'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('of another major version is refused with the way to dump it, and left alone', async () => {
    await mkdir(join(dataDir, 'pgdata'));
    await writeFile(join(dataDir, 'pgdata', 'PG_VERSION'), '17\n');
    const refusal = open();
    await expect(refusal).rejects.toMatchObject({ code: 'storage_version', message: expect.stringContaining('PostgreSQL 17') as string });
    await expect(refusal).rejects.toThrow(/npm install @electric-sql\/pglite-tools@0\.2\n.*> dump\.sql/);
    await writeFile(join(dataDir, 'pgdata', 'PG_VERSION'), '9\n');
    await expect(open()).rejects.toThrow('pg_dump');
    await writeFile(join(dataDir, 'pgdata', 'PG_VERSION'), '17\n');
    expect(await readFile(join(dataDir, 'pgdata', 'PG_VERSION'), 'utf8')).toBe('17\n');
  });

  it('that holds something else is refused and left alone', async () => {
    await mkdir(join(dataDir, 'pgdata'));
    await writeFile(join(dataDir, 'pgdata', 'letter.txt'), 'dear');
    await expect(open()).rejects.toMatchObject({ code: 'data_dir_unusable' });
    expect(await readFile(join(dataDir, 'pgdata', 'letter.txt'), 'utf8')).toBe('dear');
  });

  it('that is damaged is reported with the engine’s own words in the detail, and can be replaced', async () => {
    const place = await targets[0]!.place();
    await cp(place.dataDir, dataDir, { recursive: true });
    await rm(join(dataDir, 'pgdata', 'global', 'pg_control'));
    const error: unknown = await open().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'storage_failed', detail: { message: expect.any(String) as string } });
    await rm(join(dataDir, 'pgdata'), { recursive: true });
    await cp(join(place.dataDir, 'pgdata'), join(dataDir, 'pgdata'), { recursive: true });
    const storage = await openStorage({ dataDir, migrations: [] });
    await storage.close();
    await place.remove();
  });
});
