import { createServer, type Server } from 'node:net';
import { inspect } from 'node:util';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openStorage } from './index.ts';
import { targets, title, type Place } from './test-support.ts';

const target = targets[1]!;

const openUrl = async (databaseUrl: string): Promise<unknown> => {
  const opened = openStorage({ dataDir: 'unused', databaseUrl, migrations: [], limits: { waitMs: 300 } });
  return opened.then(
    () => 'opened',
    (error: unknown) => error,
  );
};

describe('a DATABASE_URL that does not work', () => {
  const expectClear = (error: unknown, what: RegExp): void => {
    expect(error).toMatchObject({ code: 'storage_unavailable', message: expect.stringMatching(what) as string });
    expect((error as Error).message).not.toContain('\n');
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain('hunter2');
  };

  it('is named without its password when nobody listens', async () => {
    expectClear(
      await openUrl('postgres://me:hunter2@127.0.0.1:1/shop'),
      /PostgreSQL at 127\.0\.0\.1:1\/shop cannot be used: .*ECONNREFUSED/,
    );
    expectClear(await openUrl('postgres://me:hunter2@localhost:1/shop'), /localhost:1\/shop cannot be used: .*ECONNREFUSED/);
  });

  it('is refused in words when it is no PostgreSQL URL', async () => {
    for (const url of [
      'mysql://me:hunter2@localhost/shop',
      'hunter2',
      '',
      'postgres://me:hunter2@host:port/x',
      'postgres://me:hun%ter2@127.0.0.1:1/hunter',
    ]) {
      expect(await openUrl(url)).toMatchObject({ code: 'storage_unavailable', message: expect.stringContaining('DATABASE_URL') as string });
    }
  });

  it('fails within its deadline when the server says nothing', async () => {
    const silent: Server = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as { port: number };
    expectClear(await openUrl(`postgres://me:hunter2@127.0.0.1:${port}/shop`), /cannot be used: .*timeout/);
    silent.close();
  });
});

describe.skipIf(target.skip !== undefined)(`the pool on ${title(target)}`, () => {
  let place: Place;

  beforeEach(async () => {
    place = await target.place();
  });

  afterEach(() => place.remove());

  it('says which database does not exist', async () => {
    expect(await openUrl('postgres://postgres:hunter2@127.0.0.1:5432/no_such_database')).toMatchObject({
      code: 'storage_unavailable',
      message: expect.stringContaining('database "no_such_database" does not exist') as string,
    });
  });

  it('survives the loss of its connections, reports it, and connects again', async () => {
    const faults: Error[] = [];
    const storage = await place.open({ onFault: (error) => faults.push(error) });
    await Promise.all([1, 2, 3].map(() => sql`select pg_sleep(0.05)`.execute(storage.db)));
    await sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`.execute(
      storage.db,
    );
    await expect.poll(() => faults.length, { timeout: 10_000 }).toBeGreaterThan(0);
    await expect(storage.ready()).resolves.toBeUndefined();
    await storage.close();
  });

  it('ends a statement that takes too long, and a transaction that fell silent', async () => {
    const storage = await place.open({ limits: { statementMs: 100, idleInTransactionMs: 100 } });
    await expect(sql`select pg_sleep(5)`.execute(storage.db)).rejects.toMatchObject({ code: '57014' });
    const silent = storage.db.transaction().execute(async (trx) => {
      const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(trx);
      const gone = async (): Promise<number> =>
        (await sql`select 1 from pg_stat_activity where pid = ${rows[0]?.pid}`.execute(storage.db)).rows.length;
      await expect.poll(gone, { timeout: 10_000 }).toBe(0);
      await sql`select 1`.execute(trx);
    });
    await expect(silent).rejects.toThrow();
    await expect(storage.ready()).resolves.toBeUndefined();
    await storage.close();
  });

  it('refuses more callers than it can serve instead of hanging', async () => {
    const storage = await place.open({ limits: { waitMs: 200, maxWaiting: 2 } });
    const nested = Array.from({ length: 10 }, () =>
      storage.db.transaction().execute(async (trx) => {
        await sql`select 1`.execute(trx);
        await sql`select 1`.execute(storage.db);
      }),
    );
    const results = await Promise.allSettled(nested);
    const reasons = results.filter((each) => each.status === 'rejected').map((each) => (each.reason as { code: string }).code);
    expect(new Set(reasons)).toEqual(new Set(['storage_busy']));
    await expect(storage.ready()).resolves.toBeUndefined();
    await storage.close();
  });

  it('keeps the options of the URL', async () => {
    const url = new URL(place.databaseUrl!);
    url.searchParams.set('options', '-c work_mem=7MB');
    const storage = await place.open({ databaseUrl: url.href });
    const { rows } = await sql`select current_setting('work_mem') as mem, current_setting('timezone') as zone`.execute(storage.db);
    expect(rows).toEqual([{ mem: '7MB', zone: 'UTC' }]);
    await storage.close();
  });
});
