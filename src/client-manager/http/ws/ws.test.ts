import type { Server } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { afterEach, describe, expect, it } from 'vitest';
import type { Reply } from '../../connection.ts';
import { callTool, Heard, open, request, said, type Opened, type OpenMore } from '../../connections-kit.ts';
import { httpConfig, until } from '../../test-kit.ts';

/** WebSocket with the subprotocol `mcp`, both eras, by the rules of stdio (S26 transports, "Custom Transports"; PROTOCOL A9). */

interface Fixture {
  readonly url: string;
  readonly core: { readonly calls: readonly unknown[]; readonly cancelled: readonly unknown[] };
  readonly upgrades: readonly Record<string, unknown>[];
  readonly firsts: readonly string[];
  readonly sockets: ReadonlySet<WebSocket>;
  broadcast(message: object): void;
  set(options: object): void;
  close(): Promise<void>;
}

let ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ends.toReversed()) await end();
  ends = [];
});

async function upstream(options: object = {}): Promise<Fixture> {
  const module = (await import(new URL('../../../../test/fixtures/upstreams/ws.ts', import.meta.url).href)) as {
    startWsUpstream: (options: object) => Promise<Fixture>;
  };
  const fixture = await module.startWsUpstream(options);
  ends.push(() => fixture.close());
  return fixture;
}

async function connect(url: string, more: OpenMore & { headers?: Record<string, string> } = {}): Promise<Opened> {
  const { headers = {}, ...rest } = more;
  const opened = await open(httpConfig('one', url, { transport: 'ws', headers }), rest);
  ends.push(() => opened.connection.close());
  return opened;
}

const only = ({ sockets }: Fixture): WebSocket => [...sockets][0] as WebSocket;

describe('the era', () => {
  it('modern is found on the connection itself; the configured headers are on the upgrade', async () => {
    const { url, upgrades, firsts } = await upstream({ era: 'dual' });
    const { connection } = await connect(url, { headers: { 'X-Key': 'secret', 'Sec-WebSocket-Protocol': 'evil' } });
    expect(connection).toMatchObject({
      era: 'modern',
      via: 'ws-modern',
      revision: '2026-07-28',
      eras: ['modern', 'legacy'],
      stateful: true,
    });
    expect(said(await callTool(connection, 'echo', { text: 'hello' }))).toBe('hello');
    expect(upgrades).toHaveLength(1);
    expect(upgrades[0]).toMatchObject({ 'x-key': 'secret', 'sec-websocket-protocol': 'mcp' });
    expect(firsts).toEqual(['server/discover']);
  });

  it.each([
    ['refuses', { era: 'legacy' }],
    ['says nothing', { era: 'legacy', silent: true }],
  ])('legacy is found where the server %s, and gets initialize on a fresh connection', async (_name, options) => {
    const fixture = await upstream(options);
    const { connection } = await connect(fixture.url, { limits: { probeMs: 200 }, offers: { elicitation: {} } });
    expect(connection).toMatchObject({ era: 'legacy', via: 'ws-legacy', revision: '2025-11-25' });
    expect(fixture.firsts.at(-1)).toBe('initialize');
    expect(fixture.upgrades).toHaveLength(2);
    await until(() => fixture.sockets.size === 1);
    expect(said(await callTool(connection, 'echo', { text: 'hello' }))).toBe('hello');
  });

  it('that is asked for is not probed', async () => {
    const fixture = await upstream({ era: 'dual' });
    expect((await connect(fixture.url, { era: 'legacy' })).connection.era).toBe('legacy');
    expect(fixture.firsts).toEqual(['initialize']);
    const legacy = await upstream({ era: 'legacy' });
    await expect(connect(legacy.url, { era: 'modern' })).rejects.toMatchObject({
      reason: expect.stringMatching(/does not speak 2026/) as string,
    });
    await until(() => legacy.sockets.size === 0);
  });
});

