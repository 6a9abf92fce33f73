import type { ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import type { Connection } from '../connection.ts';
import {
  callTool,
  events,
  Heard,
  json,
  legacyBasics,
  open,
  request,
  said,
  scriptedHttp,
  sendEvent,
  textResult,
  type Incoming,
  type Opened,
  type OpenMore,
  type ScriptedHttp,
} from '../connections-kit.ts';
import { httpConfig, httpUpstream, until } from '../test-kit.ts';

/** Streamable HTTP of the legacy era: its streams, sessions and server requests (S25 transports; PROTOCOL A8, A10). */

let ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ends.toReversed()) await end();
  ends = [];
});

type Serve = (incoming: Incoming, res: ServerResponse) => void;

async function server(serve: Serve, session?: string): Promise<ScriptedHttp> {
  const scripted = await scriptedHttp((incoming, res) => {
    if (!legacyBasics(incoming, res, session)) serve(incoming, res);
  });
  ends.push(() => scripted.close());
  return scripted;
}

async function connect(url: string, more: OpenMore = {}): Promise<Opened> {
  const opened = await open(httpConfig('one', url), { era: 'legacy', ...more });
  ends.push(() => opened.connection.close());
  return opened;
}

function heard(connection: Connection): Heard {
  const one = new Heard();
  connection.listen(one);
  connection.openStream?.();
  return one;
}

const refuseGet = (res: ServerResponse): void => void res.writeHead(405).end();
const gets = ({ requests }: ScriptedHttp): Incoming[] => requests.filter(({ method }) => method === 'GET');
const elicitation = (id: string | number): object => ({ jsonrpc: '2.0', id, method: 'elicitation/create', params: { message: 'name?' } });

describe('initialize', () => {
  it.each<[string, Record<string, string>, (text: string) => string | Buffer, RegExp]>([
    ['compressed', { 'content-encoding': 'gzip' }, (text) => gzipSync(text), /content coding gzip, which was not asked for/],
    ['begun with a byte order mark', {}, (text) => `\uFEFF${text}`, /something that is not JSON-RPC/],
    ['given another id', {}, (text) => text.replace('"id":1', '"id":"1"'), /the id of another request/],
    ['no JSON', {}, () => '<html>', /something that is not JSON-RPC/],
    ['missing', {}, () => '', /gave no JSON-RPC answer/],
  ])('says what is wrong with an answer that is %s', async (_name, headers, spoil, reason) => {
    const facts = { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: { name: 'old', version: '1' } };
    const scripted = await scriptedHttp(({ message }, res) => {
      res.writeHead(200, { 'content-type': 'application/json', ...headers });
      res.end(spoil(JSON.stringify({ jsonrpc: '2.0', id: message.id, result: facts })));
    });
    ends.push(() => scripted.close());
    await expect(connect(scripted.url)).rejects.toThrow(reason);
  });

  it('declares what is offered, and sends the negotiated revision afterwards', async () => {
    verifies('s25-client-version');
    const upstream = await server(({ method, message }, res) =>
      method === 'GET' ? refuseGet(res) : json(res, message.id, textResult('hi')),
    );
    const { connection } = await connect(upstream.url, { offers: { elicitation: { form: {} } } });
    expect(upstream.requests[0]?.message.params?.capabilities).toEqual({ elicitation: { form: {} } });
    expect(upstream.requests[0]?.headers['mcp-protocol-version']).toBeUndefined();
    expect(said(await callTool(connection, 'any'))).toBe('hi');
    expect(upstream.requests.at(-1)?.headers).toMatchObject({ 'mcp-protocol-version': '2025-11-25', 'mcp-session-id': 'session-1' });
    expect(connection).toMatchObject({ stateful: true, via: 'http-legacy', era: 'legacy' });
  });

  it('a server without sessions is not stateful', async () => {
    const bare = await scriptedHttp((incoming, res) => {
      if (incoming.message.method === 'initialize') json(res, incoming.message.id, { protocolVersion: '2025-06-18', capabilities: {} });
      else res.writeHead(202).end();
    });
    ends.push(() => bare.close());
    expect((await connect(bare.url)).connection).toMatchObject({ stateful: false, revision: '2025-06-18' });
  });
});

