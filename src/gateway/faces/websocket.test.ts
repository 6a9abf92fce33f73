import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { jsonText, META, type JsonObject, type Outcome } from '../../protocol/index.ts';
import {
  callEcho,
  changeTools,
  eventually,
  initialize,
  modern,
  notification,
  once,
  rpc,
  serverOf,
  start,
  type FaceOptions,
  type Running,
} from './testing.ts';
import type { TestServer } from '../testing.ts';

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
  readonly socket: WebSocket;
  send(message: unknown): void;
  next(): Promise<JsonObject>;
  readonly closed: Promise<number>;
}

async function connect(port: number, { path = '/mcp/s', who = 'agent', protocols = ['mcp'] } = {}): Promise<Client> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, protocols, { headers: { authorization: `Bearer ${who}` } });
  const messages: JsonObject[] = [];
  let wake = (): void => undefined;
  socket.on('message', (data: Buffer) => {
    messages.push(JSON.parse(data.toString('utf8')) as JsonObject);
    wake();
  });
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  await Promise.race([once(socket, 'open'), once(socket, 'error').then(([error]) => Promise.reject(error as Error))]);
  return {
    socket,
    closed,
    send: (message) => socket.send(typeof message === 'string' ? message : JSON.stringify(message)),
    async next() {
      while (messages.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      return messages.shift() as JsonObject;
    },
  };
}

const modernBody = (id: number | string, method: string, params: JsonObject = {}, meta: JsonObject = {}) =>
  modern(id, method, params, meta).body;

