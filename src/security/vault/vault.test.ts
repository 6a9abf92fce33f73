import { randomBytes } from 'node:crypto';
import * as fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openTestDatabase, postgresAnswers, TestClock, type Kind, type TestDatabase } from '../test-support.ts';
import { rewrap, unwrap, wrap, wrappingKey } from './envelope.ts';
import { createVault, type SecretId, type Vault } from './vault.ts';

const clock = new TestClock();
const old = randomBytes(32);
const current = randomBytes(32);
const id = (name: string, more: Partial<SecretId> = {}): SecretId => ({
  owner: 'gateway',
  issuer: 'https://issuer.example',
  kind: 'oauth_token',
  name,
  ...more,
});

describe('an envelope', () => {
  it('opens with its key as what it is, and not otherwise', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (plain, identity, other) => {
        const key = wrappingKey(old);
        const envelope = wrap(key, identity, plain);
        expect(unwrap(key, identity, envelope)).toBe(plain);
        expect(unwrap(wrappingKey(current), identity, envelope)).toBeUndefined();
        if (other !== identity) expect(unwrap(key, other, envelope)).toBeUndefined();
      }),
      { numRuns: 50 },
    );
  });

  it('does not open when a bit of it is another, or half of it is another secret', () => {
    const key = wrappingKey(old);
    const envelope = wrap(key, 'a', 'secret');
    const bent = (text: string): string => {
      const bytes = Buffer.from(text, 'base64');
      bytes.writeUInt8(bytes.readUInt8(20) ^ 1, 20);
      return bytes.toString('base64');
    };
    const second = wrap(key, 'a', 'other');
    expect(unwrap(key, 'a', { ...envelope, body: bent(envelope.body) })).toBeUndefined();
    expect(unwrap(key, 'a', { ...envelope, wrapped: bent(envelope.wrapped) })).toBeUndefined();
    expect(unwrap(key, 'a', { ...envelope, body: second.body })).toBeUndefined();
    for (const text of ['', 'x', '????']) expect(unwrap(key, 'a', { ...envelope, body: text, wrapped: text })).toBeUndefined();
  });

  it('is wrapped anew without its text being touched', () => {
    const [from, to] = [wrappingKey(old), wrappingKey(current)];
    const envelope = wrap(from, 'a', 'secret');
    const again = rewrap(from, to, 'a', envelope);
    expect(again?.body).toBe(envelope.body);
    expect(again && unwrap(to, 'a', again)).toBe('secret');
    expect(again && unwrap(from, 'a', again)).toBeUndefined();
    expect(rewrap(to, from, 'a', envelope)).toBeUndefined();
  });

  it('names its key by an id that tells nothing of it', () => {
    expect(wrappingKey(old).id).toBe(wrappingKey(old).id);
    expect(wrappingKey(old).id).not.toBe(wrappingKey(current).id);
    expect(wrappingKey(old).bytes.includes(old)).toBe(false);
  });
});

const kinds: readonly Kind[] = (await postgresAnswers()) ? ['postgres', 'pglite'] : ['pglite'];