describe('the stream that belongs to no request', () => {
  it('is opened when it is wanted, not before, and 405 means that there is none', async () => {
    const upstream = await server((_incoming, res) => refuseGet(res));
    const { connection } = await connect(upstream.url);
    expect(gets(upstream)).toHaveLength(0);
    heard(connection);
    await until(() => gets(upstream).length === 1);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(gets(upstream)).toHaveLength(1);
    expect(gets(upstream)[0]?.headers).toMatchObject({ accept: 'text/event-stream', 'mcp-session-id': 'session-1' });
  });

  it('is there before a connection that may be asked is used', async () => {
    const upstream = await server((_incoming, res) => void events(res));
    await connect(upstream.url, { offers: { roots: {} } });
    expect(gets(upstream)).toHaveLength(1);
  });

  it('brings notifications, and goes on where it broke off after exactly what the server asked for', async () => {
    const at: number[] = [];
    const streams: ServerResponse[] = [];
    const upstream = await server(({ method }, res) => {
      if (method !== 'GET') return refuseGet(res);
      at.push(performance.now());
      streams.push(res);
      sendEvent(
        res,
        { jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri: `u:${streams.length}` } },
        { id: `e${streams.length}`, retry: 120 },
      );
    });
    const { connection } = await connect(upstream.url);
    const { notifications } = heard(connection);
    await until(() => notifications.length === 1);
    streams[0]?.end();
    await until(() => notifications.length === 2);
    streams[1]?.destroy();
    await until(() => notifications.length === 3);
    expect(notifications.map(({ params }) => params)).toEqual([{ uri: 'u:1' }, { uri: 'u:2' }, { uri: 'u:3' }]);
    expect(gets(upstream).map(({ headers }) => headers['last-event-id'])).toEqual([undefined, 'e1', 'e2']);
    // Never sooner than asked for; how much later is the machine's affair.
    expect((at[1] as number) - (at[0] as number)).toBeGreaterThanOrEqual(119);
    expect((at[2] as number) - (at[1] as number)).toBeGreaterThanOrEqual(119);
  });

  it('a server that answers it with errors is asked again less and less often, and one that gives no events is left', async () => {
    let status = 503;
    const upstream = await server((_incoming, res) => void res.writeHead(status, { 'content-type': 'text/html' }).end('<p>'));
    const { connection } = await connect(upstream.url);
    heard(connection);
    await until(() => gets(upstream).length === 2);
    status = 200;
    await until(() => gets(upstream).length === 3);
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    expect(gets(upstream)).toHaveLength(3);
  });

  it('progress on it goes to its call by the token, what belongs to no call to the listener', async () => {
    const streams: ServerResponse[] = [];
    const upstream = await server(({ method, message }, res) => {
      if (method === 'GET') return void streams.push(events(res));
      const [stream] = streams as [ServerResponse];
      for (const [token, progress] of [
        [7, 1],
        [8, 2],
        ['7', 3],
      ])
        sendEvent(stream, { jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: token, progress } });
      sendEvent(stream, { jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 'x' } });
      setTimeout(() => json(res, message.id, textResult('done')), 30);
    });
    const { connection } = await connect(upstream.url);
    const listener = heard(connection);
    await until(() => streams.length === 1);
    const own: unknown[] = [];
    const onNotification = (_method: string, params: { value: unknown } | undefined): number => own.push(params?.value);
    expect(said(await callTool(connection, 'any', {}, { progressToken: 7, onNotification }))).toBe('done');
    expect(own).toEqual([{ progressToken: 7, progress: 1 }]);
    expect(listener.notifications.map(({ method }) => method)).toEqual(['notifications/message']);
  });

  it('may bring the response of a call whose own stream broke off', async () => {
    const streams: ServerResponse[] = [];
    const upstream = await server(({ method, message }, res) => {
      if (method === 'GET') return void streams.push(events(res));
      sendEvent(res, undefined, { id: 'a', retry: 60_000 });
      res.end();
      setTimeout(() => sendEvent(streams[0] as ServerResponse, { jsonrpc: '2.0', id: message.id, result: textResult('elsewhere') }), 30);
    });
    const { connection } = await connect(upstream.url);
    heard(connection);
    await until(() => streams.length === 1);
    expect(said(await callTool(connection, 'any'))).toBe('elsewhere');
    expect(connection.inFlight).toBe(0);
  });
});

