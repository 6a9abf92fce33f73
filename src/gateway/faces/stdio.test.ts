import { once } from 'node:events';
import { connect as connectSocket, createServer, type AddressInfo, type Socket } from 'node:net';
import { PassThrough, type Readable, type Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { jsonText, META, type JsonObject, type Outcome } from '../../protocol/index.ts';
import type { Authentication } from '../../security/index.ts';
import { BoundedCount, Caps } from '../../shared/index.ts';
import { resolveEndpoint } from '../endpoints.ts';
import { agent, entryOf, modernParams, testGateway, type TestGateway, type TestServer } from '../testing.ts';
import { LineReader } from './line-reader.ts';
import { serveStdio } from './stdio.ts';
import { eventually } from './testing.ts';

const ok: Outcome = { kind: 'complete', result: jsonText({ content: [] }) };

interface Client {
  send(message: JsonObject | string): void;
  next(): Promise<JsonObject>;
  end(): Promise<void>;
  readonly output: string[];
  readonly gateway: TestGateway;
}

interface Ends {
  readonly input: Readable;
  readonly output: Writable;
  readonly maxInFlight?: number;
  readonly authenticate?: () => Authentication;
  readonly closing?: AbortSignal;
}

function serve(gateway: TestGateway, ends: Ends): Promise<void> {
  const { services, registry } = gateway;
  const endpoint = resolveEndpoint('s', registry);
  if (endpoint === undefined) throw new Error('no endpoint');
  const asks = { open: new BoundedCount('client_asks', 10, new Caps()), deadlineMs: 60_000 };
  const { maxInFlight = 4, authenticate = () => ({ ok: true, principal: agent }), closing } = ends;
  return serveStdio({ services, endpoint, frameBytes: 4096, drainMs: 60_000, asks, ...ends, closing, maxInFlight, authenticate });
}

function connect(
  servers: readonly TestServer[] = [{ name: 's', handle: () => ok }],
  maxInFlight = 4,
  authenticate: () => Authentication = () => ({ ok: true, principal: agent }),
): Client {
  const gateway = testGateway(servers);
  const input = new PassThrough();
  const output = new PassThrough();
  const done = serve(gateway, { input, output, maxInFlight, authenticate });
  const lines: string[] = [];
  const waiting: ((line: string) => void)[] = [];
  output.setEncoding('utf8').on('data', (text: string) => {
    for (const line of text.split('\n').filter((part) => part !== '')) {
      const waiter = waiting.shift();
      if (waiter === undefined) lines.push(line);
      else waiter(line);
    }
  });
  return {
    gateway,
    output: lines,
    send: (message) => input.write(typeof message === 'string' ? message : `${JSON.stringify(message)}\n`),
    async next() {
      const line = lines.shift() ?? (await new Promise<string>((resolve) => waiting.push(resolve)));
      return JSON.parse(line) as JsonObject;
    },
    end() {
      input.end();
      return done;
    },
  };
}

const request = (id: number | string, method: string, params: JsonObject = {}): JsonObject => ({ jsonrpc: '2.0', id, method, params });
const initialize = (version: string): JsonObject =>
  request(0, 'initialize', { protocolVersion: version, capabilities: {}, clientInfo: { name: 'c', version: '1' } });
const call = (id: number): JsonObject => request(id, 'tools/call', { name: 'echo', arguments: { text: 'x' } });

describe('the stdio face', () => {
  it('serves both eras on one stream', async () => {
    const client = connect();
    client.send(request(1, 'server/discover', modernParams({})));
    expect(await client.next()).toMatchObject({ id: 1, result: { supportedVersions: ['2026-07-28'] } });
    client.send(initialize('2024-11-05'));
    expect(await client.next()).toMatchObject({ id: 0, result: { protocolVersion: '2024-11-05', serverInfo: { name: 's-impl' } } });
    client.send({ jsonrpc: '2.0', method: 'notifications/initialized' });
    client.send(call(2));
    expect(await client.next()).toEqual({ jsonrpc: '2.0', id: 2, result: { content: [] } });
    await client.end();
  });

  it('offers its latest revision to a client that asks for an unknown one', async () => {
    const client = connect();
    client.send(initialize('1999-01-01'));
    expect(await client.next()).toMatchObject({ result: { protocolVersion: '2025-11-25' } });
    await client.end();
  });

  it('wants initialize first, answers ping before it, and refuses it twice', async () => {
    const client = connect();
    client.send(call(1));
    expect(await client.next()).toMatchObject({ id: 1, error: { code: -32600 } });
    client.send(request(2, 'ping'));
    expect(await client.next()).toEqual({ jsonrpc: '2.0', id: 2, result: {} });
    client.send(initialize('2025-06-18'));
    await client.next();
    client.send(initialize('2025-06-18'));
    expect(await client.next()).toMatchObject({ error: { code: -32600 } });
    await client.end();
  });

  it('answers garbage, long lines and unknown methods and goes on', async () => {
    const client = connect();
    client.send('nonsense\n');
    expect(await client.next()).toMatchObject({ id: null, error: { code: -32700 } });
    client.send(`${'x'.repeat(5000)}\n`);
    expect(await client.next()).toMatchObject({ id: null, error: { code: -32700 } });
    client.send(request(3, 'no/such'));
    expect(await client.next()).toMatchObject({ id: 3, error: { code: -32601 } });
    client.send(request(4, 'ping'));
    expect(await client.next()).toMatchObject({ id: 4, result: {} });
    await client.end();
  });

  it('aborts the call that is canceled and answers it no more', async () => {
    verifies('stdio-cancel-silent');
    const aborted: boolean[] = [];
    const handle: TestServer['handle'] = (_call, { signal }) =>
      new Promise((resolve) =>
        signal.addEventListener('abort', () => {
          aborted.push(true);
          resolve({ kind: 'failed', failure: { code: 'canceled', message: 'canceled', executed: 'unknown' } });
        }),
      );
    const client = connect([{ name: 's', handle }]);
    client.send(initialize('2025-11-25'));
    await client.next();
    client.send(call(5));
    client.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: '5' } });
    client.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 5 } });
    client.send(request(6, 'ping'));
    expect(await client.next()).toMatchObject({ id: 6 });
    expect(aborted).toEqual([true]);
    await client.end();
    expect(client.output).toEqual([]);
  });

  it('refuses every request from the moment on when its key ends', async () => {
    const who: Authentication[] = [{ ok: true, principal: agent }];
    const client = connect(undefined, undefined, () => who[0] as Authentication);
    client.send(initialize('2025-11-25'));
    await client.next();
    client.send(call(1));
    expect(await client.next()).toMatchObject({ id: 1, result: {} });
    who[0] = { ok: false, code: 'credential_revoked', status: 401, message: 'This API key was revoked.' };
    client.send(call(2));
    const error = { code: 4010, message: 'This API key was revoked.', data: { code: 'credential_revoked' } };
    expect(await client.next()).toEqual({ jsonrpc: '2.0', id: 2, error });
    client.send(request(3, 'tools/list', modernParams({})));
    expect(await client.next()).toEqual({ jsonrpc: '2.0', id: 3, error });
    await client.end();
  });

  it('holds calls in flight under its cap and writes answers still due after the input ended', async () => {
    const waiting: ((outcome: Outcome) => void)[] = [];
    const client = connect([{ name: 's', handle: () => new Promise((resolve) => waiting.push(resolve)) }], 1);
    client.send(initialize('2025-11-25'));
    await client.next();
    client.send(call(1));
    client.send(call(2));
    expect(await client.next()).toMatchObject({ id: 2, error: { code: 4290 } });
    const done = client.end();
    waiting[0]?.(ok);
    expect(await client.next()).toMatchObject({ id: 1, result: {} });
    await done;
  });

  it('takes batches only in a session of 2025-03-26', async () => {
    const client = connect();
    client.send(`${JSON.stringify([request(1, 'ping')])}\n`);
    expect(await client.next()).toMatchObject({ error: { code: -32600 } });
    client.send(initialize('2025-03-26'));
    await client.next();
    client.send(`${JSON.stringify([request(1, 'ping'), { jsonrpc: '2.0', method: 'notifications/x' }, initialize('2025-03-26')])}\n`);
    expect(await client.next()).toMatchObject([
      { id: 1, result: {} },
      { id: 0, error: { code: -32600 } },
    ]);
    await client.end();
  });
});