describe('no connection', () => {
  it.each([
    [{ refuse: 401 }, /credentials \(HTTP 401\)/],
    [{ refuse: 503 }, /HTTP 503/],
    [{ noSubprotocol: true }, /subprotocol "mcp"/],
  ])('is made with a server that does not want one: %o', async (options, reason) => {
    const { url } = await upstream(options);
    await expect(connect(url)).rejects.toMatchObject({ reason: expect.stringMatching(reason) as string });
  });

  it('is made where nobody listens, where nobody answers, or with a url that is none', async () => {
    await expect(connect('ws://127.0.0.1:1/mcp')).rejects.toMatchObject({ reason: 'the connection was refused' });
    await expect(connect('ftp://127.0.0.1/')).rejects.toMatchObject({ reason: expect.stringMatching(/not valid/) as string });
    const sockets: Duplex[] = [];
    const mute: Server = createServer().on('upgrade', (_req, socket) => void sockets.push(socket));
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
    ends.push(async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => mute.close(resolve));
    });
    const url = `ws://127.0.0.1:${(mute.address() as AddressInfo).port}/`;
    await expect(connect(url, { limits: { connectMs: 100 } })).rejects.toMatchObject({
      reason: expect.stringMatching(/in time/) as string,
    });
    await expect(connect(url, { signal: AbortSignal.timeout(100) })).rejects.toMatchObject({ reason: 'the attempt was canceled' });
  });
});