describe('a call whose stream closes before its response', () => {
  it('goes on by GET after exactly what the server asked for, as often as it takes, and is posted once', async () => {
    verifies('s25-client-retry');
    const at: number[] = [];
    let id: number | undefined;
    const upstream = await server(({ method, message, headers }, res) => {
      at.push(performance.now());
      if (method === 'POST') {
        ({ id } = message);
        sendEvent(res, undefined, { id: 'a', retry: 100 });
      } else if (headers['last-event-id'] === 'a')
        sendEvent(res, { jsonrpc: '2.0', method: 'notifications/message', params: { n: 1 } }, { id: 'b' });
      else sendEvent(res, { jsonrpc: '2.0', id, result: textResult('finally') }, { id: 'c' });
      res.end();
    });
    const { connection } = await connect(upstream.url);
    const own: unknown[] = [];
    expect(said(await callTool(connection, 'any', {}, { onNotification: (method) => own.push(method) }))).toBe('finally');
    expect(own).toEqual(['notifications/message']);
    expect(gets(upstream).map(({ headers }) => headers['last-event-id'])).toEqual(['a', 'b']);
    expect(upstream.requests.filter(({ message }) => message.method === 'tools/call')).toHaveLength(1);
    expect((at[1] as number) - (at[0] as number)).toBeGreaterThanOrEqual(99);
    // The second stream named no pause: the default holds.
    expect((at[2] as number) - (at[1] as number)).toBeGreaterThanOrEqual(999);
  });

  it.each([
    ['without an event id', undefined, 200, 0],
    ['with one, and the server takes no GET', 'a', 405, 1],
    ['with one, and the server has forgotten the session', 'a', 404, 1],
    ['with one, and the server stays broken', 'a', 500, 5],
  ] as const)('%s it is of unknown outcome', async (_name, eventId, status, resumptions) => {
    const upstream = await server(({ method }, res) => {
      if (method === 'GET') return void res.writeHead(status).end();
      sendEvent(res, undefined, eventId === undefined ? {} : { id: eventId, retry: 1 });
      setTimeout(() => res.destroy(), 20);
    });
    const { connection } = await connect(upstream.url);
    expect(said(await callTool(connection, 'any'))).toBe('failed outcome_unknown unknown');
    expect(gets(upstream)).toHaveLength(resumptions);
  });

  it('is cancelled and times out while it waits, and the server is told', async () => {
    const upstream = await server(({ method }, res) => {
      if (method === 'GET') return refuseGet(res);
      sendEvent(res, undefined, { id: 'a', retry: 60_000 });
      res.end();
    });
    const { connection } = await connect(upstream.url);
    const controller = new AbortController();
    const canceled = callTool(connection, 'any', {}, { signal: controller.signal });
    setTimeout(() => controller.abort(), 50);
    expect(said(await canceled)).toBe('failed canceled unknown');
    expect(said(await callTool(connection, 'any', {}, { expiresAt: performance.now() + 80 }))).toBe('failed deadline_exceeded unknown');
    const told = (): unknown[] =>
      upstream.requests.filter(({ message }) => message.method === 'notifications/cancelled').map(({ message }) => message.params?.reason);
    await until(() => told().length === 2);
    expect(told()).toEqual(['canceled', 'deadline']);
    expect(gets(upstream)).toHaveLength(0);
  });

  it('ends at once when the connection is closed', async () => {
    const upstream = await server((_incoming, res) => {
      sendEvent(res, undefined, { id: 'a', retry: 60_000 });
      res.end();
    });
    const { connection } = await connect(upstream.url);
    const call = callTool(connection, 'any');
    await until(() => upstream.requests.at(-1)?.message.method === 'tools/call');
    await new Promise((resolve) => setTimeout(resolve, 30));
    await connection.close();
    expect(said(await call)).toBe('failed outcome_unknown unknown');
    expect(said(await callTool(connection, 'any'))).toBe('failed upstream_unavailable no');
  });
});

