import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { Failure, ResultStream } from '../../protocol/index.ts';
import type { AnsweredReply, Connection, Reply } from '../connection.ts';
import {
  callTool,
  events,
  json,
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
import { httpConfig, until } from '../test-kit.ts';

/** Streamable HTTP of the modern era: what belongs to which request, large results that flow, servers that misbehave (PROTOCOL A13). */

let ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ends.toReversed()) await end();
  ends = [];
});

const DISCOVERED = { resultType: 'complete', supportedVersions: ['2026-07-28'], capabilities: { tools: {} } };

async function server(serve: (incoming: Incoming, res: ServerResponse) => void): Promise<ScriptedHttp> {
  const scripted = await scriptedHttp((incoming, res) => {
    if (incoming.message.method === 'server/discover') json(res, incoming.message.id, DISCOVERED);
    else serve(incoming, res);
  });
  ends.push(() => scripted.close());
  return scripted;
}

async function connect(url: string, more: OpenMore = {}): Promise<Opened> {
  const opened = await open(httpConfig('one', url), more);
  ends.push(() => opened.connection.close());
  return opened;
}

const notification = (method: string, params: object): object => ({ jsonrpc: '2.0', method, params });

describe('the stream of a request', () => {
  it('brings its notifications, with its own progress only', async () => {
    const { url } = await server(({ message }, res) => {
      for (const progressToken of [5, 6, '5']) sendEvent(res, notification('notifications/progress', { progressToken, progress: 1 }));
      sendEvent(res, notification('notifications/message', { level: 'info', data: 1 }));
      sendEvent(res, { jsonrpc: '2.0', id: message.id, result: textResult('done') });
      sendEvent(res, notification('notifications/message', { level: 'info', data: 'too late' }));
      res.end();
    });
    const { connection } = await connect(url);
    const own: unknown[] = [];
    const onNotification = (method: string, params: { value: unknown } | undefined): number => own.push([method, params?.value]);
    expect(said(await callTool(connection, 'any', {}, { progressToken: 5, onNotification }))).toBe('done');
    expect(own).toEqual([
      ['notifications/progress', { progressToken: 5, progress: 1 }],
      ['notifications/message', { level: 'info', data: 1 }],
    ]);
  });

  it('of a subscription stays open without a deadline, counts as no call, and ends gracefully or not', async () => {
    const streams: { id: unknown; res: ServerResponse }[] = [];
    const { url } = await server(({ message }, res) => void streams.push({ id: message.id, res: events(res) }));
    const { connection } = await connect(url);
    const heard: string[] = [];
    const listen = (): Promise<Reply> => {
      const onNotification = (method: string): number => heard.push(method);
      return connection.exchange(
        request(connection, 'subscriptions/listen', { notifications: {} }, { expiresAt: Infinity, onNotification }),
      );
    };
    const [graceful, broken] = [listen(), listen()];
    await until(() => streams.length === 2);
    expect(connection.inFlight).toBe(0);
    const [first, second] = streams as [{ id: unknown; res: ServerResponse }, { id: unknown; res: ServerResponse }];
    sendEvent(first.res, notification('notifications/subscriptions/acknowledged', {}));
    sendEvent(first.res, notification('notifications/tools/list_changed', {}));
    await until(() => heard.length === 2);
    sendEvent(first.res, { jsonrpc: '2.0', id: first.id, result: { resultType: 'complete' } });
    second.res.end();
    expect(await graceful).toMatchObject({ kind: 'response', result: { value: { resultType: 'complete' } } });
    expect(said(await broken)).toBe('failed outcome_unknown unknown');
  });

  it('may bring requests, which are told of once and not answered', async () => {
    const { url, requests } = await server(({ message }, res) => {
      for (const id of [1, 2]) sendEvent(res, { jsonrpc: '2.0', id, method: 'elicitation/create', params: {} });
      sendEvent(res, { jsonrpc: '2.0', id: message.id, result: textResult('done') });
      res.end();
    });
    const { connection, events: told } = await connect(url);
    expect(said(await callTool(connection, 'any'))).toBe('done');
    expect(told).toEqual([{ kind: 'server_request', method: 'elicitation/create', answer: 'ignored' }]);
    expect(requests).toHaveLength(2);
  });
});

