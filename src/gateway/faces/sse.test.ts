import { afterEach, describe, expect, it } from 'vitest';
import { jsonText, type JsonObject, type Outcome } from '../../protocol/index.ts';
import type { TestServer } from '../testing.ts';
import {
  callEcho,
  changeTools,
  eventually,
  initialize,
  modern,
  notification,
  rpc,
  send,
  serverOf,
  start,
  type Coming,
  type FaceOptions,
  type Running,
} from './testing.ts';

const ok: Outcome = { kind: 'complete', result: jsonText({ content: [] }) };

let running: Running | undefined;
afterEach(async () => {
  await running?.stop();
  running = undefined;
});

async function serve(handle: NonNullable<TestServer['handle']> = () => ok, options: FaceOptions = {}): Promise<Running> {
  running = await start([serverOf(handle)], options);
  return running;
}

interface Client {
  readonly stream: Coming;
  readonly address: string;
  post(body: unknown, headers?: Readonly<Record<string, string>>): Promise<number>;
}

async function connect(port: number, path = '/sse/s', who = 'agent'): Promise<Client> {
  const headers = { authorization: `Bearer ${who}` };
  const stream = await send(port, { method: 'GET', path, headers });
  const endpoint = await stream.event();
  expect([stream.status, endpoint?.event]).toEqual([200, 'endpoint']);
  const address = endpoint?.data ?? '';
  return {
    stream,
    address,
    async post(body, more = {}) {
      const coming = await send(port, { path: address, headers: { ...headers, ...more }, body });
      await coming.ended;
      return coming.status;
    },
  };
}