describe('requests of the server', () => {
  it('on the stream of a call come with that call, on the other without', async () => {
    const streams: ServerResponse[] = [];
    const answers: unknown[] = [];
    const upstream = await scriptedHttp((incoming, res) => {
      const { method, message } = incoming;
      if (message.id !== undefined && message.method === undefined && message.result !== undefined) answers.push(message);
      if (legacyBasics(incoming, res)) return;
      if (method === 'GET') return void streams.push(events(res));
      sendEvent(res, elicitation('x'));
      const timer = setInterval(() => {
        if (answers.length === 0) return;
        clearInterval(timer);
        sendEvent(res, { jsonrpc: '2.0', id: message.id, result: textResult('thanks') });
        res.end();
      }, 5);
    });
    ends.push(() => upstream.close());
    const { connection } = await connect(upstream.url, { offers: { elicitation: {} } });
    const listener = heard(connection);
    listener.answer = () => ({ result: { text: '{"action":"accept"}', value: { action: 'accept' } } });
    const exchange = request(connection, 'tools/call', { name: 'any' });
    expect(said(await connection.exchange(exchange))).toBe('thanks');
    expect(listener.requests[0]?.exchange).toBe(exchange);
    expect(answers).toEqual([{ jsonrpc: '2.0', id: 'x', result: { action: 'accept' } }]);
    sendEvent(streams[0] as ServerResponse, elicitation('y'));
    await until(() => listener.requests.length === 2);
    expect(listener.requests[1]?.exchange).toBeUndefined();
  });

  it('that are cancelled, or open when the connection ends, abort and are not answered', async () => {
    const streams: ServerResponse[] = [];
    const upstream = await server(({ method }, res) => (method === 'GET' ? void streams.push(events(res)) : refuseGet(res)));
    const { connection } = await connect(upstream.url);
    const listener = heard(connection);
    listener.answer = (_message, signal) =>
      new Promise((resolve) => signal.addEventListener('abort', () => resolve({ error: { code: 1, message: 'late' } })));
    await until(() => streams.length === 1);
    const [stream] = streams as [ServerResponse];
    sendEvent(stream, elicitation(1));
    sendEvent(stream, elicitation('1'));
    // The same one once more, as a resumed stream may bring it.
    sendEvent(stream, elicitation(1));
    await until(() => listener.requests.length === 2);
    sendEvent(stream, { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } });
    await until(() => listener.requests[0]?.signal.aborted === true);
    expect(listener.requests[1]?.signal.aborted).toBe(false);
    await connection.close();
    expect(listener.requests[1]?.signal.aborted).toBe(true);
    const answers = upstream.requests.filter(({ message }) => message.method === undefined && message.id !== undefined);
    expect(answers).toEqual([]);
  });

  it('ping is answered at once, asks without a listener are refused, roots are the configured ones', async () => {
    const upstream = await scriptedHttp((incoming, res) => {
      if (legacyBasics(incoming, res)) return;
      if (incoming.method === 'GET') return refuseGet(res);
      for (const [id, method] of [
        [1, 'ping'],
        [2, 'roots/list'],
        [3, 'sampling/createMessage'],
        [4, 'what/ever'],
      ])
        sendEvent(res, { jsonrpc: '2.0', id, method });
      sendEvent(res, { jsonrpc: '2.0', id: incoming.message.id, result: textResult('ok') });
      res.end();
    });
    ends.push(() => upstream.close());
    const opened = await open(httpConfig('one', upstream.url, { roots: [{ uri: 'file:///data', name: 'data' }] }), { era: 'legacy' });
    ends.push(() => opened.connection.close());
    expect(said(await callTool(opened.connection, 'any'))).toBe('ok');
    const answers = (): unknown[] => upstream.requests.filter(({ message }) => message.id !== undefined && message.method === undefined);
    await until(() => answers().length === 4);
    const byId = Object.fromEntries(upstream.requests.map(({ message }) => [message.id, message]));
    expect(byId[1]).toMatchObject({ result: {} });
    expect(byId[2]).toMatchObject({ result: { roots: [{ uri: 'file:///data', name: 'data' }] } });
    expect(byId[3]).toMatchObject({ error: { code: -32602 } });
    expect(byId[4]).toMatchObject({ error: { code: -32601 } });
    expect(opened.events.filter(({ kind }) => kind === 'server_request')).toHaveLength(2);
  });
});

