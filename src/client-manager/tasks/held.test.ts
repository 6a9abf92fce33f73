import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { AskClient, JsonObject, Outcome } from '../../protocol/index.ts';
import { accept, FORM } from '../leases/leases-kit.ts';
import { httpConfig, until } from '../test-kit.ts';
import type { HttpConfig } from '../types.ts';
import { OFFERS, policies, TASKS, tasksKit, textOf, type KitOptions, type TasksKit } from './tasks-kit.ts';

/** Tasks of a modern server whose call we hold, for clients that take none and under tasks of ours (PROTOCOL C6). */

let ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ends.toReversed()) await end();
  ends = [];
});

interface Request {
  readonly method: string;
  readonly params: JsonObject;
}

type Answer = JsonObject & { readonly progress?: JsonObject };
type Script = (request: Request, nth: number) => Answer;

const META = 'io.modelcontextprotocol/clientCapabilities';
const CREATED = {
  result: { resultType: 'task', taskId: 'T', status: 'working', createdAt: 'x', lastUpdatedAt: 'x', ttlMs: null, pollIntervalMs: 1 },
};
const REFUSED = { error: { code: -32021, message: 'tasks, please', data: { requiredCapabilities: TASKS } } };
const task = (status: string, more: JsonObject = {}): Answer => ({
  result: { resultType: 'complete', taskId: 'T', status, pollIntervalMs: 1, ...more },
});
const DONE = task('completed', { result: { content: [{ type: 'text', text: 'made' }], resultType: 'complete' } });
const asks = (...keys: string[]): JsonObject => ({
  inputRequests: Object.fromEntries(keys.map((key) => [key, { method: 'elicitation/create', params: { mode: 'form', ...FORM } }])),
});

