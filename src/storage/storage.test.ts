import { sql, type Generated } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isUniqueViolation, jsonb, typedDb, type Storage } from './index.ts';
import { removeTemplate, targets, title, type Place, type Target } from './test-support.ts';

interface Tables {
  notes: { id: Generated<bigint>; key: string; body: unknown };
}

const notes = {
  name: 'test-001-notes',
  up: async (db: Storage['db']): Promise<void> => {
    await db.schema
      .createTable('notes')
      .addColumn('id', 'bigint', (column) => column.primaryKey().generatedAlwaysAsIdentity())
      .addColumn('key', 'text', (column) => column.notNull().unique())
      .addColumn('body', 'jsonb')
      .execute();
  },
};

afterAll(removeTemplate);

const suite = (target: Target) => (): void => {
  let place: Place;
  let storage: Storage;

  beforeAll(async () => {
    place = await target.place();
    storage = await place.open({ migrations: [notes] });
  });

  afterAll(async () => {
    await storage.close();
    await place.remove();
  });

  it('creates, reads, updates and deletes through the typed handle', async () => {
    const db = typedDb<Tables>(storage);
    const made = await db
      .insertInto('notes')
      .values({ key: 'crud', body: jsonb({ a: [1, 'two', null] }) })
      .returningAll()
      .executeTakeFirstOrThrow();
    expect(made).toEqual({ id: expect.any(BigInt), key: 'crud', body: { a: [1, 'two', null] } });
    const changed = await db
      .updateTable('notes')
      .set({ body: jsonb(['x']) })
      .where('id', '=', made.id)
      .executeTakeFirstOrThrow();
    expect(changed.numUpdatedRows).toBe(1n);
    expect(await db.selectFrom('notes').select('body').where('key', '=', 'crud').executeTakeFirst()).toEqual({ body: ['x'] });
    const gone = await db.deleteFrom('notes').where('key', '=', 'crud').executeTakeFirst();
    expect(gone.numDeletedRows).toBe(1n);
    expect(storage.kind).toBe(target.kind);
  });

  it('gives every type the same JavaScript value on both databases', async () => {
    const at = new Date('2026-03-08T06:59:59.123Z');
    const { rows } = await sql`select
      ${'9007199254740993'}::int8 as big, 7::int4 as int, ${'12345678901234567890.000000001'}::numeric as money, 0.1::float8 as float,
      ${at}::timestamptz as at, ${at}::timestamp as local, '2026-11-01'::date as day, ${Buffer.from([0, 255, 39, 92])}::bytea as bytes,
      ${jsonb({ n: 1.5, s: 'é"\\', z: null })} as json, ${true}::bool as flag, null::text as nothing, ${['a', 'b,"c"']}::text[] as texts,
      array[1, 9007199254740993]::int8[] as bigs, array['2026-11-01']::date[] as days, ${10n}::int8 as sent, ${''}::text as empty,
      ${'emoji 📈 and \u0001'}::text as text, ${'00000000-0000-4000-8000-000000000000'}::uuid as uuid`.execute(storage.db);
    expect(rows).toEqual([
      {
        big: 9007199254740993n,
        int: 7,
        money: '12345678901234567890.000000001',
        float: 0.1,
        at,
        local: '2026-03-08 06:59:59.123',
        day: '2026-11-01',
        bytes: Buffer.from([0, 255, 39, 92]),
        json: { n: 1.5, s: 'é"\\', z: null },
        flag: true,
        nothing: null,
        texts: ['a', 'b,"c"'],
        bigs: [1n, 9007199254740993n],
        days: ['2026-11-01'],
        sent: 10n,
        empty: '',
        text: 'emoji 📈 and \u0001',
        uuid: '00000000-0000-4000-8000-000000000000',
      },
    ]);
  });

  it('works in UTC whatever the machine says', async () => {
    const { rows } = await sql<{ zone: string }>`select current_setting('timezone') as zone`.execute(storage.db);
    expect(rows).toEqual([{ zone: 'UTC' }]);
  });

  it('carries values larger than any buffer', async () => {
    const large = 'ä'.repeat(3_000_000);
    const { rows } = await sql<{ back: string }>`select ${large}::text as back`.execute(storage.db);
    expect(rows[0]?.back === large).toBe(true);
    const many = await sql<{ n: number }>`select n from generate_series(1, 50000) n`.execute(storage.db);
    expect(many.rows).toHaveLength(50_000);
  });

  it('reports an error of the database with its SQLSTATE and goes on', async () => {
    const db = typedDb<Tables>(storage);
    const insert = (): Promise<unknown> => db.insertInto('notes').values({ key: 'once', body: null }).execute();
    await insert();
    const error: unknown = await insert().catch((thrown: unknown) => thrown);
    expect(isUniqueViolation(error)).toBe(true);
    expect(isUniqueViolation(error, 'notes_key_key')).toBe(true);
    expect(isUniqueViolation(error, 'other')).toBe(false);
    await expect(sql`select 1 / 0`.execute(db)).rejects.toMatchObject({ code: '22012' });
    await expect(sql`selec`.execute(db)).rejects.toMatchObject({ code: '42601' });
    await expect(sql`select ${'x'}::int`.execute(db)).rejects.toMatchObject({ code: '22P02' });
    await expect(storage.ready()).resolves.toBeUndefined();
  });

  it('rolls back all of a transaction that throws, and one whose statement failed', async () => {
    const db = typedDb<Tables>(storage);
    const thrown = db.transaction().execute(async (trx) => {
      await trx.insertInto('notes').values({ key: 'rolled-back', body: null }).execute();
      throw new Error('no');
    });
    await expect(thrown).rejects.toThrow('no');
    const swallowed = db.transaction().execute(async (trx) => {
      await trx.insertInto('notes').values({ key: 'rolled-back', body: null }).execute();
      await sql`select 1 / 0`.execute(trx).catch(() => undefined);
    });
    await expect(swallowed).rejects.toThrow();
    expect(await db.selectFrom('notes').selectAll().where('key', '=', 'rolled-back').execute()).toEqual([]);
  });

  it('runs many callers and transactions at once without mixing them', async () => {
    const db = typedDb<Tables>(storage);
    const work = Array.from({ length: 60 }, async (_, n) => {
      if (n % 3 === 0) return db.transaction().execute((trx) => twoRows(trx, n));
      const { rows } = await sql<{ n: number }>`select ${n}::int as n`.execute(db);
      expect(rows).toEqual([{ n }]);
    });
    await Promise.all(work);
    const rows = await db.selectFrom('notes').select('key').where('key', 'like', 'pair-%').execute();
    expect(rows).toHaveLength(40);
  });

  const twoRows = async (trx: ReturnType<typeof typedDb<Tables>>, n: number): Promise<void> => {
    await trx
      .insertInto('notes')
      .values({ key: `pair-${n}-a`, body: null })
      .execute();
    await trx
      .insertInto('notes')
      .values({ key: `pair-${n}-b`, body: null })
      .execute();
  };

  it('does not pass on a transaction that somebody left open', async () => {
    await storage.db.connection().execute(async (connection) => {
      await sql`begin`.execute(connection);
      await sql`select 1`.execute(connection);
      if (target.kind === 'postgres') await sql`rollback`.execute(connection);
    });
    const { rows } = await sql<{ fresh: boolean }>`select now() = statement_timestamp() as fresh`.execute(storage.db);
    expect(rows).toEqual([{ fresh: true }]);
  });

  it('lets a transaction finish on close, refuses what comes later, and may be closed twice', async () => {
    const other = await target.place();
    const second = await other.open();
    const begun = Promise.withResolvers<void>();
    const finish = Promise.withResolvers<void>();
    const working = second.db.transaction().execute(async (trx) => {
      await sql`create table kept (id int)`.execute(trx);
      begun.resolve();
      await finish.promise;
      await sql`insert into kept values (1)`.execute(trx);
    });
    await begun.promise;
    const closed = Promise.all([second.close(), second.close()]);
    await expect(sql`select 1`.execute(second.db)).rejects.toMatchObject({ code: 'storage_closed' });
    finish.resolve();
    await working;
    await closed;
    await second.close();
    await expect(second.ready()).rejects.toMatchObject({ code: 'storage_closed' });
    const third = await other.open();
    expect((await sql`select * from kept`.execute(third.db)).rows).toEqual([{ id: 1 }]);
    await third.close();
    await other.remove();
  });

  it('ends on close a transaction that never would', async () => {
    const other = await target.place();
    const second = await other.open({ limits: { closeMs: 100 } });
    const begun = Promise.withResolvers<void>();
    const never = Promise.withResolvers<void>();
    const stuck = second.db.transaction().execute(async (trx) => {
      await sql`create table lost (id int)`.execute(trx);
      begun.resolve();
      await never.promise;
    });
    await begun.promise;
    await second.close();
    never.reject(new Error('never'));
    await expect(stuck).rejects.toThrow();
    const third = await other.open();
    await expect(sql`select * from lost`.execute(third.db)).rejects.toMatchObject({ code: '42P01' });
    await third.close();
    await other.remove();
  });

  it('stops opening when told to', async () => {
    const other = await target.place();
    await expect(other.open({ signal: AbortSignal.abort(new Error('stop')) })).rejects.toThrow('stop');
    const during = new AbortController();
    const opening = other.open({
      signal: during.signal,
      migrations: [{ name: 'test-001-slow', up: () => new Promise(() => during.abort(new Error('stop'))) }],
    });
    await expect(opening).rejects.toThrow('stop');
    await (await other.open()).close();
    await other.remove();
  });
};

for (const target of targets) describe.skipIf(target.skip !== undefined)(`storage on ${title(target)}`, suite(target));
