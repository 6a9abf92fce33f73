import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { jsonText, type JsonObject, type Outcome } from '../protocol/index.ts';
import type { Authentication } from '../security/index.ts';
import { resolveEndpoint } from './endpoints.ts';
import { LineReader } from './faces/line-reader.ts';
import { serveStdio } from './faces/stdio.ts';
import { agent, modernParams, testGateway, type TestServer } from './testing.ts';

const ok: Outcome = { kind: 'complete', result: jsonText({ content: [] }) };

interface Client {
  send(message: JsonObject | string): void;
  next(): Promise<JsonObject>;
  end(): Promise<void>;
  readonly output: string[];
}

function connect(
  servers: readonly TestServer[] = [{ name: 's', handle: () => ok }],
  maxInFlight = 4,
  authenticate: () => Authentication = () => ({ ok: true, principal: agent }),
): Client {
  const { services, registry } = testGateway(servers);
  const endpoint = resolveEndpoint('s', registry);
  if (endpoint === undefined) throw new Error('no endpoint');
  const input = new PassThrough();
  const output = new PassThrough();
  const done = serveStdio({
    services,
    endpoint,
    authenticate,
    input,
    output,
    closing: undefined,
    frameBytes: 4096,
    maxInFlight,
    drainMs: 2000,
  });
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
