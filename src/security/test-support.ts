import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql, type Kysely } from 'kysely';
import { vi } from 'vitest';
import { Caps, type Clock } from '../shared/index.ts';
import { openStorage, typedDb, type Storage } from '../storage/index.ts';
import { createApiKeys, type ApiKeys, type ApiKeysOptions } from './keys/api-keys.ts';
import type { KeyActor } from './keys/input.ts';
import { securityMigrations } from './migrations.ts';
import { LOCAL_OPERATOR } from './principal.ts';
import type { SecurityTables } from './tables.ts';

// Real databases on a busy machine: a slow one is no failure.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

/** A clock that tests move. */
export class TestClock implements Clock {
  time = Date.UTC(2026, 5, 1);

  now(): number {
    return this.time;
  }

  pass(ms: number): void {
    this.time += ms;
  }
}

export type Kind = 'pglite' | 'postgres';
const SERVER = process.env.STOCKPULSE_TEST_DATABASE_URL ?? 'postgres://postgres@127.0.0.1:5432/test';

/** A database of its own, with this room's tables. */
export interface TestDatabase {
  readonly storage: Storage;
  readonly db: Kysely<SecurityTables>;
  keys(clock: Clock, options?: Partial<ApiKeysOptions>): Promise<ApiKeys>;
  /** Back to the state after the migrations; the audit trail only grows. */
  clear(): Promise<void>;
  drop(): Promise<void>;
}

async function withServer(statement: string): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), 'sp-security-'));
  const storage = await openStorage({ databaseUrl: SERVER, dataDir, migrations: [] });
  try {
    await sql.raw(statement).execute(storage.db);
  } finally {
    await storage.close();
    await rm(dataDir, { recursive: true, force: true });
  }
}

/** Whether the PostgreSQL of the tests answers. */
export async function postgresAnswers(): Promise<boolean> {
  return withServer('select 1').then(
    () => true,
    () => false,
  );
}

export async function openTestDatabase(kind: Kind): Promise<TestDatabase> {
  const dataDir = await mkdtemp(join(tmpdir(), 'sp-security-'));
  const name = `security_${randomUUID().replaceAll('-', '')}`;
  if (kind === 'postgres') await withServer(`create database ${name}`);
  const url = new URL(SERVER);
  url.pathname = `/${name}`;
  const storage = await openStorage({ ...(kind === 'postgres' ? { databaseUrl: url.href } : {}), dataDir, migrations: securityMigrations });
  const db = typedDb<SecurityTables>(storage);
  return {
    storage,
    db,
    keys: (clock, options = {}) => createApiKeys({ db, clock, caps: new Caps(), ...options }),
    clear: async () => {
      await db.deleteFrom('security_api_keys').execute();
    },
    drop: async () => {
      await storage.close();
      if (kind === 'postgres') await withServer(`drop database ${name}`);
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** The operator on the socket, alone or with an approver beside it. */
export const operator: KeyActor = { principal: LOCAL_OPERATOR };
