import { afterEach, describe, expect, it } from 'vitest';
import type { Connection } from '../../connection.ts';
import { callTool, Heard, open, request, said, scriptedHttp, type Opened, type OpenMore } from '../../connections-kit.ts';
import { httpConfig, until } from '../../test-kit.ts';

/** HTTP+SSE of 2024-11-05 (S24 transports, "HTTP with SSE"), asked for or found behind a url (S25 transports, "Backwards Compatibility"). */

interface Fixture {
  readonly url: string;
  readonly core: { readonly calls: readonly unknown[]; readonly cancelled: readonly unknown[] };
  readonly requests: readonly { readonly method: string; readonly headers: Record<string, unknown>; readonly body: string }[];
  readonly streams: number;
  broadcast(message: object): void;
  drop(): void;
  set(options: object): void;
  close(): Promise<void>;
}

let ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ends.toReversed()) await end();
  ends = [];
});

async function upstream(options: object = {}): Promise<Fixture> {
  const module = (await import(new URL('../../../../test/fixtures/upstreams/sse.ts', import.meta.url).href)) as {
    startSseUpstream: (options: object) => Promise<Fixture>;
  };
  const fixture = await module.startSseUpstream(options);
  ends.push(() => fixture.close());
  return fixture;
}

async function connect(
  url: string,
  more: OpenMore & { transport?: 'http' | 'sse'; headers?: Record<string, string> } = {},
): Promise<Opened> {
  const { transport = 'sse', headers = {}, ...rest } = more;
  const opened = await open(httpConfig('one', url, { transport, headers }), rest);
  ends.push(() => opened.connection.close());
  return opened;
}

function heard(connection: Connection): Heard {
  const one = new Heard();
  connection.listen(one);
  return one;
}