describe('a WebSocket client', () => {
  it('speaks both eras on one connection', async () => {
    verifies('s25-custom');
    const { port, gauge } = await serve();
    const client = await connect(port);
    expect(client.socket.protocol).toBe('mcp');
    client.send(modernBody(1, 'server/discover'));
    expect(await client.next()).toMatchObject({ id: 1, result: { supportedVersions: ['2026-07-28'] } });
    client.send(initialize('2025-06-18'));
    expect(await client.next()).toMatchObject({ id: 0, result: { protocolVersion: '2025-06-18' } });
    client.send(callEcho(2));
    expect(await client.next()).toEqual({ jsonrpc: '2.0', id: 2, result: { content: [] } });
    client.send('nonsense');
    expect(await client.next()).toMatchObject({ id: null, error: { code: -32700 } });
    expect(gauge('websocket_clients')).toBe(1);
    client.socket.close();
    await eventually(() => gauge('websocket_clients') === 0);
  });

  it('is told progress, asked, and answers', async () => {
    const { port } = await serve(async (_call, { onEvent, ask }) => {
      onEvent({ kind: 'notification', method: 'notifications/progress', params: jsonText({ progressToken: 3, progress: 1 }) });
      const answer = await ask?.({ method: 'roots/list', params: undefined }, new AbortController().signal);
      return {
        kind: 'complete',
        result: jsonText({ content: [], structuredContent: answer !== undefined && 'result' in answer ? answer.result.value : {} }),
      };
    });
    const client = await connect(port);
    client.send(initialize('2025-11-25', { roots: {} }));
    await client.next();
    client.send(callEcho(4, { _meta: { progressToken: 'tok' } }));
    expect(await client.next()).toMatchObject({ method: 'notifications/progress', params: { progressToken: 'tok' } });
    const asked = await client.next();
    expect(asked).toMatchObject({ method: 'roots/list' });
    client.send({ jsonrpc: '2.0', id: asked.id, result: { roots: [{ uri: 'file:///x' }] } });
    expect(await client.next()).toMatchObject({ id: 4, result: { structuredContent: { roots: [{ uri: 'file:///x' }] } } });
  });

  it.each([
    ['no result', {}],
    ['a result that is null', { result: null }],
    ['a result that is no object', { result: 'x' }],
    ['an error that is no object', { error: 'x' }],
    ['an error without a code', { error: { message: 'x' } }],
  ])('whose answer is malformed (%s) ends what was asked, and no request of its own', async (_what, answer) => {
    const { port, gauge } = await serve(async (_call, { ask }) => {
      const answered = await ask?.({ method: 'roots/list', params: undefined }, new AbortController().signal);
      return answered !== undefined && 'error' in answered ? { kind: 'error', error: answered.error } : ok;
    });
    const client = await connect(port);
    client.send(initialize('2025-11-25', { roots: {} }));
    await client.next();
    client.send(callEcho(1));
    const asked = await client.next();
    expect(asked).toMatchObject({ method: 'roots/list' });
    client.send({ jsonrpc: '2.0', id: asked.id, ...answer });
    // Nothing under the id of the question, which may be one of the client's own too.
    expect(await client.next()).toEqual({ jsonrpc: '2.0', id: 1, error: { code: -32603, message: 'The answer was malformed.' } });
    expect(gauge('client_asks')).toBe(0);
    client.send({ jsonrpc: '2.0', id: 77, ...answer });
    client.send(rpc(2, 'ping'));
    expect(await client.next()).toEqual({ jsonrpc: '2.0', id: 2, result: {} });
  });

  it('has each request of a batch counted', async () => {
    const { port, rate } = await serve();
    const client = await connect(port);
    client.send(initialize('2025-03-26'));
    await client.next();
    client.send([callEcho(1), notification('notifications/x'), rpc(2, 'ping')]);
    await client.next();
    expect(rate.counted).toBe(3);
  });

  it('hears of changes: by session, and by subscription with its id until it cancels', async () => {
    const gateway = await serve();
    const client = await connect(gateway.port);
    client.send(modernBody('L', 'subscriptions/listen', { notifications: { toolsListChanged: true } }));
    const mine = { _meta: { [META.subscriptionId]: 'L' } };
    expect(await client.next()).toMatchObject({ method: 'notifications/subscriptions/acknowledged', params: mine });
    changeTools(gateway);
    expect(await client.next()).toMatchObject({ method: 'notifications/tools/list_changed', params: mine });
    client.send(notification('notifications/cancelled', { requestId: 'L' }));
    await eventually(() => gateway.services.hub.size === 0);
    client.send(initialize('2025-11-25'));
    await client.next();
    client.send(notification('notifications/initialized'));
    await eventually(() => gateway.services.hub.size === 1);
    changeTools(gateway);
    expect(await client.next()).toEqual({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' });
    client.socket.terminate();
    await eventually(() => gateway.services.hub.size === 0);
  });

  it('that leaves ends its calls', async () => {
    let aborted = false;
    const { port, gauge } = await serve(
      (_call, { signal }) =>
        new Promise((resolve) =>
          signal.addEventListener('abort', () => {
            aborted = true;
            resolve(ok);
          }),
        ),
    );
    const client = await connect(port);
    client.send(modernBody(1, 'tools/call', { name: 'echo', arguments: { text: 'x' } }));
    await eventually(() => gauge('calls_in_flight') === 1);
    client.socket.terminate();
    await eventually(() => aborted && gauge('calls_in_flight') === 0);
  });

  it('is closed with 1008 when its credential ends, 1003 for a binary frame, 1009 for one too large', async () => {
    const gateway = await serve(undefined, { pace: { patienceMs: 1000, tickMs: 5 }, limits: { bodyBytes: 1000 } });
    const guest = await connect(gateway.port, { who: 'guest' });
    gateway.revoked.add('guest');
    expect(await guest.closed).toBe(1008);
    const binary = await connect(gateway.port);
    binary.socket.send(Buffer.from('{}'));
    expect(await binary.closed).toBe(1003);
    const large = await connect(gateway.port);
    large.send('x'.repeat(2000));
    expect(await large.closed).toBe(1009);
  });

  it('is closed with 1001 when the gateway goes, after what is under way was answered', async () => {
    let finish: ((outcome: Outcome) => void) | undefined;
    const gateway = await serve(() => new Promise((resolve) => (finish = resolve)));
    const client = await connect(gateway.port);
    client.send(modernBody('L', 'subscriptions/listen', { notifications: { toolsListChanged: true } }));
    await client.next();
    client.send(modernBody(1, 'tools/call', { name: 'echo', arguments: { text: 'x' } }));
    const end = await eventually(() => finish);
    const stopped = gateway.stop();
    expect(await client.next()).toMatchObject({ id: 'L', result: { resultType: 'complete' } });
    client.send(rpc(2, 'ping'));
    end(ok);
    expect(await client.next()).toMatchObject({ id: 1, result: {} });
    expect(await client.closed).toBe(1001);
    await stopped;
    running = undefined;
  });

  it('that answers no ping is let go', async () => {
    const gateway = await serve(undefined, { pace: { patienceMs: 1000, tickMs: 5 } });
    const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}/mcp/s`, ['mcp'], { autoPong: false });
    await once(socket, 'open');
    await once(socket, 'close');
    await eventually(() => gateway.gauge('websocket_clients') === 0);
  });

  it('needs the subprotocol and an endpoint that there is', async () => {
    const { port, gauge } = await serve();
    await expect(connect(port, { protocols: [] })).rejects.toThrow(/400/);
    await expect(connect(port, { protocols: ['graphql'] })).rejects.toThrow(/400/);
    await expect(connect(port, { path: '/mcp/nobody' })).rejects.toThrow(/404/);
    await expect(connect(port, { path: '/sse' })).rejects.toThrow(/404/);
    expect(gauge('websocket_clients')).toBe(0);
  });
});