describe('an HTTP+SSE client', () => {
  it('posts to the address that the first event names and is answered on the stream, in its revision', async () => {
    const { port } = await serve();
    const client = await connect(port);
    expect(client.address).toMatch(/^\/sse\/s\?sessionId=[0-9a-f-]{36}$/);
    expect(await client.post(initialize('2024-11-05'))).toBe(202);
    expect(await client.stream.message()).toMatchObject({ id: 0, result: { protocolVersion: '2024-11-05' } });
    expect(await client.post(notification('notifications/initialized'))).toBe(202);
    await client.post(callEcho(1));
    expect(await client.stream.message()).toEqual({ jsonrpc: '2.0', id: 1, result: { content: [] } });
    const joined = await connect(port, '/sse');
    expect(joined.address).toMatch(/^\/sse\?sessionId=/);
  });

  it('is told progress and changes, and asked', async () => {
    const gateway = await serve(async (_call, { onEvent, ask }) => {
      onEvent({ kind: 'notification', method: 'notifications/progress', params: jsonText({ progressToken: 3, progress: 1 }) });
      const answer = await ask?.({ method: 'roots/list', params: undefined }, new AbortController().signal);
      return answer !== undefined && 'result' in answer ? ok : { kind: 'error', error: { code: 1, message: 'not asked' } };
    });
    const client = await connect(gateway.port);
    await client.post(initialize('2025-03-26', { roots: {} }));
    await client.stream.message();
    await client.post(notification('notifications/initialized'));
    await client.post(callEcho(1, { _meta: { progressToken: 9 } }));
    expect(await client.stream.message()).toMatchObject({ method: 'notifications/progress', params: { progressToken: 9 } });
    const asked = await client.stream.message();
    await client.post({ jsonrpc: '2.0', id: asked.id, result: { roots: [] } });
    expect(await client.stream.message()).toMatchObject({ id: 1, result: {} });
    changeTools(gateway);
    expect(await client.stream.message()).toMatchObject({ method: 'notifications/tools/list_changed' });
  });

  it('whose answer is malformed is told, and what was asked ends', async () => {
    const gateway = await serve(async (_call, { ask }) => {
      const answer = await ask?.({ method: 'roots/list', params: undefined }, new AbortController().signal);
      return { kind: 'error', error: { code: answer !== undefined && 'error' in answer ? answer.error.code : 1, message: 'm' } };
    });
    const client = await connect(gateway.port);
    await client.post(initialize('2025-03-26', { roots: {} }));
    await client.stream.message();
    await client.post(callEcho(1));
    const asked = await client.stream.message();
    expect(await client.post({ jsonrpc: '2.0', id: asked.id, result: null })).toBe(400);
    expect(await client.stream.message()).toMatchObject({ id: 1, error: { code: -32603 } });
    expect(gateway.gauge('client_asks')).toBe(0);
  });

  it('has the requests of a batch counted beyond the first, which its POST was', async () => {
    const { port, rate } = await serve();
    const client = await connect(port);
    await client.post(initialize('2025-03-26'));
    await client.stream.message();
    await client.post(callEcho(1));
    await client.stream.message();
    rate.waitMs = 700;
    await client.post([notification('notifications/x'), callEcho(2), callEcho(3), rpc(4, 'ping')]);
    const [first, ...others] = (await client.stream.message()) as unknown as JsonObject[];
    expect(first).toMatchObject({ id: 2, result: {} });
    expect(others).toMatchObject([3, 4].map((id) => ({ id, error: { code: 4290, data: { retryAfterMs: 700 } } })));
    expect(rate.counted).toBe(2);
  });

  it('speaks no modern revision: a probe is told that there is no such method', async () => {
    const { port } = await serve();
    const client = await connect(port);
    await client.post(modern(1, 'server/discover').body);
    expect(await client.stream.message()).toMatchObject({ id: 1, error: { code: -32601 } });
    await client.post(rpc(2, 'tools/list'));
    expect(await client.stream.message()).toMatchObject({ id: 2, error: { code: -32600 } });
  });

  it('that leaves ends its calls, and its address is gone', async () => {
    let aborted = false;
    const gateway = await serve(
      (_call, { signal }) =>
        new Promise((resolve) =>
          signal.addEventListener('abort', () => {
            aborted = true;
            resolve(ok);
          }),
        ),
    );
    const client = await connect(gateway.port);
    await client.post(initialize('2024-11-05'));
    await client.post(notification('notifications/initialized'));
    await client.post(callEcho(1));
    await eventually(() => gateway.gauge('calls_in_flight') === 1);
    client.stream.drop();
    await eventually(() => aborted && gateway.gauge('sse_clients') === 0 && gateway.services.hub.size === 0);
    expect(await client.post(callEcho(2))).toBe(404);
  });

  it('is not reached by another principal, through another endpoint, or without an id', async () => {
    const { port } = await serve();
    const client = await connect(port);
    expect(await client.post(rpc(1, 'ping'), { authorization: 'Bearer other' })).toBe(404);
    const elsewhere = client.address.replace('/sse/s', '/sse');
    expect((await send(port, { path: elsewhere, body: rpc(1, 'ping') })).status).toBe(404);
    expect((await send(port, { path: '/sse/s', body: rpc(1, 'ping') })).status).toBe(400);
    expect((await send(port, { path: '/sse/nobody', method: 'GET' })).status).toBe(404);
    expect((await send(port, { path: '/sse', method: 'GET', headers: { accept: 'text/html' } })).status).toBe(406);
    expect((await send(port, { path: '/sse', method: 'DELETE' })).status).toBe(405);
    expect(await client.post('{', { 'content-type': 'application/json' })).toBe(400);
    expect(await client.post('{}', { 'content-type': 'text/plain' })).toBe(415);
  });

  it('that does not read its stream is not answered without bound, nor held for ever', async () => {
    const text = 'x'.repeat(900_000);
    const gateway = await serve(() => ({ kind: 'complete', result: jsonText({ content: [{ type: 'text', text }] }) }));
    const client = await connect(gateway.port);
    await client.post(initialize('2024-11-05'));
    client.stream.raw.pause();
    const statuses: number[] = [];
    for (let id = 1; id <= 50 && statuses.at(-1) !== 429; id++) statuses.push(await client.post(callEcho(id)));
    expect(statuses.at(-1)).toBe(429);
    client.stream.raw.resume();
    for (let id = 1; id < statuses.length; id++) await client.stream.message();
    expect(await client.post(rpc(99, 'ping'))).toBe(202);
  });

  it('beyond the cap is refused, and ends with its credential', async () => {
    const gateway = await serve(undefined, { limits: { sessions: 2 }, pace: { patienceMs: 1000, tickMs: 5 } });
    const first = await connect(gateway.port, '/sse', 'guest');
    await connect(gateway.port);
    const third = await send(gateway.port, { method: 'GET', path: '/sse' });
    expect([third.status, third.headers['retry-after']]).toEqual([503, '5']);
    gateway.revoked.add('guest');
    await first.stream.ended;
    await eventually(() => gateway.gauge('sse_clients') === 1);
  });

  it('is answered what is under way when the gateway goes, then ended', async () => {
    let finish: (outcome: Outcome) => void = () => undefined;
    const gateway = await serve(() => new Promise((resolve) => (finish = resolve)));
    const client = await connect(gateway.port);
    await client.post(initialize('2024-11-05'));
    await client.stream.message();
    await client.post(callEcho(1));
    await eventually(() => gateway.gauge('calls_in_flight') === 1);
    const stopped = gateway.stop();
    finish(ok);
    expect(await client.stream.message()).toMatchObject({ id: 1, result: {} } satisfies JsonObject);
    await client.stream.ended;
    await stopped;
    running = undefined;
  });
});
