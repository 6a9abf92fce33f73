import { afterEach, describe, expect, it } from 'vitest';
import { accept, asked, elicit } from '../leases/leases-kit.ts';
import { httpConfig, httpUpstream, stdioConfig, until, type HttpUpstream } from '../test-kit.ts';
import type { HttpConfig } from '../types.ts';
import { OFFERS, policies, TASKS, tasksKit, textOf, type KitOptions, type TasksKit } from './tasks-kit.ts';

/** Tasks that the gateway mints for calls at servers that know none (PROTOCOL A3). */

let ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ends.toReversed()) await end();
  ends = [];
});

const ALWAYS = policies('always', 'echo', 'slow', 'hang', 'fail', 'rpc_error', 'big', 'progress', 'converse', 'crash');

type Started = TasksKit & { readonly upstream: HttpUpstream };

async function start(era: 'modern' | 'legacy', more: Partial<HttpConfig> = {}, options: KitOptions = {}): Promise<Started> {
  const upstream = await httpUpstream({ era, sse: true });
  ends.push(() => upstream.close());
  const kit = await tasksKit([httpConfig('one', upstream.url, { tools: ALWAYS, ...more })], options);
  ends.push(() => kit.stop());
  return { ...kit, upstream };
}

const steps = (...all: unknown[]): { steps: unknown[] } => ({ steps: all });
const form = (id?: string): Record<string, unknown> => elicit(id);

describe.each(['modern', 'legacy'] as const)('a minted task at a %s server', (era) => {
  it('is there at once, works, and completes with the result of the tool', async () => {
    const kit = await start(era);
    const created = await kit.tool('slow', { ms: 150 });
    expect(created.kind).toBe('task');
    const seed = created.kind === 'task' ? created.result.value : {};
    expect(seed).toEqual({
      resultType: 'task',
      taskId: expect.stringMatching(/^minted:[0-9a-z]{26}$/) as string,
      status: 'working',
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/) as string,
      lastUpdatedAt: seed.createdAt,
      ttlMs: 3_600_000,
      pollIntervalMs: 1000,
    });
    const { resultType: _type, ...facts } = seed;
    expect(await kit.seen(String(seed.taskId))).toEqual(facts);
    const task = await kit.until(String(seed.taskId), 'completed');
    expect(textOf(task.result)).toBe('done');
    expect(task).not.toHaveProperty('error');
    expect([kit.gauge('tasks_running'), kit.gauge('tasks_running_of_principal'), kit.gauge('tasks_kept')]).toEqual([0, 0, 1]);
    expect(kit.events.find(({ kind }) => kind === 'task_ended')).toMatchObject({ server: 'one', tool: 'slow', status: 'completed' });
  });

  it('keeps errors of the tool in its result, and fails with errors of the protocol', async () => {
    const kit = await start(era);
    const failed = await kit.until(await kit.mint('fail'), 'completed', 'failed');
    expect(failed).toMatchObject({ status: 'completed', result: { isError: true } });
    const broken = await kit.until(await kit.mint('rpc_error', { code: -32050 }), 'completed', 'failed');
    expect(broken).toMatchObject({
      status: 'failed',
      statusMessage: 'as you wished',
      error: { code: -32603, message: 'as you wished', data: { upstreamCode: -32050 } },
    });
    expect(broken).not.toHaveProperty('result');
  });

  it('fails where the result is larger than what is kept', async () => {
    const kit = await start(era, {}, { limits: { taskResultBytes: 2_000, taskResultsBytes: 3_000 } });
    const large = await kit.until(await kit.mint('big', { bytes: 2_000 }), 'completed', 'failed');
    expect(large).toMatchObject({ status: 'failed', error: { code: 5130, data: { code: 'result_too_large' } } });
    await kit.until(await kit.mint('big', { bytes: 1_700 }), 'completed');
    const third = await kit.until(await kit.mint('big', { bytes: 1_700 }), 'completed', 'failed');
    expect(third).toMatchObject({ status: 'failed', error: { data: { code: 'result_too_large' } } });
  });

  it('is canceled, and a second time is no error', async () => {
    const kit = await start(era);
    const id = await kit.mint('hang');
    await until(() => kit.upstream.calls.length === 1);
    const done = { kind: 'complete', result: { value: { resultType: 'complete' } } };
    expect(await kit.task('cancel', id)).toMatchObject(done);
    expect(await kit.until(id, 'cancelled')).toMatchObject({
      status: 'cancelled',
      statusMessage: expect.stringContaining('may or may not'),
    });
    expect(await kit.task('cancel', id)).toMatchObject(done);
    expect(await kit.task('update', id, { inputResponses: {} })).toMatchObject(done);
    expect((await kit.seen(id)).status).toBe('cancelled');
    expect(kit.gauge('tasks_running')).toBe(0);
    await until(() => kit.gauge('upstream_calls:one') === 0);
  });

  it('is not there for others, elsewhere, or under a made-up id', async () => {
    const kit = await start(era);
    const id = await kit.mint('hang');
    for (const verb of ['get', 'update', 'cancel'] as const) {
      const more = verb === 'update' ? { inputResponses: {} } : {};
      expect(await kit.task(verb, id, more, { principal: 'bob' })).toMatchObject({ kind: 'error', error: { code: -32602 } });
      expect(await kit.task(verb, 'minted:0', more)).toMatchObject({ kind: 'error', error: { code: -32602 } });
    }
    expect((await kit.seen(id)).status).toBe('working');
  });
});