describe('a connection in no client’s name', () => {
  it('offers the configured roots, hears who asks for them, and is made anew like any other', async () => {
    const upstream = await httpUpstream({ era: 'legacy' });
    ends.push(() => upstream.close());
    const roots = [{ uri: 'file:///data' }];
    const { connection } = await open(httpConfig('one', upstream.url, { roots }), { era: 'legacy' });
    ends.push(() => connection.close());
    const offers = (): unknown[] =>
      upstream.requests
        .filter(({ body }) => body.includes('"initialize"'))
        .map(({ body }) => (JSON.parse(body) as { params: { capabilities: unknown } }).params.capabilities);
    expect(offers()).toEqual([{ roots: {} }]);
    await until(() => upstream.requests.some(({ method }) => method === 'GET'));
    upstream.forgetSessions();
    expect(said(await callTool(connection, 'echo', { text: 'again' }))).toBe('again');
    expect(offers()).toEqual([{ roots: {} }, { roots: {} }]);
    const bare = await open(httpConfig('one', upstream.url), { era: 'legacy' });
    ends.push(() => bare.connection.close());
    expect(offers().at(-1)).toEqual({});
  });
});

describe('a session that the server has forgotten', () => {
  it('is made anew with its stream, and the refused call is sent once more', async () => {
    const upstream = await httpUpstream({ era: 'legacy' });
    ends.push(() => upstream.close());
    const { connection, events: told } = await connect(upstream.url);
    let renewed = 0;
    connection.openStream?.();
    connection.listen({ onRequest: () => Promise.reject(new Error('none')), onNotification: () => undefined, onRenewed: () => renewed++ });
    upstream.forgetSessions();
    expect(said(await callTool(connection, 'echo', { text: 'again' }))).toBe('again');
    expect(told).toContainEqual({ kind: 'session_lost' });
    expect(renewed).toBe(1);
    await until(() => upstream.requests.filter(({ method }) => method === 'GET').length === 2);
  });

  it('ends a connection that may be asked: nobody could say whose the new one is', async () => {
    const upstream = await httpUpstream({ era: 'legacy' });
    ends.push(() => upstream.close());
    const { connection } = await connect(upstream.url, { offers: { roots: {} } });
    upstream.forgetSessions();
    const reply = await callTool(connection, 'echo', { text: 'again' });
    expect(reply).toMatchObject({ kind: 'failed', gone: true, failure: { executed: 'no' } });
    expect(await connection.lost).toBe('its session is over');
    expect(upstream.calls).toHaveLength(0);
  });

  it('shows on its stream too', async () => {
    let forgotten = false;
    const streams: ServerResponse[] = [];
    const upstream = await server(({ method }, res) => {
      if (method !== 'GET') return refuseGet(res);
      if (forgotten) return void res.writeHead(404).end();
      streams.push(events(res));
    });
    const { connection } = await connect(upstream.url, { offers: { roots: {} } });
    forgotten = true;
    streams[0]?.end();
    expect(await connection.lost).toBe('its session is over');
  });
});

