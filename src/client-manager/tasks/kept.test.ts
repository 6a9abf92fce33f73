import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openStorage, typedDb, type Storage } from '../../storage/index.ts';
import { clientManagerMigrations } from '../index.ts';
import type { ClientManagerTables } from '../tables.ts';
import { httpConfig, httpUpstream, until, type HttpUpstream } from '../test-kit.ts';
import { elicit } from '../leases/leases-kit.ts';
import { policies, tasksKit, textOf, type KitOptions, type TasksKit } from './tasks-kit.ts';

/** What outlives the process that minted a task, and what outlives nothing: on a real database. */

const open = (dataDir: string): Promise<Storage> => openStorage({ dataDir, migrations: clientManagerMigrations });

let dataDir: string;
let storage: Storage;
let upstream: HttpUpstream;
let kits: TasksKit[] = [];

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'kept-tasks-'));
  storage = await open(dataDir);
});

afterEach(async () => {
  for (const kit of kits) await kit.stop();
  kits = [];
  await upstream.close();
  await typedDb<ClientManagerTables>(storage).deleteFrom('mcp_tasks').execute();
});

afterAll(async () => {
  await storage.close();
  await rm(dataDir, { recursive: true, force: true });
});

async function start(options: KitOptions = {}): Promise<TasksKit> {
  if (kits.length === 0) upstream = await httpUpstream({ era: 'legacy', sse: true });
  const tools = policies('always', 'echo', 'hang', 'converse', 'fail');
  const kit = await tasksKit([httpConfig('one', upstream.url, { tools })], { storage, ...options });
  kits.push(kit);
  return kit;
}

const rows = () => typedDb<ClientManagerTables>(storage).selectFrom('mcp_tasks').selectAll().execute();

