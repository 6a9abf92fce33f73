import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openStorage, typedDb, type Storage } from '../storage/index.ts';
import { createClientManager } from './index.ts';
import { clientManagerMigrations } from './migrations.ts';
import type { ClientManagerTables } from './tables.ts';
import { httpConfig, kit, stdioConfig } from './test-kit.ts';
import { Verdicts } from './verdicts.ts';

// A real database on a busy machine: a slow one is no failure.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const clock = { time: 1_000_000, now: () => clock.time };
const DAY_MS = 24 * 3_600_000;
let folder: string;
let storage: Storage;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'verdicts-'));
  storage = await openStorage({ dataDir: folder, migrations: clientManagerMigrations });
});

afterAll(async () => {
  await storage.close();
  await rm(folder, { recursive: true, force: true });
});

const faults: unknown[] = [];
const verdicts = (db: 'none' | 'own' = 'own'): Verdicts =>
  new Verdicts({
    db: db === 'none' ? undefined : typedDb<ClientManagerTables>(storage),
    clock,
    holdMs: DAY_MS,
    onFault: (error) => faults.push(error),
  });

describe('a verdict', () => {
  const config = httpConfig('one', 'https://one.example/mcp?token=secret');

  it('outlives the process, for a day, at the same address', async () => {
    const first = verdicts();
    first.set('one', config, 'modern');
    first.set('one', config, 'legacy');
    await first.flush();
    const second = verdicts();
    expect(second.get('one', config)).toBeUndefined();
    await second.load(['one', 'two']);
    expect(second.get('one', config)).toBe('legacy');
    expect(second.get('two', config)).toBeUndefined();
    expect(second.get('one', httpConfig('one', 'https://two.example/mcp'))).toBeUndefined();
    expect(second.get('one', { ...config, transport: 'sse' })).toBeUndefined();
    clock.time += DAY_MS;
    expect(second.get('one', config)).toBeUndefined();
    const rows = await typedDb<ClientManagerTables>(storage).selectFrom('client_manager_verdicts').selectAll().execute();
    expect(rows).toMatchObject([{ server: 'one', address: 'http https://one.example/mcp', era: 'legacy' }]);
    expect(faults).toEqual([]);
  });

  it('is kept for the process where there is no database', async () => {
    const one = verdicts('none');
    await one.load(['one']);
    one.set('one', config, 'modern');
    await one.flush();
    expect(one.get('one', config)).toBe('modern');
  });

  it('that cannot be kept costs nothing but an event', async () => {
    const broken = { ...config, url: `https://one.example/${'\0'}` };
    const one = verdicts();
    one.set('nul\0', broken, 'modern');
    await one.flush();
    expect(faults).toHaveLength(1);
    expect(one.get('nul\0', broken)).toBe('modern');
  });

  it('of a legacy program starts it beside its probe at the next start', async () => {
    const config = stdioConfig('old', ['--era', 'legacy']);
    const purposes: (readonly string[])[] = [];
    for (let process = 0; process < 2; process++) {
      const one = await kit([]);
      const started: string[] = [];
      const manager = createClientManager({
        servers: [config],
        registry: one.registry,
        caps: one.caps,
        clock,
        gateway: { name: 'gateway', version: '1' },
        childrenDir: one.dir,
        storage,
        onEvent: (event) => void (event.kind === 'child_started' && started.push(event.purpose)),
      });
      await manager.start();
      expect(one.registry.get('old')?.eras).toEqual(['legacy']);
      await manager.stop();
      await one.end();
      purposes.push(started);
    }
    expect(purposes).toEqual([
      ['probe', 'serve'],
      ['serve', 'probe'],
    ]);
  });
});
