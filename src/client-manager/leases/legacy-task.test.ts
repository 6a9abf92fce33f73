import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { httpConfig, until } from '../test-kit.ts';
import { accept, asked, FORM, leasesKit, said, type LeasesKit } from './leases-kit.ts';

/** Tools of 2025-11-25 that must be called as tasks (PROTOCOL C6). */

let ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ends.toReversed()) await end();
  ends = [];
});

interface Message {
  readonly id?: number | string;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
}

interface Script {
  /** What `tasks/get` says, one after the other; the last one again and again. */
  readonly statuses: readonly string[];
  /** Asks the client on the stream of `tasks/result` before it ends. */
  readonly asks?: boolean;
  /** Knows no tasks: the result comes at once. */
  readonly plain?: boolean;
  readonly taskError?: boolean;
}

const TASK = { taskId: 't1', createdAt: '2026-01-01T00:00:00Z', lastUpdatedAt: '2026-01-01T00:00:00Z', ttl: null, pollInterval: 1 };
const RELATED = { 'io.modelcontextprotocol/related-task': { taskId: 't1' } };

/** A legacy server with one tool that works as a task. */
async function taskServer(script: Script): Promise<{ url: string; got: Message[] }> {
  const got: Message[] = [];
  let polls = 0;
  let finish: (answer: unknown) => void = () => undefined;
  const results = (method: string): unknown => {
    if (method === 'initialize')
      return {
        protocolVersion: '2025-11-25',
        capabilities: { tasks: { requests: { tools: { call: {} } } } },
        serverInfo: { name: 'tasks', version: '1' },
      };
    if (method === 'tools/call' && script.plain !== true) return { task: { ...TASK, status: 'working' } };
    if (method === 'tasks/get') return { ...TASK, status: script.statuses[Math.min(polls++, script.statuses.length - 1)] };
    return { content: [{ type: 'text', text: '"done"' }] };
  };
  const result = (res: ServerResponse, id: number | string): void => {
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    const event = (message: unknown): void => void res.write(`data: ${JSON.stringify({ jsonrpc: '2.0', ...(message as object) })}\n\n`);
    finish = (answer) => {
      event({ id, result: { content: [{ type: 'text', text: JSON.stringify(answer) }] } });
      res.end();
    };
    event({ id: 'q', method: 'elicitation/create', params: { ...FORM, _meta: RELATED } });
  };
  const server = createServer((req, res) => {
    let body = '';
    req.on('data', (chunk) => (body += String(chunk)));
    req.on('end', () => {
      if (req.method !== 'POST') return void res.writeHead(req.method === 'GET' ? 405 : 200).end();
      const message = JSON.parse(body) as Message;
      got.push(message);
      const { id, method } = message;
      if (method === undefined) finish(message.result);
      if (id === undefined || method === undefined) return void res.writeHead(202).end();
      if (method === 'tasks/result' && script.asks === true) return result(res, id);
      const failed = method === 'tasks/result' && script.taskError === true;
      const answer = failed ? { error: { code: -32050, message: 'broken' } } : { result: results(method) };
      res
        .writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': 's' })
        .end(JSON.stringify({ jsonrpc: '2.0', id, ...answer }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(() => new Promise((resolve) => server.close(resolve).closeAllConnections()));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`, got };
}

async function start(script: Script): Promise<{ kit: LeasesKit; got: Message[]; methods: () => string[] }> {
  const { url, got } = await taskServer(script);
  const kit = await leasesKit(httpConfig('one', url), {}, { asTask: (call) => call.params?.value.name === 'converse' });
  ends.push(() => kit.end());
  const methods = (): string[] => got.flatMap(({ method }) => (method?.startsWith('t') === true ? [method] : []));
  return { kit, got, methods };
}

describe('a tool that is a task', () => {
  it('is called as one, polled until it has ended, and its result fetched', async () => {
    const { kit, got, methods } = await start({ statuses: ['working', 'working', 'completed'] });
    expect(said(await kit.outcome([]))).toBe('done');
    expect(methods()).toEqual(['tools/call', 'tasks/get', 'tasks/get', 'tasks/get', 'tasks/result']);
    expect(got.find(({ method }) => method === 'tools/call')?.params).toMatchObject({ name: 'converse', task: { ttl: 3_600_000 } });
    expect(kit.gauge('upstream_leases')).toBe(1);
  });

  it('asks on the stream of its result, also a client that comes back', async () => {
    const { kit, got } = await start({ statuses: ['input_required'], asks: true });
    const { keys, state, requests } = asked(await kit.outcome([]));
    expect(keys).toEqual(['q']);
    expect(requests.q).toEqual({ method: 'elicitation/create', params: FORM });
    expect(said(await kit.outcome([], { state, answers: { q: accept(1) } }))).toMatchObject(accept(1));
    expect(got.find(({ id, method }) => id === 'q' && method === undefined)?.result).toEqual({ ...accept(1), _meta: RELATED });
  });

  it('may fail with an error of its own, and may be none after all', async () => {
    const failing = await start({ statuses: ['failed'], taskError: true });
    expect(said(await failing.kit.outcome([]))).toBe('error -32050');
    const plain = await start({ statuses: [], plain: true });
    expect(said(await plain.kit.outcome([]))).toBe('done');
    expect(plain.methods()).toEqual(['tools/call']);
  });

  it('is canceled as a task', async () => {
    const { kit, got, methods } = await start({ statuses: ['working'] });
    const run = kit.run([]);
    await until(() => methods().includes('tasks/get'));
    run.abort();
    expect(said(await run.outcome)).toBe('failed canceled unknown');
    await until(() => methods().includes('tasks/cancel'));
    expect(got.find(({ method }) => method === 'tasks/cancel')?.params).toEqual({ taskId: 't1' });
    await until(() => kit.gauge('upstream_leases') === 0);
  });
});