describe('a task in the database', () => {
  it('is written before its client hears of it, and when it has ended', async () => {
    const kit = await start();
    const id = await kit.mint('hang');
    expect(await rows()).toMatchObject([
      { id, server: 'one', principal: 'ann', tool: 'hang', status: 'working', result: null, error: null },
    ]);
    await kit.task('cancel', id);
    await kit.until(id, 'cancelled');
    expect(await rows()).toMatchObject([{ id, status: 'cancelled', result: null }]);
  });

  it('is there for the next process: its result, or that its outcome is unknown', async () => {
    const text = 'a "text" with \\ and \n, ☃';
    const first = await start();
    const done = await first.mint('echo', { text });
    const before = await first.until(done, 'completed');
    const running = await first.mint('hang');
    const asking = await first.mint('converse', { steps: [{ ask: [elicit()] }] });
    await first.until(asking, 'input_required');
    // The first process does not end its tasks in any orderly way: for the second one it is gone.
    const second = await start();
    expect(await second.seen(done)).toEqual(before);
    expect(textOf(before.result)).toBe(text);
    for (const id of [running, asking]) {
      expect(await second.seen(id)).toMatchObject({
        status: 'failed',
        statusMessage: expect.stringContaining('has ended') as string,
        error: { code: 5020, data: { code: 'outcome_unknown', executed: 'unknown' } },
      });
      expect(await second.task('update', id, { inputResponses: {} })).toMatchObject({ kind: 'complete' });
      expect(await second.task('cancel', id)).toMatchObject({ kind: 'complete' });
    }
    expect(await second.task('get', done, {}, { principal: 'bob' })).toMatchObject({ error: { code: -32602 } });
    const { honoured, told, close } = await second.listen([done, running]);
    expect(new Set(honoured)).toEqual(new Set([done, running]));
    expect(new Set(told.map(({ status }) => status))).toEqual(new Set(['completed', 'failed']));
    close();
    expect(upstream.calls).toHaveLength(3);
  });

  it('is written as it is when the gateway stops', async () => {
    const kit = await start();
    const id = await kit.mint('hang');
    await until(() => upstream.calls.length === 1);
    await kit.stop();
    const [row] = await rows();
    expect(row).toMatchObject({ id, status: 'failed' });
    expect(JSON.parse(row?.error ?? '')).toMatchObject({ data: { code: 'outcome_unknown' } });
    expect(await kit.tool('echo')).toMatchObject({ failure: { executed: 'no' } });
  });

  it('has a time of grace to come to its end when the gateway stops, in which no more are made', async () => {
    const kit = await start();
    const asking = await kit.mint('converse', { steps: [{ ask: [elicit()] }] });
    await kit.until(asking, 'input_required');
    const id = await kit.mint('converse', { steps: [{ wait: 300 }] });
    const begun = performance.now();
    const drained = kit.drain(10_000);
    expect(await kit.tool('echo')).toMatchObject({ failure: { code: 'upstream_unavailable', executed: 'no' } });
    await drained;
    // Nobody can be waited for who would have to be asked: the listener is closed.
    expect(performance.now() - begun).toBeLessThan(5_000);
    await kit.stop();
    const status = new Map((await rows()).map((row) => [row.id, row.status]));
    expect([status.get(id), status.get(asking)]).toEqual(['completed', 'failed']);
    expect(upstream.calls).toHaveLength(2);
  });

  it('is not waited for longer than that', async () => {
    const kit = await start();
    await kit.mint('hang');
    const begun = performance.now();
    await kit.drain(200);
    expect(performance.now() - begun).toBeGreaterThan(150);
    expect((await rows())[0]?.status).toBe('working');
  });

  it('is not made where it cannot be written', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kept-tasks-'));
    const broken = await open(folder);
    const kit = await start({ storage: broken });
    const id = await kit.mint('hang');
    await broken.close();
    expect(await kit.tool('echo')).toMatchObject({ kind: 'failed', failure: { code: 'internal_error', executed: 'no' } });
    expect(kit.events.some(({ kind }) => kind === 'tasks_fault')).toBe(true);
    // What runs goes on, and its end is known as long as the process lives.
    await kit.task('cancel', id);
    expect(await kit.until(id, 'cancelled')).toMatchObject({ status: 'cancelled' });
    expect(await kit.task('get', 'minted:other')).toMatchObject({ failure: { code: 'internal_error' } });
    expect(upstream.calls.map(({ name }) => name)).toEqual(['hang']);
    expect([kit.gauge('tasks_running'), kit.gauge('tasks_kept')]).toEqual([0, 1]);
    await rm(folder, { recursive: true, force: true });
  });
});

describe.each(['database', 'memory'])('the lifetime of a task in the %s', (where) => {
  it('ends, with whatever runs of it', async () => {
    let now = Date.UTC(2026, 0, 1);
    const limits = { taskTtlMs: 50, parkMs: 60_000 };
    const kit = await start({ limits, clock: { now: () => now }, ...(where === 'memory' ? { storage: undefined as never } : {}) });
    const done = await kit.mint('echo', { text: 'x' });
    const { ttlMs } = (await kit.until(done, 'completed')) as { ttlMs: number };
    // A call may take as long as its server's deadline says.
    expect(ttlMs).toBe(40_000);
    const asking = await kit.mint('converse', { steps: [{ ask: [elicit()] }] });
    await kit.until(asking, 'input_required');
    now += ttlMs - 1;
    expect((await kit.seen(done)).status).toBe('completed');
    now += 1;
    for (const id of [done, asking]) expect(await kit.task('get', id)).toMatchObject({ error: { code: -32602 } });
    await until(() =>
      ['tasks_running', 'tasks_kept', 'tasks_running_of_principal', 'upstream_calls:one'].every((name) => kit.gauge(name) === 0),
    );
    await until(() => kit.gauge('upstream_leases:one') === 0);
    if (where === 'memory') return;
    while ((await rows()).length > 0) await new Promise((resolve) => setTimeout(resolve, 10));
  });
});