/** A modern server that makes tasks; `script` answers tools/call and tasks/*, `nth` counts requests of that method from 1. */
async function taskServer(script: Script): Promise<{ url: string; got: Request[]; methods: () => string[] }> {
  const got: Request[] = [];
  const server = createServer((req, res) => {
    let body = '';
    req.on('data', (chunk) => (body += String(chunk)));
    req.on('end', () => {
      const { id, ...request } = JSON.parse(body) as Request & { id: number };
      const { method, params } = request;
      const frame = (message: JsonObject): string => `data: ${JSON.stringify({ jsonrpc: '2.0', ...message })}\n\n`;
      const plain: JsonObject =
        method === 'tools/list'
          ? { tools: [{ name: 'work', inputSchema: { type: 'object' } }], ttlMs: 60_000, cacheScope: 'public' }
          : { supportedVersions: ['2026-07-28'], capabilities: { tools: {}, ...TASKS }, ttlMs: 60_000, cacheScope: 'public' };
      const ours = method === 'tools/call' || method.startsWith('tasks/');
      if (ours) got.push(request);
      const { progress, ...answer }: Answer = ours ? script(request, got.filter((one) => one.method === method).length) : { result: plain };
      res.writeHead(answer.error === undefined ? 200 : 400, { 'content-type': progress ? 'text/event-stream' : 'application/json' });
      if (progress === undefined) return void res.end(JSON.stringify({ jsonrpc: '2.0', id, ...answer }));
      const { progressToken } = params._meta as JsonObject;
      res.write(frame({ method: 'notifications/progress', params: { progressToken, ...progress } }));
      res.end(frame({ id, ...answer }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(() => new Promise((resolve) => server.close(resolve).closeAllConnections()));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
  return { url, got, methods: () => got.map(({ method }) => method) };
}

interface Started extends TasksKit {
  readonly got: Request[];
  readonly methods: () => string[];
}

async function start(script: Script, more: Partial<HttpConfig> = {}, options: KitOptions = {}): Promise<Started> {
  const { url, got, methods } = await taskServer(script);
  const kit = await tasksKit([httpConfig('one', url, { era: 'modern', ...more })], options);
  ends.push(() => kit.stop());
  return { ...kit, got, methods };
}

const declares = ({ params }: Request): boolean =>
  ((params._meta as JsonObject)[META] as { extensions?: unknown }).extensions !== undefined;
/** Refuses calls that do not declare the extension. */
const strict = (request: Request): Answer => (declares(request) ? CREATED : REFUSED);
const LEGACY = { revision: '2025-11-25', offers: { elicitation: {} } } as const;
const said = (outcome: Outcome): unknown =>
  outcome.kind === 'complete' ? textOf(outcome.result.value) : outcome.kind === 'failed' ? outcome.failure.code : outcome;

describe('a legacy client at a server that answers with tasks only', () => {
  it('waits for the task, which we follow', async () => {
    const kit = await start((request, nth) => (request.method === 'tools/call' ? strict(request) : nth < 3 ? task('working') : DONE));
    expect(said(await kit.tool('work', {}, LEGACY))).toBe('made');
    expect(kit.methods()).toEqual(['tools/call', 'tools/call', 'tasks/get', 'tasks/get', 'tasks/get']);
    expect(kit.got[2]?.params).toMatchObject({ taskId: 'T', _meta: { [META]: { elicitation: {}, ...TASKS } } });
    // The tool is known now.
    expect(said(await kit.tool('work', {}, LEGACY))).toBe('made');
    expect(kit.methods().slice(5)).toEqual(['tools/call', 'tasks/get']);
  });

  it('is asked what the task asks, each question once', async () => {
    const kit = await start(({ method, ...request }, nth) => {
      if (method === 'tools/call') return strict({ method, ...request });
      if (method === 'tasks/update') return { result: { resultType: 'complete' } };
      return nth < 3 ? task('input_required', asks('a', 'b')) : DONE;
    });
    const asked: string[] = [];
    const ask: AskClient = ({ method }) => (
      asked.push(method),
      Promise.resolve({ result: { text: JSON.stringify(accept(1)), value: accept(1) } })
    );
    expect(said(await kit.tool('work', {}, { ...LEGACY, ask }))).toBe('made');
    expect(asked).toEqual(['elicitation/create', 'elicitation/create']);
    const updates = kit.got.filter(({ method }) => method === 'tasks/update');
    expect(updates.map(({ params }) => params.inputResponses)).toEqual([{ a: accept(1), b: accept(1) }]);
  });

  it('ends the call with its own reason where it answers with an error, and the task is canceled', async () => {
    const kit = await start((request) => (request.method === 'tools/call' ? strict(request) : task('input_required', asks('a', 'b'))));
    const taken: unknown[] = [];
    const ask: AskClient = (_ask, signal) =>
      taken.length === 0 && taken.push('first') === 1
        ? Promise.resolve({ error: { code: -1, message: 'User rejected' } })
        : new Promise((resolve) => signal.addEventListener('abort', () => resolve({ error: { code: -1, message: 'taken back' } })));
    const outcome = await kit.tool('work', {}, { ...LEGACY, ask });
    expect(outcome).toMatchObject({ failure: { code: 'upstream_failed', message: expect.stringContaining('(User rejected)') as string } });
    await until(() => kit.methods().includes('tasks/cancel'));
    expect(kit.methods()).not.toContain('tasks/update');
  });

  it('gets the errors of the task, and an error where it cannot be asked', async () => {
    const fails = await start((request) =>
      request.method === 'tools/call' ? strict(request) : task('failed', { error: { code: -32603, message: 'broke' } }),
    );
    expect(await fails.tool('work', {}, LEGACY)).toMatchObject({ kind: 'error', error: { code: -32603, message: 'broke' } });
    const dropped = await start((request) => (request.method === 'tools/call' ? strict(request) : task('cancelled')));
    expect(said(await dropped.tool('work', {}, LEGACY))).toBe('upstream_failed');
    const asking = await start((request) => (request.method === 'tools/call' ? strict(request) : task('input_required', asks('a'))));
    expect(await asking.tool('work', {}, LEGACY)).toMatchObject({ kind: 'error', error: { code: -32021 } });
    await until(() => asking.methods().includes('tasks/cancel'));
  });

  it.each([
    ['a task without an id', { result: { ...CREATED.result, taskId: 7 } }, DONE, 'upstream_protocol_error'],
    ['a task without a result', CREATED, task('completed'), 'upstream_protocol_error'],
    ['a task of a made-up status', CREATED, task('resting'), 'upstream_protocol_error'],
    ['a task that is forgotten', CREATED, { error: { code: -32602, message: 'no such task' } }, 'outcome_unknown'],
  ])('does not hang on %s', async (_what, created, seen, code) => {
    const kit = await start((request) => (request.method === 'tools/call' ? (declares(request) ? created : REFUSED) : seen));
    expect(said(await kit.tool('work', {}, LEGACY))).toBe(code);
  });

  it('gives up as any call does, and the server hears of it', async () => {
    const kit = await start((request) => (request.method === 'tools/call' ? strict(request) : task('working')), { deadlineMs: 150 });
    expect(await kit.tool('work', {}, LEGACY)).toMatchObject({ failure: { code: 'deadline_exceeded', executed: 'unknown' } });
    await until(() => kit.methods().includes('tasks/cancel'));
    const gone = new AbortController();
    const outcome = kit.tool('work', {}, { ...LEGACY, signal: gone.signal });
    const before = kit.got.length;
    await until(() => kit.methods().slice(before).includes('tasks/get'));
    gone.abort();
    expect(await outcome).toMatchObject({ failure: { code: 'canceled', executed: 'unknown' } });
    await until(() => kit.methods().slice(before).includes('tasks/cancel'));
    await until(() => kit.gauge('upstream_calls:one') === 0);
  });

  it('is answered directly where the server can do that', async () => {
    const kit = await start(() => ({ result: { content: [{ type: 'text', text: 'now' }] } }));
    expect(said(await kit.tool('work', {}, LEGACY))).toBe('now');
    expect(declares(kit.got[0] as Request)).toBe(false);
  });
});

describe('a modern client at such a server', () => {
  it('gets its tasks, and the refusal where it takes none', async () => {
    const kit = await start((request) => (request.method === 'tools/call' ? strict(request) : task('working')));
    expect(await kit.tool('work')).toMatchObject({ kind: 'task', result: { value: { taskId: 'T' } } });
    expect(await kit.task('get', 'T')).toMatchObject({ kind: 'complete', result: { value: { status: 'working' } } });
    expect(await kit.tool('work', {}, { offers: {} })).toMatchObject({ kind: 'error', error: { code: -32021 } });
    expect(kit.methods()).toEqual(['tools/call', 'tasks/get', 'tools/call']);
  });
});

describe('a task of ours at a modern server', () => {
  const tools = policies('always', 'work');

  it('follows the task of the server', async () => {
    const kit = await start(
      ({ method, ...request }, nth) => {
        if (method === 'tools/call') return strict({ method, ...request });
        if (method === 'tasks/update') return { result: { resultType: 'complete' } };
        return nth === 1 ? task('input_required', { ...asks('a'), statusMessage: 'thinking' }) : DONE;
      },
      { tools },
    );
    const id = await kit.mint('work');
    const asking = await kit.until(id, 'input_required');
    expect(asking).toMatchObject({ statusMessage: 'thinking', inputRequests: { a: { method: 'elicitation/create' } } });
    await kit.task('update', id, { inputResponses: { a: accept(1) } });
    expect(textOf((await kit.until(id, 'completed')).result)).toBe('made');
    expect(kit.methods().filter((method) => method === 'tasks/update')).toHaveLength(1);
  });

  it('answers the rounds of its server, and shows its progress', async () => {
    const kit = await start(
      ({ params }) => {
        if (params.inputResponses !== undefined)
          return { result: { content: [{ type: 'text', text: JSON.stringify([params.inputResponses, params.requestState]) }] } };
        return {
          progress: { progress: 1, message: 'half way' },
          result: { resultType: 'input_required', requestState: 's', ...asks('k') },
        };
      },
      { tools },
    );
    const id = await kit.mint('work');
    expect(await kit.until(id, 'input_required')).toMatchObject({ statusMessage: 'half way', inputRequests: { k: {} } });
    await kit.task('update', id, { inputResponses: { k: accept(1) } });
    expect(textOf((await kit.until(id, 'completed')).result)).toBe(JSON.stringify([{ k: accept(1) }, 's']));
  });

  it('does not ask for ever, nor what cannot be read', async () => {
    const again = { result: { resultType: 'input_required', requestState: 's', ...asks('k') } };
    const kit = await start(() => again, { tools });
    const id = await kit.mint('work', {}, { offers: OFFERS });
    const { told, close } = await kit.listen([id]);
    let answered = 0;
    for (let seen = await kit.until(id, 'input_required', 'failed'); seen.status !== 'failed'; seen = await kit.seen(id)) {
      const keys = Object.keys((seen.inputRequests as object | undefined) ?? {});
      answered += keys.length;
      if (keys.length > 0) await kit.task('update', id, { inputResponses: Object.fromEntries(keys.map((key) => [key, accept(1)])) });
    }
    expect(answered).toBe(8);
    await until(() => told.at(-1)?.status === 'failed');
    close();
    const broken = await start(() => ({ result: { resultType: 'input_required', inputRequests: { k: 1 } } }), { tools });
    expect(await broken.until(await broken.mint('work'), 'failed')).toMatchObject({ error: { code: -32603 } });
  });
});