describe.each(kinds)('the vault on %s', (kind) => {
  let database: TestDatabase;
  let vault: Vault;

  beforeAll(async () => {
    database = await openTestDatabase(kind);
  });
  afterAll(() => database.drop());
  beforeEach(async () => {
    await database.db.deleteFrom('security_vault').execute();
    vault = createVault({ db: database.db, clock, masterKey: current });
  });

  it('gives back what was put, by whose and what it is', async () => {
    expect(await vault.get(id('a'))).toBeUndefined();
    expect(await vault.put(id('a'), { access_token: 't', n: 1 })).toBe(1);
    expect(await vault.put(id('a', { owner: 'ann' }), 'hers')).toBe(1);
    expect(await vault.get(id('a'))).toEqual({ value: { access_token: 't', n: 1 }, version: 1 });
    expect(await vault.get(id('a', { owner: 'ann' }))).toEqual({ value: 'hers', version: 1 });
    expect(await vault.put(id('a'), 'new')).toBe(2);
    expect(await vault.get(id('a'))).toEqual({ value: 'new', version: 2 });
    expect(await vault.delete(id('a'))).toBe(true);
    expect(await vault.delete(id('a'))).toBe(false);
    expect(await vault.get(id('a'))).toBeUndefined();
  });

  it('lets only one of two who saw the same version store theirs', async () => {
    expect(await vault.put(id('a'), 0, { ifVersion: 0 })).toBe(1);
    expect(await vault.put(id('a'), 0, { ifVersion: 0 })).toBeUndefined();
    const versions = await Promise.all([1, 2, 3, 4].map((value) => vault.put(id('a'), value, { ifVersion: 1 })));
    expect(versions.filter((version) => version === 2)).toHaveLength(1);
    expect((await vault.get(id('a')))?.version).toBe(2);
    expect(await vault.put(id('b'), 0, { ifVersion: 3 })).toBeUndefined();
  });

  it('holds no secret in plain text', async () => {
    const planted = `planted-${randomBytes(12).toString('hex')}`;
    await vault.put(id('a'), { token: planted });
    const rows = JSON.stringify(await database.db.selectFrom('security_vault').selectAll().execute());
    expect(rows).not.toContain(planted);
    expect(rows).not.toContain(Buffer.from(planted).toString('base64').slice(4, -4));
    expect(JSON.stringify(await vault.list())).not.toContain(planted);
  });

  it('lists what there is without opening it', async () => {
    for (const name of ['b', 'a']) await vault.put(id(name), 'x');
    await vault.put(id('a', { owner: 'ann' }), 'x');
    const names = (await vault.list({ owner: 'gateway' })).map(({ name, version }) => [name, version]);
    expect(names).toEqual([
      ['a', 1],
      ['b', 1],
    ]);
    expect(await vault.list({}, 1)).toHaveLength(1);
  });

  it('refuses what it cannot open, in words that hold no secret', async () => {
    await vault.put(id('a'), 'secret');
    const other = createVault({ db: database.db, clock, masterKey: old });
    await expect(other.get(id('a'))).rejects.toMatchObject({ code: 'vault_unreadable' });
    const { body } = await database.db.selectFrom('security_vault').select('body').executeTakeFirstOrThrow();
    await vault.put(id('b'), 'other');
    await database.db.updateTable('security_vault').set({ body }).where('name', '=', 'b').execute();
    await expect(vault.get(id('b'))).rejects.toMatchObject({ code: 'vault_unreadable' });
    expect(await vault.put(id('b'), 'again')).toBe(2);
    expect((await vault.get(id('b')))?.value).toBe('again');
  });

  it('moves to another master key, and reads all the while', async () => {
    const before = createVault({ db: database.db, clock, masterKey: old });
    const names = Array.from({ length: 230 }, (_, i) => `s${i}`);
    for (const name of names) await before.put(id(name), { name });
    const lost = createVault({ db: database.db, clock, masterKey: randomBytes(32) });
    await lost.put(id('lost'), 'x');
    const both = createVault({ db: database.db, clock, masterKey: current, previousKeys: [old] });
    expect((await both.get(id('s7')))?.value).toEqual({ name: 's7' });
    // As if it had been killed in the middle: what was wrapped stays so, and the rest follows.
    const half = Promise.all([both.rotate(), both.get(id('s229')), both.put(id('s5'), 'stored meanwhile')]);
    const [{ unreadable }, read] = await half;
    expect(read?.value).toEqual({ name: 's229' });
    expect(unreadable.map(({ name }) => name)).toEqual(['lost']);
    expect((await both.rotate()).rewrapped).toBe(0);
    for (const name of names) if (name !== 's5') expect((await vault.get(id(name)))?.value).toEqual({ name });
    expect((await vault.get(id('s5')))?.value).toBe('stored meanwhile');
    await expect(before.get(id('s7'))).rejects.toMatchObject({ code: 'vault_unreadable' });
  });

  it('goes on with a move that was interrupted', async () => {
    const before = createVault({ db: database.db, clock, masterKey: old });
    for (const name of ['a', 'b', 'c']) await before.put(id(name), name);
    const both = createVault({ db: database.db, clock, masterKey: current, previousKeys: [old] });
    const [row] = await database.db.selectFrom('security_vault').selectAll().where('name', '=', 'a').execute();
    const moved =
      row && rewrap(wrappingKey(old), wrappingKey(current), row.id, { keyId: row.key_id, wrapped: row.wrapped, body: row.body });
    if (moved === undefined) throw new Error('not moved');
    await database.db.updateTable('security_vault').set({ key_id: moved.keyId, wrapped: moved.wrapped }).where('name', '=', 'a').execute();
    expect(await both.rotate()).toEqual({ rewrapped: 2, unreadable: [] });
    for (const name of ['a', 'b', 'c']) expect((await vault.get(id(name)))?.value).toBe(name);
  });
});