describe('a connection', () => {
  it('carries progress by token, asks, announcements and cancellation', async () => {
    const fixture = await upstream({ era: 'legacy' });
    const { connection } = await connect(fixture.url, { era: 'legacy' });
    const listener = new Heard();
    connection.listen(listener);
    const own: unknown[] = [];
    const onNotification = (_method: string, params: { value: unknown } | undefined): number => own.push(params?.value);
    const steps = { steps: 2 };
    await Promise.all([
      callTool(connection, 'progress', steps, { progressToken: 3, onNotification }),
      callTool(connection, 'progress', steps),
    ]);
    expect(own).toEqual([1, 2].map((progress) => ({ progressToken: 3, progress })));
    expect(said(await callTool(connection, 'ask', { method: 'roots/list' }))).toContain('"roots":[]');
    fixture.broadcast({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' });
    await until(() => listener.notifications.length === 1);
    const controller = new AbortController();
    const hanging = callTool(connection, 'hang', {}, { signal: controller.signal });
    await until(() => fixture.core.calls.length === 4);
    controller.abort();
    expect(said(await hanging)).toBe('failed canceled unknown');
    await until(() => fixture.core.cancelled.length === 1);
  });

  it('hands notifications of a subscription to its request, by the id that it has on the wire', async () => {
    const fixture = await upstream({ era: 'modern' });
    const { connection } = await connect(fixture.url);
    const sent: { id: number; method: string }[] = [];
    only(fixture).on('message', (data: Buffer) => sent.push(JSON.parse(data.toString()) as { id: number; method: string }));
    const listener = new Heard();
    connection.listen(listener);
    const heard: string[][] = [[], []];
    const listen = (own: string[]): Promise<Reply> =>
      connection.exchange(
        request(connection, 'subscriptions/listen', {}, { expiresAt: Infinity, onNotification: (method) => own.push(method) }),
      );
    // The fixture does not know the method; its refusal of the first comes before anything else is sent.
    expect(said(await listen(heard[0] as string[]))).toBe('error -32601');
    const before = sent.length;
    only(fixture).removeAllListeners('message');
    only(fixture).on('message', (data: Buffer) => sent.push(JSON.parse(data.toString()) as { id: number; method: string }));
    const open = listen(heard[1] as string[]);
    await until(() => sent.length > before);
    const { id } = sent.at(-1) as { id: number };
    expect(connection.inFlight).toBe(0);
    const announce = (subscription: unknown, method: string): void =>
      fixture.broadcast({ jsonrpc: '2.0', method, params: { _meta: { 'io.modelcontextprotocol/subscriptionId': subscription } } });
    announce(id - 1, 'notifications/late');
    announce(String(id), 'notifications/other');
    announce(id, 'notifications/subscriptions/acknowledged');
    announce(id, 'notifications/tools/list_changed');
    fixture.broadcast({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 1 } });
    fixture.broadcast({ jsonrpc: '2.0', id, result: { resultType: 'complete' } });
    expect(await open).toMatchObject({ kind: 'response' });
    expect(heard).toEqual([[], ['notifications/subscriptions/acknowledged', 'notifications/tools/list_changed']]);
    expect(listener.notifications.map(({ method }) => method)).toEqual(['notifications/message']);
  });

  it('that is lost ends its calls with an unknown outcome, and closing it closes the socket', async () => {
    const fixture = await upstream();
    const { connection } = await connect(fixture.url);
    const hanging = callTool(connection, 'hang');
    await until(() => fixture.core.calls.length === 1);
    only(fixture).terminate();
    expect(said(await hanging)).toBe('failed outcome_unknown unknown');
    expect(await connection.lost).toMatch(/closed/);
    expect(said(await callTool(connection, 'echo'))).toBe('failed upstream_unavailable no');
    const again = await connect(fixture.url);
    await again.connection.close();
    await until(() => fixture.sockets.size === 0);
  });

  it('requests of a modern server are told of once and not answered', async () => {
    const fixture = await upstream({ era: 'modern' });
    const { connection, events } = await connect(fixture.url);
    const answers: unknown[] = [];
    only(fixture).on('message', (data: Buffer) => answers.push(JSON.parse(data.toString())));
    for (const id of [1, 2]) fixture.broadcast({ jsonrpc: '2.0', id, method: 'ping' });
    expect(said(await callTool(connection, 'echo', { text: 'x' }))).toBe('x');
    expect(answers).toHaveLength(1);
    expect(events).toEqual([{ kind: 'server_request', method: 'ping', answer: 'ignored' }]);
  });
});

describe('a server that misbehaves', () => {
  it('answering twice, under unknown ids, with rubbish and binary messages harms nobody', async () => {
    const fixture = await upstream();
    const { connection } = await connect(fixture.url);
    for (const message of [{ jsonrpc: '2.0', id: 1, result: {} }, { jsonrpc: '2.0', id: 99, result: {} }, { rubbish: 1 }])
      fixture.broadcast(message);
    only(fixture).send('not json at all');
    only(fixture).send(Buffer.from([1, 2, 3]));
    expect(said(await callTool(connection, 'echo', { text: 'well' }))).toBe('well');
    expect(connection.inFlight).toBe(0);
  });

  it('sending 100,000 notifications is heard out, and calls get their answers', async () => {
    const fixture = await upstream();
    const { connection } = await connect(fixture.url, { limits: { noiseBytes: 1024 * 1024 } });
    let count = 0;
    connection.listen({ onRequest: () => Promise.reject(new Error('none')), onNotification: () => count++ });
    for (let i = 0; i < 100_000; i++)
      fixture.broadcast({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 'x' } });
    await until(() => count === 100_000);
    expect(said(await callTool(connection, 'echo', { text: 'well' }))).toBe('well');
  });

  it('whose answer is too large ends that call only, and without bound its connection', async () => {
    const fixture = await upstream();
    const { connection } = await connect(fixture.url, { limits: { frameBytes: 100_000 } });
    expect(said(await callTool(connection, 'big', { bytes: 200_000 }))).toBe('failed result_too_large unknown');
    expect(said(await callTool(connection, 'echo', { text: 'well' }))).toBe('well');
    expect(said(await callTool(connection, 'big', { bytes: 500_000 }))).toBe('failed outcome_unknown unknown');
    expect(await connection.lost).toMatch(/larger than 400000 bytes/);
  });

  it('that stops reading gets no more than the limit; further calls are refused', async () => {
    const fixture = await upstream();
    const { connection } = await connect(fixture.url, { limits: { stdinBytes: 1024 * 1024 } });
    only(fixture).pause();
    const text = 'x'.repeat(512 * 1024);
    const replies: Promise<Reply>[] = [];
    for (let i = 0; i < 60; i++) replies.push(callTool(connection, 'echo', { text }, { expiresAt: performance.now() + 300 }));
    const ended = (await Promise.all(replies)).map(said);
    expect(new Set(ended)).toEqual(new Set(['failed deadline_exceeded unknown', 'failed busy no']));
    only(fixture).resume();
    await until(() => fixture.core.calls.length > 0);
  });
});
