import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AppError } from '../../shared/index.ts';
import { createAuditTrail } from '../audit.ts';
import { AGENT_SCOPES, type Authentication, type Principal } from '../principal.ts';
import { operator, openTestDatabase, postgresAnswers, TestClock, type Kind, type TestDatabase } from '../test-support.ts';
import { ensureFirstKeys, type ApiKeys } from './api-keys.ts';

const HOUR = 3_600_000;
const PATIENCE = { timeout: 30_000 };
const hasPostgres = await postgresAnswers();

function principalOf(who: Authentication): Principal {
  if (!who.ok) throw new Error(`refused: ${who.code}`);
  return who.principal;
}

const codeOf = (who: Authentication): string => (who.ok ? 'ok' : who.code);

async function errorCode(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return error instanceof AppError ? error.code : `not an AppError: ${String(error)}`;
}

for (const kind of ['pglite', 'postgres'] satisfies Kind[]) {
  describe.skipIf(kind === 'postgres' && !hasPostgres)(
    `API keys on ${kind}${hasPostgres ? '' : ' (skipped: no PostgreSQL answers)'}`,
    () => {
      let database: TestDatabase;
      let clock: TestClock;
      let keys: ApiKeys;

      const use = (secret: string, by: ApiKeys = keys): Authentication => by.authenticate(`Bearer ${secret}`);

      beforeAll(async () => {
        database = await openTestDatabase(kind);
      });
      afterAll(() => database.drop());
      beforeEach(async () => {
        await database.clear();
        clock = new TestClock();
        keys = await database.keys(clock);
      });

      it('makes a key that authenticates at once, under any spelling of the scheme', async () => {
        const { key, secret } = await keys.create({ name: ' desk ', scopes: ['account:read', 'market:read'] }, operator);
        expect(key).toMatchObject({
          name: 'desk',
          scopes: ['market:read', 'account:read'],
          state: 'live',
          hint: secret.slice(-4),
          expiresAt: null,
        });
        for (const scheme of ['Bearer', 'bearer', 'BEARER']) {
          const principal = principalOf(keys.authenticate(`${scheme} ${secret}`));
          expect(principal).toMatchObject({ id: key.principal, kind: 'api_key', client: 'desk' });
          expect([...principal.scopes]).toEqual(['market:read', 'account:read']);
        }
      });

      it('stores the secret nowhere: not in a row, not in the audit trail, not in a list', async () => {
        const { secret } = await keys.create({ name: 'a', scopes: ['market:read'] }, operator);
        const rows = await database.db.selectFrom('security_api_keys').selectAll().execute();
        const trail = await createAuditTrail({ db: database.db, clock }).list(1000);
        const everything = JSON.stringify([rows, trail, await keys.list()]);
        expect(everything).not.toContain(secret);
        expect(everything).not.toContain(secret.slice(4, 20));
      });

      it('tells missing, malformed, damaged, unknown, revoked and expired credentials apart', async () => {
        const revoked = await keys.create({ name: 'r', scopes: ['market:read'] }, operator);
        const expired = await keys.create({ name: 'e', scopes: ['market:read'], expiresInDays: 1 }, operator);
        await keys.revoke(revoked.key.id, operator);
        clock.pass(24 * HOUR);
        const typo = `${expired.secret.slice(0, -1)}${expired.secret.endsWith('0') ? '1' : '0'}`;
        expect(codeOf(keys.authenticate(undefined))).toBe('credential_missing');
        expect(codeOf(keys.authenticate(''))).toBe('credential_missing');
        expect(codeOf(keys.authenticate('Basic dXNlcjpwYXNz'))).toBe('credential_malformed');
        expect(codeOf(keys.authenticate('Bearer'))).toBe('credential_malformed');
        expect(codeOf(keys.authenticate('Bearer two words'))).toBe('credential_malformed');
        expect(codeOf(use(typo))).toBe('credential_malformed');
        expect(codeOf(use(expired.secret.slice(0, -3)))).toBe('credential_malformed');
        expect(codeOf(use('some-other-token-of-24-chars'))).toBe('credential_unknown');
        expect(codeOf(use(revoked.secret))).toBe('credential_revoked');
        expect(codeOf(use(expired.secret))).toBe('credential_expired');
      });

      it('never repeats a credential in a refusal', async () => {
        const { key, secret } = await keys.create({ name: 'r', scopes: ['market:read'] }, operator);
        await keys.revoke(key.id, operator);
        for (const token of [secret, `${secret}x`, 'unknown-unknown-unknown-unknown'])
          expect(JSON.stringify(use(token))).not.toContain(token);
      });

      it('a key ends exactly at its expiry, without a reload', async () => {
        const { secret } = await keys.create({ name: 'e', scopes: ['market:read'], expiresInDays: 1 / 24 }, operator);
        clock.pass(HOUR - 1);
        expect(codeOf(use(secret))).toBe('ok');
        clock.pass(1);
        expect(codeOf(use(secret))).toBe('credential_expired');
      });

      it('rotates with an overlap, keeping name, scopes, principal and length of life', async () => {
        const first = await keys.create({ name: 'bot', scopes: ['market:read'], expiresInDays: 30 }, operator);
        clock.pass(10 * 24 * HOUR);
        const next = await keys.rotate(first.key.id, { overlapSeconds: 3600 }, operator);
        expect(next.key).toMatchObject({ name: 'bot', scopes: ['market:read'], principal: first.key.principal });
        expect(next.previous).toMatchObject({ id: first.key.id, replacedBy: next.key.id, state: 'live' });
        expect(Date.parse(next.key.expiresAt ?? '')).toBe(clock.time + 30 * 24 * HOUR);
        expect(principalOf(use(first.secret)).id).toBe(principalOf(use(next.secret)).id);
        clock.pass(HOUR);
        expect(use(first.secret)).toMatchObject({ code: 'credential_expired', message: expect.stringContaining('rotation') });
        expect(codeOf(use(next.secret))).toBe('ok');
      });

      it('an overlap of zero ends the old secret at once, and never lengthens a life', async () => {
        const first = await keys.create({ name: 'bot', scopes: ['market:read'], expiresInDays: 1 }, operator);
        const second = await keys.rotate(first.key.id, { overlapSeconds: 0 }, operator);
        expect(codeOf(use(first.secret))).toBe('credential_expired');
        clock.pass(23 * HOUR);
        const third = await keys.rotate(second.key.id, { overlapSeconds: 86_400 }, operator);
        clock.pass(HOUR);
        expect(codeOf(use(second.secret))).toBe('credential_expired');
        expect(codeOf(use(third.secret))).toBe('ok');
      });

      it('tells of a rotation while the old secret still counts, and survives a listener that fails', async () => {
        const told: unknown[] = [];
        const faults: unknown[] = [];
        const listening: ApiKeys = await database.keys(clock, {
          onFault: (error) => faults.push(error),
          onRotated(principalId, secret) {
            told.push([principalId, secret, codeOf(listening.authenticate(`Bearer ${first.secret}`))]);
            throw new Error('disk full');
          },
        });
        const first = await listening.create({ name: 'bot', scopes: ['market:read'] }, operator);
        const next = await listening.rotate(first.key.id, { overlapSeconds: 0 }, operator);
        expect(told).toEqual([[first.key.principal, next.secret, 'ok']]);
        expect(faults).toHaveLength(1);
        expect([codeOf(use(first.secret, listening)), codeOf(use(next.secret, listening))]).toEqual(['credential_expired', 'ok']);
      });

      it('refuses to rotate a replaced, revoked or unknown key', async () => {
        const { key } = await keys.create({ name: 'bot', scopes: ['market:read'] }, operator);
        const next = await keys.rotate(key.id, {}, operator);
        expect(await errorCode(keys.rotate(key.id, {}, operator))).toBe('key_replaced');
        await keys.revoke(next.key.id, operator);
        expect(await errorCode(keys.rotate(next.key.id, {}, operator))).toBe('key_revoked');
        expect(await errorCode(keys.rotate('key_nope', {}, operator))).toBe('key_not_found');
        expect(await errorCode(keys.revoke('key_nope', operator))).toBe('key_not_found');
      });

      it('of two rotations at once exactly one wins', async () => {
        const { key } = await keys.create({ name: 'bot', scopes: ['market:read'] }, operator);
        const results = await Promise.allSettled([keys.rotate(key.id, {}, operator), keys.rotate(key.id, {}, operator)]);
        expect(results.map((result) => result.status).toSorted()).toEqual(['fulfilled', 'rejected']);
      });

      it('revoking a key ends the secrets it replaced too; revoking the old one leaves the new one', async () => {
        const first = await keys.create({ name: 'bot', scopes: ['market:read'] }, operator);
        const second = await keys.rotate(first.key.id, {}, operator);
        await keys.revoke(first.key.id, operator);
        expect([codeOf(use(first.secret)), codeOf(use(second.secret))]).toEqual(['credential_revoked', 'ok']);
        const third = await keys.rotate(second.key.id, {}, operator);
        expect(codeOf(use(second.secret))).toBe('ok');
        await keys.revoke(third.key.id, operator);
        expect([codeOf(use(second.secret)), codeOf(use(third.secret))]).toEqual(['credential_revoked', 'credential_revoked']);
        expect((await keys.revoke(third.key.id, operator)).state).toBe('revoked');
      });

      it('hands out approver keys only to an approver', async () => {
        const made = await ensureFirstKeys(keys);
        const approver = principalOf(use(made?.approver ?? ''));
        const agent = principalOf(use(made?.agent ?? ''));
        const wanted = { name: 'second approver', scopes: ['approve'] };
        expect(await errorCode(keys.create(wanted, operator))).toBe('approver_required');
        expect(await errorCode(keys.create(wanted, { ...operator, approver: agent }))).toBe('approver_required');
        const { key } = await keys.create(wanted, { ...operator, approver });
        expect(await errorCode(keys.rotate(key.id, {}, operator))).toBe('approver_required');
        expect((await keys.rotate(key.id, {}, { ...operator, approver })).key.scopes).toEqual(['approve']);
      });

      it('refuses bad input with a code and the field', async () => {
        const create = (input: { name?: string; scopes?: string[]; expiresInDays?: number; secret?: string }): Promise<string> =>
          errorCode(keys.create({ name: 'n', scopes: ['market:read'], ...input }, operator));
        expect(await create({ name: '' })).toBe('invalid_request');
        expect(await create({ name: 'two\nlines' })).toBe('invalid_request');
        expect(await create({ name: 'x'.repeat(65) })).toBe('invalid_request');
        expect(await create({ scopes: [] })).toBe('invalid_request');
        expect(await create({ scopes: ['market:write'] })).toBe('unknown_scope');
        expect(await create({ scopes: ['market:read', 'admin'] })).toBe('scopes_not_combinable');
        expect(await create({ scopes: ['trade:write', 'approve'] })).toBe('scopes_not_combinable');
        for (const expiresInDays of [0, -1, Number.NaN, 4000]) expect(await create({ expiresInDays })).toBe('invalid_request');
        for (const secret of ['short', `${'x'.repeat(30)} y`, 'é'.repeat(30), 'x'.repeat(257)])
          expect(await create({ secret })).toBe('invalid_secret');
        expect(await create({ secret: 'x'.repeat(24) })).toMatch(/^not an AppError: undefined$/);
        expect(await create({ secret: 'x'.repeat(24) })).toBe('secret_taken');
        await expect(keys.create({ name: 'n', scopes: ['nope'] }, operator)).rejects.toThrow(/market:read, account:read, trade:preview/);
        expect(await keys.list()).toHaveLength(1);
      });

      it('makes the first keys once, even if two replicas start at the same time', async () => {
        const other = await database.keys(clock);
        const made = await Promise.all([ensureFirstKeys(keys), ensureFirstKeys(other)]);
        const winners = made.filter((result) => result !== undefined);
        expect(winners).toHaveLength(1);
        expect(await ensureFirstKeys(keys)).toBeUndefined();
        const [{ agent, approver } = { agent: '', approver: '' }] = winners;
        for (const replica of [keys, other]) {
          await replica.reload();
          expect([...principalOf(use(agent, replica)).scopes]).toEqual([...AGENT_SCOPES]);
          expect([...principalOf(use(approver, replica)).scopes]).toEqual(['approve']);
        }
      });

      it('takes a bootstrap secret for the agent, and makes nothing if the keys cannot be delivered', async () => {
        const full = new Error('disk full');
        await expect(ensureFirstKeys(keys, { deliver: () => Promise.reject(full) })).rejects.toBe(full);
        expect(await keys.list()).toEqual([]);
        expect(await errorCode(ensureFirstKeys(keys, { bootstrapSecret: 'too short' }))).toBe('invalid_secret');
        const secret = 'my-own-bootstrap-secret-0001';
        expect((await ensureFirstKeys(keys, { bootstrapSecret: secret }))?.agent).toBe(secret);
        expect(codeOf(use(secret))).toBe('ok');
      });

      it('never makes first keys again once every key was revoked', async () => {
        await ensureFirstKeys(keys);
        for (const key of await keys.list()) await keys.revoke(key.id, operator);
        expect(await ensureFirstKeys(keys)).toBeUndefined();
      });

      it('a change on one replica reaches the other with its next reload', async () => {
        const other = await database.keys(clock);
        const { key, secret } = await keys.create({ name: 'a', scopes: ['market:read'] }, operator);
        expect(codeOf(use(secret, other))).toBe('credential_unknown');
        await other.reload();
        expect(codeOf(use(secret, other))).toBe('ok');
        await keys.revoke(key.id, operator);
        await other.reload();
        expect(codeOf(use(secret, other))).toBe('credential_revoked');
      });

      it('a change survives a reload that had read before it', async () => {
        const { key, secret } = await keys.create({ name: 'a', scopes: ['market:read'] }, operator);
        await Promise.all([keys.reload(), keys.revoke(key.id, operator), keys.reload(), keys.reload()]);
        expect(codeOf(use(secret))).toBe('credential_revoked');
      });

      it('writes last use back in batches, never backwards', async () => {
        const { key, secret } = await keys.create({ name: 'a', scopes: ['market:read'] }, operator);
        const stored = async (): Promise<Date | null | undefined> =>
          (await database.db.selectFrom('security_api_keys').select('last_used_at').where('id', '=', key.id).executeTakeFirst())
            ?.last_used_at;
        clock.pass(5000);
        for (let i = 0; i < 100; i++) use(secret);
        expect(await stored()).toBeNull();
        await keys.flush();
        expect((await stored())?.getTime()).toBe(clock.time);
        const late = await database.keys({ now: () => clock.time - 1000 });
        use(secret, late);
        await late.flush();
        expect((await stored())?.getTime()).toBe(clock.time);
        expect((await keys.list())[0]?.lastUsedAt).toBe(new Date(clock.time).toISOString());
      });

      it('its timers reload and write back, and end with stop, which writes back what is left', async () => {
        const timed = await database.keys(clock, { reloadMs: 5, flushMs: 5 });
        timed.start();
        const { secret } = await keys.create({ name: 'a', scopes: ['market:read'] }, operator);
        await expect.poll(() => codeOf(use(secret, timed)), PATIENCE).toBe('ok');
        await expect.poll(async () => (await keys.list())[0]?.lastUsedAt).toBe(new Date(clock.time).toISOString());
        clock.pass(1000);
        await timed.stop();
        use(secret, timed);
        await timed.stop();
        expect((await keys.list())[0]?.lastUsedAt).toBe(new Date(clock.time).toISOString());
      });

      it('writes one audit row per change, which the database refuses to alter', async () => {
        const trail = createAuditTrail({ db: database.db, clock });
        const before = (await trail.list(1000)).length;
        const { key } = await keys.create({ name: 'a', scopes: ['market:read'] }, operator);
        const next = await keys.rotate(key.id, {}, operator);
        await keys.revoke(next.key.id, operator);
        await errorCode(keys.create({ name: 'a', scopes: ['approve'] }, operator));
        const rows = await trail.list(1000);
        expect(rows.slice(0, rows.length - before).map(({ actor, action, subject }) => [actor, action, subject])).toEqual([
          ['local', 'key.revoke', next.key.id],
          ['local', 'key.rotate', key.id],
          ['local', 'key.create', key.id],
        ]);
        await expect(database.db.deleteFrom('security_audit').execute()).rejects.toThrow(/append-only/);
        await expect(database.db.updateTable('security_audit').set({ actor: 'x' }).execute()).rejects.toThrow(/append-only/);
      });
    },
  );
}

describe('API keys while the database fails', () => {
  it('go on working from memory, and the fault is told', async () => {
    const database = await openTestDatabase('pglite');
    const faults: unknown[] = [];
    const keys = await database.keys(new TestClock(), { reloadMs: 5, flushMs: 1e9, onFault: (error) => faults.push(error) });
    const { secret } = await keys.create({ name: 'a', scopes: ['market:read'] }, operator);
    await database.drop();
    keys.start();
    await expect.poll(() => faults.length, PATIENCE).toBeGreaterThan(0);
    expect(keys.authenticate(`Bearer ${secret}`).ok).toBe(true);
    await keys.stop();
  });
});