describe('the policy of a tool', () => {
  it('needs a client that takes tasks', async () => {
    const tools = { ...policies('always', 'echo'), ...policies('required', 'add'), ...policies('never', 'fail') };
    const kit = await start('legacy', { tools });
    const without = { offers: { elicitation: {} } };
    expect(textOf(((await kit.tool('echo', { text: 'a' }, without)) as { result: { value: unknown } }).result.value)).toBe('a');
    expect((await kit.tool('echo', { text: 'a' }, { revision: '2025-11-25' })).kind).toBe('complete');
    expect(await kit.tool('add', { a: 1, b: 1 }, without)).toMatchObject({
      kind: 'error',
      error: { code: -32021, data: { requiredCapabilities: TASKS } },
    });
    expect((await kit.tool('add', { a: 1, b: 1 })).kind).toBe('task');
    expect((await kit.tool('fail')).kind).toBe('complete');
    expect((await kit.tool('count', { tool: 'add' })).kind).toBe('complete');
  });

  it('has caps, for one caller and for all, before the server sees anything', async () => {
    const kit = await start('modern', {}, { limits: { maxTasks: 3, maxTasksPerPrincipal: 2, maxTasksKept: 4 } });
    const { calls } = kit.upstream;
    const running = [await kit.mint('hang'), await kit.mint('hang')];
    expect(await kit.tool('echo')).toMatchObject({ kind: 'failed', failure: { code: 'busy', executed: 'no' } });
    running.push(await kit.mint('hang', {}, { principal: 'bob' }));
    expect(await kit.tool('echo', {}, { principal: 'cy' })).toMatchObject({ failure: { code: 'busy' } });
    await until(() => calls.length === 3);
    await kit.task('cancel', running[0] ?? '');
    await kit.until(running[0] ?? '', 'cancelled');
    await kit.until(await kit.mint('echo'), 'completed');
    expect(await kit.tool('echo')).toMatchObject({ failure: { code: 'busy' } });
    expect(calls.map(({ name }) => name)).toEqual(['hang', 'hang', 'hang', 'echo']);
  });
});

describe('a task that asks', () => {
  it('takes answers one by one, each once, under keys that are never used again', async () => {
    const kit = await start('legacy');
    const id = await kit.mint('converse', steps({ ask: [form(), form()] }, { ask: [form()] }));
    let task = await kit.until(id, 'input_required');
    while (Object.keys(task.inputRequests as object).length < 2) task = await kit.seen(id);
    const [first, second] = Object.keys(task.inputRequests as object) as [string, string];
    expect((task.inputRequests as Record<string, unknown>)[first]).toMatchObject({
      method: 'elicitation/create',
      params: { message: 'Sure?' },
    });
    await kit.task('update', id, { inputResponses: { [first]: accept(1), nobody: accept(9) } });
    expect(await kit.seen(id)).toMatchObject({ status: 'input_required', inputRequests: { [second]: {} } });
    expect((await kit.seen(id)).inputRequests).not.toHaveProperty(first);
    await kit.task('update', id, { inputResponses: { [first]: accept(8), [second]: accept(2) } });
    await kit.task('update', id, { inputResponses: { [first]: accept(8), [second]: accept(7) } });
    task = await kit.until(id, 'input_required', 'completed');
    const third = Object.keys(task.inputRequests as object);
    expect(third).toHaveLength(1);
    expect([first, second]).not.toContain(third[0]);
    expect(await kit.task('update', id, { inputResponses: 3 })).toMatchObject({ kind: 'error', error: { code: -32602 } });
    await kit.task('update', id, { inputResponses: { [third[0] ?? '']: accept(3) } });
    task = await kit.until(id, 'completed');
    expect(JSON.parse(String(textOf(task.result)))).toEqual([accept(1), accept(2), accept(3)]);
  });

  it('is canceled while it asks, and leaves nothing behind', async () => {
    const kit = await start('legacy');
    const id = await kit.mint('converse', steps({ ask: [form()] }));
    await kit.until(id, 'input_required');
    await kit.task('cancel', id);
    const task = await kit.until(id, 'cancelled');
    expect(task).not.toHaveProperty('inputRequests');
    await until(() => kit.gauge('upstream_leases:one') === 0);
    expect(kit.upstream.cancelled).toHaveLength(1);
    expect([kit.gauge('tasks_running'), kit.gauge('upstream_calls:one')]).toEqual([0, 0]);
  });

  it('fails where nobody answers in time, and where it asks for what was not declared', async () => {
    const kit = await start('legacy', {}, { limits: { parkMs: 100 } });
    const slow = await kit.until(await kit.mint('converse', steps({ ask: [form()] })), 'failed');
    expect(slow).toMatchObject({ error: { code: 5040, data: { code: 'deadline_exceeded', executed: 'unknown' } } });
    const poor = { offers: { ...TASKS, sampling: {} } };
    const undeclared = await kit.until(await kit.mint('converse', steps({ ask: [form()] }), poor), 'failed');
    expect(undeclared).toMatchObject({ error: { code: -32021, data: { requiredCapabilities: { elicitation: {} } } } });
  });
});