describe('a body that holds more than an answer', () => {
  it.each([
    ['notifications before it', (answer: string) => `${JSON.stringify(notification('notifications/message', {}))}\n${answer}`],
    [
      'several on one line',
      (answer: string) => `{"jsonrpc":"2.0","method":"notifications/message"}${answer}{"jsonrpc":"2.0","method":"x"}`,
    ],
  ])('is taken apart: %s', async (_name, bodyOf) => {
    const { url } = await server(({ message }, res) => {
      res.writeHead(200, { 'content-type': 'application/json' });
      res.end(bodyOf(JSON.stringify({ jsonrpc: '2.0', id: message.id, result: textResult('found') })));
    });
    const { connection } = await connect(url);
    const own: string[] = [];
    expect(said(await callTool(connection, 'any', {}, { onNotification: (method) => own.push(method) }))).toBe('found');
    expect(own).toEqual(['notifications/message']);
  });

  it.each(['{"a":1} rubbish', '{"jsonrpc":"2.0","id"', '{{{{', '{}{}{}', '{"x":"'])(
    'that holds none is a protocol error: %s',
    async (body) => {
      const { url } = await server((_incoming, res) => void res.writeHead(200, { 'content-type': 'application/json' }).end(body));
      const { connection } = await connect(url);
      expect(said(await callTool(connection, 'any'))).toBe('failed upstream_protocol_error unknown');
    },
  );
});

/** A reader that takes everything, or as much as it is told. */
class Reader {
  readonly idText = '"client-7"';
  readonly chunks: Buffer[] = [];
  bytes = 0;
  failure: Failure | undefined;
  isError: boolean | undefined;
  readonly ended: Promise<void>;
  greedy = true;
  #end: () => void = () => undefined;
  ends = 0;

  constructor(stream: ResultStream) {
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    stream.begin(this);
  }

  write(bytes: Buffer): boolean {
    this.chunks.push(bytes);
    this.bytes += bytes.length;
    return this.greedy;
  }

  end(failure: Failure | undefined, isError?: boolean): void {
    this.ends++;
    this.failure = failure;
    this.isError = isError;
    this.#end();
  }

  get value(): { id: unknown; result: Record<string, unknown> } {
    return JSON.parse(Buffer.concat(this.chunks).toString('utf8')) as { id: unknown; result: Record<string, unknown> };
  }
}

const MB = 1024 * 1024;

async function streamOf(connection: Connection, more: object = {}): Promise<ResultStream> {
  const reply = await callTool(connection, 'any', {}, { streams: true, ...more });
  const { stream } = reply as AnsweredReply;
  if (stream === undefined) throw new Error(`no stream but ${said(reply)}`);
  return stream;
}

/** Writes a large answer as fast as the reader takes it; says how much was taken. */
function large(
  res: ServerResponse,
  id: unknown,
  bytes: number,
  more: { head?: string; tail?: string; sse?: boolean } = {},
): { sent: number } {
  const progress = { sent: 0 };
  const chunk = Buffer.alloc(64 * 1024, 'x');
  const { head = '"result":{"content":[{"type":"text","text":"', sse = false } = more;
  const tail = `${more.tail ?? '"}]}}'}${sse ? '\n\n' : ''}`;
  if (sse) sendEvent(res, notification('notifications/message', { level: 'info', data: 'x'.repeat(1_000) }), { id: 'e' });
  else res.writeHead(200, { 'content-type': 'application/json' });
  res.write(`${sse ? ': a comment\nid: f\nevent: message\ndata: ' : ''}{"jsonrpc":"2.0","id":${JSON.stringify(id)},${head}`);
  const pump = (): void => {
    while (progress.sent < bytes) {
      progress.sent += chunk.length;
      if (!res.write(chunk)) return void res.once('drain', pump);
    }
    res.end(tail);
  };
  pump();
  return progress;
}