describe('a server that misbehaves', () => {
  it('answering twice or under an unknown id harms nobody', async () => {
    const upstream = await server(({ method, message }, res) => {
      if (method === 'GET') return refuseGet(res);
      const name = message.params?.name;
      const answer = (id: unknown, text: string): void => sendEvent(res, { jsonrpc: '2.0', id, result: textResult(text) });
      if (name === 'twice') for (const text of ['first', 'second']) answer(message.id, text);
      else for (const id of [999_999, 'strange', -1]) answer(id, 'not yours');
      res.end();
    });
    const { connection } = await connect(upstream.url);
    expect(said(await callTool(connection, 'twice'))).toBe('first');
    expect(said(await callTool(connection, 'unknown'))).toBe('failed outcome_unknown unknown');
    expect(said(await callTool(connection, 'twice'))).toBe('first');
    expect(connection.inFlight).toBe(0);
  });

  it('sending 100,000 notifications and 1,000 requests is heard out, and the call gets its answer', async () => {
    let answered = 0;
    const upstream = await scriptedHttp((incoming, res) => {
      const { method, message } = incoming;
      if (message.method === undefined && message.id !== undefined) answered++;
      if (legacyBasics(incoming, res)) return;
      if (method === 'GET') return refuseGet(res);
      const note = `data: ${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' })}\n\n`;
      events(res).write(note.repeat(100_000));
      for (let id = 0; id < 1_000; id++) sendEvent(res, elicitation(id));
      sendEvent(res, { jsonrpc: '2.0', id: message.id, result: textResult('done') });
      res.end();
    });
    ends.push(() => upstream.close());
    const { connection } = await connect(upstream.url);
    let count = 0;
    const asked: string[] = [];
    connection.listen({
      onNotification: () => count++,
      onRequest: ({ idText }, _exchange, signal) => {
        asked.push(idText);
        return new Promise((resolve) => signal.addEventListener('abort', () => resolve({ error: { code: 1, message: '' } })));
      },
    });
    expect(said(await callTool(connection, 'any'))).toBe('done');
    expect(count).toBe(100_000);
    // 100 at once, the others are refused; what does not fit into the pipe is dropped.
    expect(asked).toHaveLength(100);
    await until(() => answered >= 200);
    expect(answered).toBeLessThanOrEqual(900);
    expect(said(await callTool(connection, 'any'))).toBe('done');
  });

  it('that has become a modern one ends the connection, and the refused call may be repeated', async () => {
    const upstream = await httpUpstream({ era: 'legacy' });
    ends.push(() => upstream.close());
    const { connection } = await connect(upstream.url);
    const modern = await server(
      ({ message }, res) =>
        void res
          .writeHead(400, { 'content-type': 'application/json' })
          .end(
            JSON.stringify({ jsonrpc: '2.0', id: message.id, error: { code: -32022, message: 'no', data: { supported: ['2026-07-28'] } } }),
          ),
    );
    const { connection: turned } = await connect(modern.url);
    expect(await callTool(turned, 'any')).toMatchObject({ kind: 'failed', gone: true, failure: { executed: 'no' } });
    expect(await turned.lost).toMatch(/legacy revision any more/);
    expect(said(await callTool(connection, 'echo', { text: 'other servers go on' }))).toBe('other servers go on');
  });
});