describe('a call that becomes a task after its input', () => {
  const AFTER = { tools: policies('after_input', 'converse', 'echo') };

  it('asks first as any call does; the answers make the task, once', async () => {
    const kit = await start('legacy', AFTER);
    const args = steps({ ask: [form('name'), form('age')] }, { wait: 50 });
    const first = asked(await kit.tool('converse', args));
    expect(first.keys).toEqual(['name', 'age']);
    const second = asked(await kit.tool('converse', args, { state: first.state, answers: { name: accept('Alice') } }));
    expect(second.keys).toEqual(['age']);
    const retry = { state: second.state, answers: { age: accept(7) } };
    const [one, two] = await Promise.all([kit.mint('converse', args, retry), kit.mint('converse', args, retry)]);
    expect(two).toBe(one);
    const task = await kit.until(one, 'completed');
    expect(JSON.parse(String(textOf(task.result)))).toEqual([accept('Alice'), accept(7)]);
    expect(await kit.mint('converse', args, retry)).toBe(one);
    const other = await kit.tool('converse', args, { ...retry, answers: { age: accept(8) } });
    expect(other.kind).not.toBe('task');
    expect(kit.upstream.calls).toHaveLength(1);
    expect(kit.gauge('upstream_parked:one')).toBe(0);
  });

  it('goes on asking through the task, also until it is canceled', async () => {
    const kit = await start('legacy', AFTER);
    const args = steps({ ask: [form('name')] }, { ask: [form('more')] });
    const begin = async (): Promise<string> => {
      const { state } = asked(await kit.tool('converse', args));
      const id = await kit.mint('converse', args, { state, answers: { name: accept(1) } });
      expect(await kit.until(id, 'input_required')).toMatchObject({ inputRequests: { more: { method: 'elicitation/create' } } });
      return id;
    };
    const one = await begin();
    await kit.task('update', one, { inputResponses: { more: accept(2) } });
    const task = await kit.until(one, 'completed');
    expect(JSON.parse(String(textOf(task.result)))).toEqual([accept(1), accept(2)]);
    const two = await begin();
    await kit.task('cancel', two);
    await kit.until(two, 'cancelled');
    await until(() => kit.gauge('upstream_parked:one') === 0 && kit.gauge('upstream_calls:one') === 0);
  });

  it('is no task where it asks nothing', async () => {
    const kit = await start('legacy', AFTER);
    expect((await kit.tool('echo', { text: 'x' })).kind).toBe('complete');
    const foreign = await kit.tool('echo', {}, { state: 'park:x', answers: {} });
    expect(foreign.kind === 'task' ? await kit.until(String(foreign.result.value.taskId), 'failed') : foreign).toMatchObject({
      error: { code: -32602 },
    });
  });
});

describe('what is told of tasks', () => {
  it('comes with each status, to their owner only, and to one who comes late', async () => {
    const kit = await start('legacy');
    const id = await kit.mint('converse', steps({ ask: [form()] }));
    await kit.until(id, 'input_required');
    const { honoured, told, close } = await kit.listen([id, 'minted:nothing', id]);
    expect(honoured).toEqual([id]);
    expect((await kit.listen([id], 'bob')).honoured).toEqual([]);
    const [key] = Object.keys((await kit.seen(id)).inputRequests as object);
    await kit.task('update', id, { inputResponses: { [key ?? '']: accept(1) } });
    await until(() => told.at(-1)?.status === 'completed');
    const { resultType: _none, ...seen } = await kit.seen(id);
    expect(told.at(-1)).toEqual(seen);
    close();
    const late = await kit.listen([id]);
    expect(late.told).toEqual([seen]);
    late.close();
    await kit.stop();
    expect(kit.caps.list().filter(({ name }) => name.startsWith('tasks_'))).toEqual([]);
  });
});

describe('a server that ends', () => {
  it('leaves its tasks failed, with an unknown outcome', async () => {
    const kit = await tasksKit([stdioConfig('one', ['--era', 'legacy'], { tools: ALWAYS })]);
    ends.push(() => kit.stop());
    const task = await kit.until(await kit.mint('crash', {}, { offers: OFFERS }), 'failed');
    expect(task).toMatchObject({ error: { code: 5020, data: { code: 'outcome_unknown', executed: 'unknown' } } });
  });
});
