import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { DoctorCheck } from '../../contract/index.ts';
import { openTestDatabase, postgresAnswers, TestClock, type Kind, type TestDatabase } from '../test-support.ts';
import { checkMasterKey } from './known-master.ts';

const hasPostgres = await postgresAnswers();
const A = Buffer.alloc(32, 1);
const B = Buffer.alloc(32, 2);

for (const kind of ['pglite', 'postgres'] satisfies Kind[]) {
  describe.skipIf(kind === 'postgres' && !hasPostgres)(
    `the master key that a database knows on ${kind}${hasPostgres ? '' : ' (skipped: no PostgreSQL answers)'}`,
    () => {
      let database: TestDatabase;
      const check = (master: Buffer, shared: boolean, remember = true): Promise<DoctorCheck[]> =>
        checkMasterKey({ db: database.db, clock: new TestClock(), master, shared, remember });

      beforeAll(async () => {
        database = await openTestDatabase(kind);
      });
      afterAll(() => database.drop());
      afterEach(() => database.db.deleteFrom('security_master_key').execute());

      it('is the first one, by an id that tells nothing of it', async () => {
        expect(await check(A, true)).toEqual([]);
        expect(await check(Buffer.from(A), true)).toEqual([]);
        const rows = await database.db.selectFrom('security_master_key').selectAll().execute();
        expect(rows).toHaveLength(1);
        for (const form of ['hex', 'base64', 'base64url'] as const)
          expect(JSON.stringify(rows)).not.toContain(A.toString(form).slice(0, 16));
      });

      it('is kept where others may use it: every other key is told, each time', async () => {
        await check(A, true);
        for (let i = 0; i < 2; i++) {
          const [note] = await check(B, true);
          expect(note).toMatchObject({ name: 'master key', status: 'warning' });
          expect(note?.message).toContain('tasks are "not found"');
          expect(note?.advice).toContain('STOCKPULSE_MASTER_KEY');
        }
        expect(await check(A, true)).toEqual([]);
      });

      it('is replaced where nobody else can use it, and that is told once', async () => {
        await check(A, false);
        expect(await check(B, false)).toMatchObject([{ status: 'warning', advice: expect.stringContaining('master.key') as string }]);
        expect(await check(B, false)).toEqual([]);
      });

      it('is not decided by a look', async () => {
        expect(await check(B, true, false)).toEqual([]);
        await check(A, false);
        expect(await check(B, false, false)).toHaveLength(1);
        expect(await check(A, false)).toEqual([]);
      });

      it('is one for processes that start at the same moment', async () => {
        const both = await Promise.all([check(A, true), check(B, true)]);
        expect(both.flat()).toHaveLength(1);
      });
    },
  );
}