describe('a connection', () => {
  it('takes the endpoint from the stream, sends everything there with our headers, and hears the answers on the stream', async () => {
    const { url, requests } = await upstream();
    const { connection } = await connect(url, { headers: { 'X-Key': 'secret' }, offers: { roots: {} } });
    expect(connection).toMatchObject({ era: 'legacy', via: 'sse-legacy', revision: '2025-11-25', stateful: true, eras: ['legacy'] });
    expect(said(await callTool(connection, 'echo', { text: 'hello' }))).toBe('hello');
    expect(requests.map(({ method }) => method)).toEqual(['GET', 'POST', 'POST', 'POST']);
    for (const { headers } of requests) expect(headers['x-key']).toBe('secret');
    expect(JSON.parse(requests[1]?.body ?? '')).toMatchObject({ method: 'initialize', params: { capabilities: { roots: {} } } });
    expect(JSON.parse(requests[2]?.body ?? '')).toMatchObject({ method: 'notifications/initialized' });
  });

  it('carries progress by token, asks, announcements and cancellation', async () => {
    const { url, core, broadcast } = await upstream().then((fixture) => ({
      ...fixture,
      url: fixture.url,
      core: fixture.core,
      broadcast: fixture.broadcast.bind(fixture),
    }));
    const { connection } = await connect(url);
    const listener = heard(connection);
    const own: unknown[] = [];
    const onNotification = (_method: string, params: { value: unknown } | undefined): number => own.push(params?.value);
    await Promise.all([
      callTool(connection, 'progress', { steps: 2 }, { progressToken: 11, onNotification }),
      callTool(connection, 'progress', { steps: 2 }),
    ]);
    expect(own).toEqual([1, 2].map((progress) => ({ progressToken: 11, progress })));
    expect(said(await callTool(connection, 'ask', { method: 'roots/list' }))).toContain('"roots":[]');
    expect(listener.requests).toHaveLength(1);
    broadcast({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' });
    await until(() => listener.notifications.length === 1);
    const controller = new AbortController();
    const hanging = callTool(connection, 'hang', {}, { signal: controller.signal });
    await until(() => core.calls.length === 4);
    controller.abort();
    expect(said(await hanging)).toBe('failed canceled unknown');
    await until(() => core.cancelled.length === 1);
  });

  it('that is lost ends its calls with an unknown outcome, and closing it closes the stream', async () => {
    const fixture = await upstream();
    const { connection } = await connect(fixture.url);
    const hanging = callTool(connection, 'hang');
    await until(() => fixture.core.calls.length === 1);
    fixture.drop();
    expect(said(await hanging)).toBe('failed outcome_unknown unknown');
    expect(await connection.lost).toMatch(/closed/);
    expect(said(await callTool(connection, 'echo'))).toBe('failed upstream_unavailable no');
    const again = await connect(fixture.url);
    expect(fixture.streams).toBe(1);
    await again.connection.close();
    await until(() => fixture.streams === 0);
  });

  it('whose session the server has forgotten ends, and the refused call may be repeated', async () => {
    const fixture = await upstream();
    const { connection } = await connect(fixture.url);
    fixture.set({ postStatus: 404 });
    expect(await callTool(connection, 'echo')).toMatchObject({ kind: 'failed', gone: true, failure: { executed: 'no' } });
    await connection.lost;
  });

  it.each([
    [401, 'failed upstream_unavailable no'],
    [500, 'failed upstream_failed unknown'],
    [302, 'failed upstream_failed unknown'],
  ])('a message that is answered with %d has failed, and the connection stays', async (postStatus, expected) => {
    const fixture = await upstream();
    const { connection } = await connect(fixture.url);
    fixture.set({ postStatus });
    expect(said(await callTool(connection, 'echo'))).toBe(expected);
    fixture.set({ postStatus: 202 });
    expect(said(await callTool(connection, 'echo', { text: 'well' }))).toBe('well');
  });
});

describe('no connection', () => {
  it('is made to an endpoint of another origin, or without one', async () => {
    const victim = await scriptedHttp((_incoming, res) => void res.writeHead(202).end());
    ends.push(() => victim.close());
    const foreign = await upstream({ endpoint: `${victim.url}?session=SESSION` });
    await expect(connect(foreign.url)).rejects.toMatchObject({ reason: expect.stringMatching(/another origin/) as string });
    expect(victim.requests).toEqual([]);
    await until(() => foreign.streams === 0);
    const bad = await upstream({ endpoint: 'http://' });
    await expect(connect(bad.url)).rejects.toMatchObject({ reason: expect.stringMatching(/no valid URL/) as string });
    const silent = await scriptedHttp((_incoming, res) => res.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders());
    ends.push(() => silent.close());
    await expect(connect(silent.url, { limits: { connectMs: 150 } })).rejects.toMatchObject({
      reason: expect.stringMatching(/in time/) as string,
    });
  });

  it.each([
    [401, /credentials \(HTTP 401\)/],
    [404, /HTTP 404/],
    [200, /opened no event stream/],
  ])('is made where GET is answered with %d', async (status, reason) => {
    const answering = await scriptedHttp((_incoming, res) => void res.writeHead(status).end());
    ends.push(() => answering.close());
    await expect(connect(answering.url)).rejects.toMatchObject({ reason: expect.stringMatching(reason) as string });
  });

  it('is made in the modern era', async () => {
    const { url } = await upstream();
    await expect(connect(url, { era: 'modern' })).rejects.toMatchObject({ reason: expect.stringMatching(/legacy era only/) as string });
  });
});

describe('a url for Streamable HTTP behind which is HTTP+SSE', () => {
  it('is spoken to that way, and an event says so', async () => {
    const { url } = await upstream();
    const { connection, events } = await connect(url, { transport: 'http' });
    expect(connection.via).toBe('sse-legacy');
    expect(events).toContainEqual({ kind: 'transport_fallback', transport: 'sse' });
    expect(said(await callTool(connection, 'echo', { text: 'old' }))).toBe('old');
  });

  it('is not looked for where the answer came from an MCP server, and the first reason is told where there is none', async () => {
    const refusing = await scriptedHttp(
      ({ message }, res) =>
        void res
          .writeHead(400, { 'content-type': 'application/json' })
          .end(JSON.stringify({ jsonrpc: '2.0', id: message.id, error: { code: -32602, message: 'no' } })),
    );
    ends.push(() => refusing.close());
    await expect(connect(refusing.url, { transport: 'http' })).rejects.toMatchObject({
      reason: expect.stringMatching(/refused initialize/) as string,
    });
    expect(refusing.requests.filter(({ method }) => method === 'GET')).toEqual([]);
    const nothing = await scriptedHttp((_incoming, res) => void res.writeHead(404).end());
    ends.push(() => nothing.close());
    await expect(connect(nothing.url, { transport: 'http' })).rejects.toMatchObject({
      reason: expect.stringMatching(/no MCP endpoint/) as string,
    });
  });
});

describe('a server that misbehaves', () => {
  it('answering twice, under unknown ids and with rubbish harms nobody', async () => {
    const fixture = await upstream();
    const { connection, events } = await connect(fixture.url);
    for (const message of [
      { jsonrpc: '2.0', id: 1, result: {} },
      { jsonrpc: '2.0', id: 99, result: {} },
      { jsonrpc: '2.0', id: 'x', error: {} },
      { rubbish: 1 },
    ])
      fixture.broadcast(message);
    expect(said(await callTool(connection, 'echo', { text: 'well' }))).toBe('well');
    expect(events.some(({ kind }) => kind === 'garbage')).toBe(true);
    expect(connection.inFlight).toBe(0);
  });

  it('sending 100,000 notifications is heard out, and calls get their answers', async () => {
    const fixture = await upstream();
    const { connection } = await connect(fixture.url);
    let count = 0;
    connection.listen({ onRequest: () => Promise.reject(new Error('none')), onNotification: () => count++ });
    for (let i = 0; i < 100_000; i++)
      fixture.broadcast({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 'x' } });
    expect(said(await callTool(connection, 'echo', { text: 'well' }))).toBe('well');
    await until(() => count === 100_000);
  });

  it('whose event is too large ends its connection', async () => {
    const fixture = await upstream();
    const { connection } = await connect(fixture.url, { limits: { frameBytes: 100_000 } });
    expect(said(await connection.exchange(request(connection, 'tools/call', { name: 'big', arguments: { bytes: 200_000 } })))).toBe(
      'failed outcome_unknown unknown',
    );
    expect(await connection.lost).toMatch(/too large/);
  });
});