describe.each([
  ['as JSON', false],
  ['on an event stream', true],
])('a large result %s', (_form, sse) => {
  it('flows with the id of the reader, stamped, byte for byte', async () => {
    const { url } = await server(({ message }, res) => void large(res, message.id, 20 * MB, { sse }));
    const { connection } = await connect(url);
    const reader = new Reader(await streamOf(connection));
    await reader.ended;
    expect(reader.failure).toBeUndefined();
    const { id, result } = reader.value;
    expect(id).toBe('client-7');
    expect(result).toMatchObject({ resultType: 'complete', _meta: { 'io.modelcontextprotocol/serverInfo': { name: 'one' } } });
    expect((result.content as { text: string }[])[0]?.text).toHaveLength(20 * MB);
    expect(reader.ends).toBe(1);
    expect(connection.inFlight).toBe(0);
  });

  it('keeps the pace of its reader, and nothing is sent before the reader begins', async () => {
    let progress = { sent: 0 };
    const { url } = await server(({ message }, res) => (progress = large(res, message.id, 48 * MB, { sse })));
    const { connection } = await connect(url);
    const stream = await streamOf(connection);
    const settled = async (): Promise<number> => {
      let before = -1;
      while (before !== progress.sent) {
        before = progress.sent;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      return before;
    };
    // Sockets hold some megabytes; the gateway holds none of them.
    expect(await settled()).toBeLessThan(16 * MB);
    const reader = new Reader(stream);
    reader.greedy = false;
    const after = await settled();
    expect(after).toBeLessThan(16 * MB);
    expect(reader.bytes).toBeLessThan(MB);
    stream.resume();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(reader.bytes).toBeLessThan(2 * MB);
    reader.greedy = true;
    stream.resume();
    await reader.ended;
    expect(reader.failure).toBeUndefined();
    expect((reader.value.result.content as { text: string }[])[0]?.text).toHaveLength(48 * MB);
  });

  it.each(['before', 'while'] as const)('is given up by a reader %s it flows: the server learns of it', async (when) => {
    let closed = false;
    const { url } = await server(({ message }, res) => {
      res.on('close', () => (closed = !res.writableFinished));
      large(res, message.id, 48 * MB, { sse });
    });
    const { connection } = await connect(url);
    const stream = await streamOf(connection);
    const reader = when === 'while' ? new Reader(stream) : undefined;
    stream.abort();
    await until(() => closed);
    expect(reader?.ends).toBe(reader && 1);
    expect((reader ?? new Reader(stream)).failure?.code).toBe('canceled');
    expect(connection.inFlight).toBe(0);
  });

  it('ends when its caller is gone, when it stands still, and when the connection is closed', async () => {
    const { url } = await server(({ message }, res) => void large(res, message.id, 48 * MB, { sse }));
    const { connection } = await connect(url, { limits: { streamIdleMs: 150 } });
    const controller = new AbortController();
    const gone = new Reader(await streamOf(connection, { signal: controller.signal }));
    gone.greedy = false;
    controller.abort();
    await gone.ended;
    expect(gone.failure?.code).toBe('canceled');
    const still = await streamOf(connection);
    await until(() => connection.inFlight === 0);
    expect(new Reader(still).failure?.code).toBe('deadline_exceeded');
    const closed = await streamOf(connection);
    await connection.close();
    expect(new Reader(closed).failure?.code).toBe('outcome_unknown');
  });

  it('that breaks off or grows beyond the limit ends with a failure', async () => {
    const { url } = await server(({ message }, res) => {
      if (message.params?.name === 'broken') {
        large(res, message.id, MB, { tail: '', sse });
      } else large(res, message.id, 4 * MB, { sse });
    });
    const { connection } = await connect(url, { limits: { streamBytes: 2 * MB } });
    const endless = new Reader(await streamOf(connection));
    await endless.ended;
    expect(endless.failure?.code).toBe('result_too_large');
    const reply = (await connection.exchange(request(connection, 'tools/call', { name: 'broken' }, { streams: true }))) as AnsweredReply;
    const broken = new Reader(reply.stream as ResultStream);
    await broken.ended;
    expect(broken.failure?.code).toBe('upstream_protocol_error');
  });

  it.each([
    ['a type of result in what it holds', '"result":{"structuredContent":{"resultType":"list","taskId":1,"text":"', '"},"content":[]}}'],
    ['its type before anything else', '"result":{"resultType":"complete","requestState":"', '","content":[]}}'],
    ['its type behind its body', '"result":{"content":[{"type":"text","text":"', '"}],"taskId":"t","resultType":"complete"}}'],
    // More than is looked at at once, so that it is looked at again.
    ['much before its body', `"result":{"_meta":{"x":"${'m'.repeat(400_000)}"},"content":[{"type":"text","text":"`, '"}]}}'],
  ])('flows with %s', async (_name, head, tail) => {
    const { url } = await server(({ message }, res) => void large(res, message.id, 18 * MB, { head, tail, sse }));
    const { connection } = await connect(url);
    const reader = new Reader(await streamOf(connection));
    await reader.ended;
    expect([reader.failure, reader.isError]).toEqual([undefined, false]);
    expect(reader.bytes).toBeGreaterThan(18 * MB);
    expect(reader.value).toMatchObject({ id: 'client-7', result: { resultType: 'complete' } });
  });

  it.each(['"content":[{"type":"text","text":"', '"isError":true,"content":[{"type":"text","text":"'])(
    'says whether it is an error of the tool: {%s',
    async (head) => {
      const tail = head.includes('isError') ? '"}]}}' : '"}],"isError":true}}';
      const { url } = await server(({ message }, res) => void large(res, message.id, MB, { head: `"result":{${head}`, tail, sse }));
      const { connection } = await connect(url);
      const reader = new Reader(await streamOf(connection));
      await reader.ended;
      expect([reader.failure, reader.isError]).toEqual([undefined, true]);
    },
  );

  it('that turns out not to be complete when it flows already is broken off, and nothing that has to be sealed has flowed', async () => {
    const tail = '"}],"requestState":"SECRET","resultType":"input_required"}}';
    const { url } = await server(({ message }, res) => void large(res, message.id, MB, { tail, sse }));
    const { connection } = await connect(url);
    const reader = new Reader(await streamOf(connection));
    await reader.ended;
    expect(reader.failure?.code).toBe('upstream_protocol_error');
    expect(Buffer.concat(reader.chunks).toString()).not.toContain('SECRET');
  });

  it.each([
    ['an error', '"error":{"code":-32000,"message":"', '"}}', 'error -32000'],
    ['another type of result', '"result":{"resultType":"input_required","requestState":"', '"}}', 'no content'],
    ['asks that say at their end what they are', '"result":{"inputRequests":{"a":"', '"},"resultType":"input_required"}}', 'no content'],
    ['a state that says so', '"result":{"content":[],"requestState":"', '","resultType":"input_required"}}', 'no content'],
    ['a task that says so', '"result":{"_meta":{"x":"', '"},"taskId":"t","resultType":"task"}}', 'no content'],
    ['nothing that it shows', '"result":{"resultTypes":"', '"}}', 'no content'],
    ['not asked to flow', undefined, undefined, 'text'],
  ])('is held where it is %s', async (_name, head, tail, expected) => {
    const { url } = await server(
      ({ message }, res) => void large(res, message.id, MB, head === undefined ? { sse } : { head, tail: tail as string, sse }),
    );
    const { connection } = await connect(url);
    const reply = await callTool(connection, 'any', {}, { streams: head !== undefined });
    expect((reply as AnsweredReply).stream).toBeUndefined();
    expect(said(reply).slice(0, expected.length)).toBe(expected === 'text' ? 'xxxx' : expected);
  });
});

describe('a large event that is no answer on one line', () => {
  it.each([
    [
      'whose data stands on several lines',
      (id: number, x: string) => `data: {"jsonrpc":"2.0","id":${id},\ndata: "result":{"content":[{"type":"text","text":"${x}"}]}}`,
    ],
    ['with another name', (_id: number, x: string) => `event: other\ndata: {"x":"${x}"}`],
    [
      'without a space behind its colon',
      (id: number, x: string) => `data:{"jsonrpc":"2.0","id":${id},"error":{"code":-1,"message":"${x}"}}`,
    ],
  ])('%s is held', async (name, dataOf) => {
    const { url } = await server(({ message }, res) => {
      events(res).write(`${dataOf(message.id as number, 'x'.repeat(MB))}\n\n`);
      sendEvent(res, { jsonrpc: '2.0', id: message.id, result: textResult('the answer') });
      res.end();
    });
    const { connection } = await connect(url);
    const reply = await callTool(connection, 'any', {}, { streams: true });
    expect((reply as AnsweredReply).stream).toBeUndefined();
    expect(said(reply)).toHaveLength(name.startsWith('whose') ? MB : name.startsWith('with another') ? 10 : 8);
  });

  it('flows in a stream that the server does not end, and behind which it says more', async () => {
    let closed = false;
    const { url } = await server(({ message }, res) => {
      res.on('close', () => (closed = true));
      sendEvent(res, { jsonrpc: '2.0', id: message.id, result: textResult('x'.repeat(MB)) });
      sendEvent(res, { jsonrpc: '2.0', id: message.id, result: textResult('again') });
    });
    const { connection } = await connect(url);
    const reader = new Reader(await streamOf(connection));
    await reader.ended;
    expect(reader.failure).toBeUndefined();
    expect((reader.value.result.content as { text: string }[])[0]?.text).toHaveLength(MB);
    await until(() => closed);
    await until(() => connection.inFlight === 0);
  });
});

describe('a server that misbehaves', () => {
  it('answering twice or under an unknown id harms nobody', async () => {
    const { url } = await server(({ message }, res) => {
      const answer = (id: unknown, text: string): void => sendEvent(res, { jsonrpc: '2.0', id, result: textResult(text) });
      if (message.params?.name === 'twice') for (const text of ['first', 'second']) answer(message.id, text);
      else answer(123_456, 'not yours');
      res.end();
    });
    const { connection } = await connect(url);
    expect(said(await callTool(connection, 'unknown'))).toBe('failed outcome_unknown unknown');
    expect(said(await callTool(connection, 'twice'))).toBe('first');
    const plain = await server((_incoming, res) => json(res, 123_456, textResult('not yours')));
    expect(said(await callTool((await connect(plain.url)).connection, 'any'))).toBe('failed upstream_protocol_error unknown');
  });

  it('sending 100,000 notifications is heard out, and its call gets its answer', async () => {
    const { url } = await server(({ message }, res) => {
      events(res).write(`data: ${JSON.stringify(notification('notifications/message', { level: 'info', data: 'x' }))}\n\n`.repeat(100_000));
      sendEvent(res, { jsonrpc: '2.0', id: message.id, result: textResult('done') });
      res.end();
    });
    const { connection } = await connect(url, { limits: { noiseBytes: MB } });
    let count = 0;
    expect(said(await callTool(connection, 'any', {}, { onNotification: () => count++ }))).toBe('done');
    expect(count).toBe(100_000);
  });

  it('that answers strangely is asked for its era, and has done nothing if that is another one', async () => {
    const { url } = await server((_incoming, res) => res.writeHead(400).end('Bad Request: no session'));
    let turned = false;
    const asked: string[] = [];
    const onRefused = (era: string, doubt: string): Promise<boolean> => {
      asked.push(`${era} ${doubt}`);
      return Promise.resolve(turned);
    };
    const { connection } = await connect(url, { onRefused });
    expect(said(await callTool(connection, 'any'))).toBe('failed upstream_failed unknown');
    turned = true;
    const reply = await callTool(connection, 'any');
    expect(said(reply)).toBe('failed upstream_unavailable no');
    expect(reply).toMatchObject({ gone: true, turned: true });
    expect(asked).toEqual(['modern strange', 'modern strange']);
    expect(said(await callTool((await connect(url)).connection, 'any'))).toBe('failed upstream_failed unknown');
  });

  it('that does not say soon which era it speaks is not waited for', async () => {
    const { url } = await server((_incoming, res) => res.writeHead(400).end());
    const { connection } = await connect(url, { onRefused: () => new Promise(() => undefined), limits: { waitMs: 20 } });
    expect(said(await callTool(connection, 'any'))).toBe('failed upstream_failed unknown');
  });

  it('that stops reading is waited for no longer than the deadline, and has its calls to itself', async () => {
    const deaf = createServer((req, res) => {
      if (req.headers['mcp-method'] !== 'server/discover') return void req.pause();
      let body = '';
      req.on('data', (chunk) => (body += String(chunk)));
      req.on('end', () => json(res, (JSON.parse(body) as { id: number }).id, DISCOVERED));
    });
    await new Promise<void>((resolve) => deaf.listen(0, '127.0.0.1', resolve));
    ends.push(() => new Promise((resolve) => deaf.close(resolve).closeAllConnections()));
    const { connection } = await connect(`http://127.0.0.1:${(deaf.address() as AddressInfo).port}/`);
    const exchange = request(connection, 'tools/call', { name: 'any', arguments: { text: 'x'.repeat(8 * MB) } });
    const call = connection.exchange({ ...exchange, expiresAt: performance.now() + 1_000 });
    const { url } = await server(({ message }, res) => json(res, message.id, textResult('here')));
    expect(said(await callTool((await connect(url)).connection, 'any'))).toBe('here');
    expect(said(await call)).toBe('failed deadline_exceeded unknown');
  });
});