describe('the stdio face in both directions', () => {
  it('carries progress, log messages and asks of a session', async () => {
    const client = connect([
      {
        name: 's',
        async handle(_call, { onEvent, ask }) {
          onEvent({ kind: 'notification', method: 'notifications/progress', params: jsonText({ progressToken: 1, progress: 1 }) });
          const answer = await ask?.({ method: 'roots/list', params: undefined }, new AbortController().signal);
          return answer !== undefined && 'error' in answer ? { kind: 'error', error: answer.error } : ok;
        },
      },
    ]);
    client.send(
      request(0, 'initialize', { protocolVersion: '2025-06-18', capabilities: { roots: {} }, clientInfo: { name: 'c', version: '1' } }),
    );
    await client.next();
    client.send(request(1, 'tools/call', { name: 'echo', arguments: { text: 'x' }, _meta: { progressToken: 'mine' } }));
    expect(await client.next()).toMatchObject({ method: 'notifications/progress', params: { progressToken: 'mine' } });
    const asked = await client.next();
    client.send({ jsonrpc: '2.0', id: asked.id as number, result: { roots: [] } });
    expect(await client.next()).toMatchObject({ id: 1, result: {} });
    client.send(call(2));
    const again = await client.next();
    expect(again.id).not.toBe(asked.id);
    // Nobody answers: with the end of the input the ask ends, and the call with it.
    void client.end();
    expect(await client.next()).toMatchObject({ id: 2, error: { code: -32603 } });
  });

  it('carries subscriptions under their ids, and ends them when the gateway goes', async () => {
    const gateway = testGateway([{ name: 's', handle: () => ok }]);
    const [input, output, closing] = [new PassThrough(), new PassThrough(), new AbortController()];
    const done = serve(gateway, { input, output, closing: closing.signal });
    const lines: JsonObject[] = [];
    output.setEncoding('utf8').on('data', (text: string) => {
      for (const line of text.split('\n')) if (line !== '') lines.push(JSON.parse(line) as JsonObject);
    });
    const listen = (id: number): void =>
      void input.write(
        `${JSON.stringify(request(id, 'subscriptions/listen', modernParams({ notifications: { toolsListChanged: true } })))}\n`,
      );
    listen(1);
    listen(2);
    await eventually(() => lines.length === 2);
    input.write(`${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } })}\n`);
    await eventually(() => gateway.services.hub.size === 1);
    gateway.registry.put(entryOf({ name: 's', tools: [] }));
    await eventually(() => lines.length === 3);
    expect(lines[2]).toMatchObject({ method: 'notifications/tools/list_changed', params: { _meta: { [META.subscriptionId]: 2 } } });
    closing.abort();
    await done;
    expect(lines.slice(3)).toMatchObject([{ id: 2, result: { resultType: 'complete', _meta: { [META.subscriptionId]: 2 } } }]);
    expect(gateway.services.hub.size).toBe(0);
  });

  it('frees the calls of a relay that was killed, though its stream only looks half closed', async () => {
    let aborted = false;
    const gateway = testGateway([
      {
        name: 's',
        handle: (_call, { signal }) =>
          new Promise((resolve) =>
            signal.addEventListener('abort', () => {
              aborted = true;
              resolve(ok);
            }),
          ),
      },
    ]);
    const server = createServer({ allowHalfOpen: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const relay = connectSocket((server.address() as AddressInfo).port, '127.0.0.1');
    const [socket] = (await once(server, 'connection')) as [Socket];
    const done = serve(gateway, { input: socket, output: socket });
    relay.write(`${JSON.stringify(request(1, 'tools/call', modernParams({ name: 'echo', arguments: { text: 'x' } })))}\n`);
    await eventually(() => gateway.services.inFlight.size === 1);
    relay.destroy();
    await done;
    expect([aborted, gateway.services.inFlight.size]).toEqual([true, 0]);
    server.close();
  });

  it('writes results on one line, whatever their servers sent', async () => {
    verifies('stdio-lines', 's25-stdio-lines');
    const client = connect([
      { name: 's', handle: () => ({ kind: 'complete', result: { text: '{\n  "content": []\r\n}', value: { content: [] } } }) },
    ]);
    client.send(initialize('2025-11-25'));
    await client.next();
    client.send(call(1));
    expect(await client.next()).toEqual({ jsonrpc: '2.0', id: 1, result: { content: [] } });
    await client.end();
  });
});

describe('cutting lines', () => {
  it('gives the same lines however the bytes are cut, skips long ones once and tells broken UTF-8', () => {
    const bytes = Buffer.concat([
      Buffer.from('{"a":"é"}\r\n\n'),
      Buffer.from(`${'y'.repeat(40)}\nok\n`),
      Buffer.from([0xff, 0xfe, 10]),
      Buffer.from('end\nrest'),
    ]);
    const whole = new LineReader(30).feed(bytes);
    expect(whole).toEqual([
      { ok: true, text: '{"a":"é"}' },
      { ok: false, why: 'too_long' },
      { ok: true, text: 'ok' },
      { ok: false, why: 'not_utf8' },
      { ok: true, text: 'end' },
    ]);
    const reader = new LineReader(30);
    expect([...bytes].flatMap((byte) => reader.feed(Buffer.from([byte])))).toEqual(whole);
  });
});
