import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { CallEvent } from '../protocol/index.ts';
import { httpConfig, httpUpstream, kit, textOf, until, type HttpUpstream, type Kit } from './test-kit.ts';
import type { Limits } from './index.ts';
import type { HttpConfig } from './types.ts';

/** Streamable HTTP: headers, sessions, statuses, bounds. */

let ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ends.toReversed()) await end();
  ends = [];
});

interface Pair {
  readonly upstream: HttpUpstream;
  readonly one: Kit;
}

async function pair(options: Record<string, unknown>, more: Partial<HttpConfig> = {}, limits: Partial<Limits> = {}): Promise<Pair> {
  const upstream = await httpUpstream(options);
  ends.push(() => upstream.close());
  const one = await kit([httpConfig('one', upstream.url, more)], limits);
  ends.push(() => one.end());
  await one.manager.start();
  return { upstream, one };
}

/** A modern server whose tools/call is answered by `answer`. */
async function raw(
  answer: (req: IncomingMessage, res: ServerResponse, id: number) => void,
  more: Partial<HttpConfig> = {},
  limits: Partial<Limits> = {},
): Promise<Kit> {
  const server = createServer((req, res) => {
    let body = '';
    req.on('data', (chunk) => (body += String(chunk)));
    req.on('end', () => {
      const { id, method } = JSON.parse(body) as { id: number; method: string };
      if (method === 'tools/call') return answer(req, res, id);
      const result = method === 'tools/list' ? { tools: [] } : { supportedVersions: ['2026-07-28'], capabilities: {} };
      res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ jsonrpc: '2.0', id, result }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(() => new Promise((resolve) => server.close(resolve).closeAllConnections()));
  const one = await kit([httpConfig('one', `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, more)], limits);
  ends.push(() => one.end());
  await one.manager.start();
  return one;
}

describe('modern requests', () => {
  it('carry the headers that mirror the outgoing body, the configured ones, and nothing of the client’s', async () => {
    verifies('http-client-metadata', 'http-version-header', 'http-mirrors', 'http-call-headers');
    const { upstream, one } = await pair(
      { era: 'modern' },
      { headers: { Authorization: 'Bearer t', 'MCP-Protocol-Version': '1999-01-01' } },
    );
    const tool = one.registry.get('one')?.tools.find(({ definition }) => definition.name === 'header_tool');
    const paramsText = JSON.stringify({
      name: 'one__header_tool',
      arguments: { region: 'Zürich', limit: 5 },
      _meta: { progressToken: 9, keep: 1 },
    });
    const outcome = await one.text(
      'one',
      '',
      {},
      { paramsText, call: { subject: { member: 'name', value: 'header_tool' }, headerParams: tool?.headerParams ?? [] } },
    );
    expect(outcome).toBe('{"region":"Zürich","limit":5}');
    const last = upstream.requests.at(-1);
    expect(last?.headers).toMatchObject({
      authorization: 'Bearer t',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': 'header_tool',
      'mcp-param-region': `=?base64?${Buffer.from('Zürich').toString('base64')}?=`,
      'mcp-param-limit': '5',
      accept: 'application/json, text/event-stream',
      'accept-encoding': 'identity',
    });
    const sent = JSON.parse(last?.body ?? '') as { params: { _meta: Record<string, unknown> } };
    expect(sent.params._meta).toEqual({
      keep: 1,
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientInfo': { name: 'client', version: '0' },
      'io.modelcontextprotocol/clientCapabilities': {},
    });
  });

  it('are sent again once with the tool’s present headers after -32020, and no more than once', async () => {
    const { upstream, one } = await pair({ era: 'modern' });
    const args = { region: 'a', limit: 1 };
    expect(await one.text('one', 'header_tool', args, { call: { headerParams: [] } })).toBe(JSON.stringify(args));
    expect(upstream.calls).toHaveLength(1);
    const wrong = await raw((_req, res, id) =>
      res
        .writeHead(400, { 'content-type': 'application/json' })
        .end(JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32020, message: 'no' } })),
    );
    const attempts: CallEvent[] = [];
    expect(await wrong.text('one', 'x', {}, { onEvent: (event) => attempts.push(event) })).toBe('error -32020 no');
    expect(attempts).toHaveLength(2);
  });

  it('leave out a tool with an invalid x-mcp-header, and say so', async () => {
    verifies('http-mirror-excluded');
    const { one } = await pair({ era: 'modern' });
    expect(one.registry.get('one')?.tools.some(({ definition }) => definition.name === 'bad_header_tool')).toBe(false);
    expect(one.registry.get('one')?.warnings.join()).toMatch(/bad_header_tool is left out/);
    expect(one.events).toContainEqual(expect.objectContaining({ kind: 'tools_left_out' }));
  });

  it('bring the notifications on their stream to the caller before the result', async () => {
    verifies('http-client-both-types', 's25-client-both-types');
    const { one } = await pair({ era: 'modern' });
    const events: CallEvent[] = [];
    expect(await one.text('one', 'progress', { steps: 3 }, { onEvent: (event) => events.push(event) })).toBe('done');
    expect(events.map(({ kind }) => kind)).toEqual(['notification', 'notification', 'notification', 'attempt']);
    expect(events[0]).toMatchObject({ method: 'notifications/progress', params: { text: '{"progressToken":"none","progress":1}' } });
  });
});

describe('legacy sessions', () => {
  it('carry their id and revision, and end with DELETE', async () => {
    verifies('s25-client-session', 's25-client-version');
    const { upstream, one } = await pair({ era: 'legacy' });
    await one.text('one', 'echo', { text: 'x' });
    const [session] = upstream.sessions;
    expect(upstream.requests.at(-1)?.headers).toMatchObject({ 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' });
    expect(upstream.requests.at(-1)?.headers['mcp-method']).toBeUndefined();
    await one.manager.stop();
    expect(upstream.sessions.size).toBe(0);
    expect(upstream.requests.at(-1)?.method).toBe('DELETE');
  });

  it('are made anew, once for all calls, when the server has forgotten them', async () => {
    verifies('s25-client-session-gone');
    const { upstream, one } = await pair({ era: 'legacy' });
    upstream.forgetSessions();
    const texts = await Promise.all(Array.from({ length: 10 }, (_, i) => one.text('one', 'echo', { text: `${i}` })));
    expect(texts).toEqual(Array.from({ length: 10 }, (_, i) => `${i}`));
    expect(upstream.calls).toHaveLength(10);
    expect(upstream.sessions.size).toBe(1);
    expect(upstream.requests.filter(({ body }) => body.includes('"initialize"'))).toHaveLength(2);
    expect(one.manager.stats().byServer[0]?.restarts).toBe(0);
  });

  it('answer what the server asks on a call’s stream', async () => {
    const { one } = await pair({ era: 'legacy' });
    expect(JSON.parse(await one.text('one', 'ask', { method: 'ping' }))).toMatchObject({ result: {} });
    expect(JSON.parse(await one.text('one', 'ask', { method: 'roots/list' }))).toMatchObject({ result: { roots: [] } });
    expect(JSON.parse(await one.text('one', 'ask', { method: 'elicitation/create' }))).toMatchObject({ error: { code: -32602 } });
    expect(JSON.parse(await one.text('one', 'ask', { method: 'x/y' }))).toMatchObject({ error: { code: -32601 } });
    expect(one.events.filter(({ kind }) => kind === 'server_request')).toHaveLength(2);
  });
});

describe('answers that are none', () => {
  it.each([
    [401, 'failed upstream_unavailable no'],
    [403, 'failed upstream_unavailable no'],
    [404, 'failed upstream_failed unknown'],
    [307, 'failed upstream_failed unknown'],
    [429, 'failed busy unknown'],
    [500, 'failed upstream_failed unknown'],
    [503, 'failed busy unknown'],
    [202, 'failed outcome_unknown unknown'],
  ])('HTTP %d', async (status, expected) => {
    const { upstream, one } = await pair({ era: 'modern' });
    upstream.set({ status });
    const attempts: CallEvent[] = [];
    const outcome = await one.call('one', 'echo', {}, { onEvent: (event) => attempts.push(event) });
    expect(textOf(outcome)).toBe(expected);
    expect(attempts).toHaveLength(1);
    const failure = outcome.kind === 'failed' ? outcome.failure : undefined;
    expect(failure?.message).not.toMatch(/elsewhere|secret/);
    if (status === 307) expect(failure?.detail).toEqual({ status, location: 'http://127.0.0.1:1/elsewhere' });
    if (status === 401 || status === 403) expect(failure).not.toHaveProperty('retryAfterMs');
    upstream.set({ status: 0 });
    expect(await one.text('one', 'echo', { text: 'well' })).toBe('well');
  });

  const answerOf =
    (status: number, headers: Record<string, string>, body: (id: number) => string) =>
    (_req: IncomingMessage, res: ServerResponse, id: number) => {
      res.writeHead(status, headers).end(body(id));
    };
  const JSON_TYPE = { 'content-type': 'application/json' };
  const SSE = { 'content-type': 'text/event-stream' };
  const result = (id: number | string | null): string =>
    JSON.stringify({ jsonrpc: '2.0', id, result: { content: [{ type: 'text', text: 'ok' }] } });

  it.each<[string, ReturnType<typeof answerOf>, string]>([
    ['HTML', answerOf(200, { 'content-type': 'text/html' }, () => '<html>'), 'failed upstream_protocol_error unknown'],
    ['half a JSON text', answerOf(200, JSON_TYPE, (id) => result(id).slice(0, 20)), 'failed upstream_protocol_error unknown'],
    ['another id', answerOf(200, JSON_TYPE, () => result(999_999)), 'failed upstream_protocol_error unknown'],
    [
      'an array with an answer in an array',
      answerOf(200, JSON_TYPE, (id) => `[[${result(id)}]]`),
      'failed upstream_protocol_error unknown',
    ],
    [
      'a stream with another spelling of its type',
      answerOf(200, { 'content-type': 'Text/Event-Stream; charset=utf-8' }, (id) => `data: ${result(id)}\n\n`),
      'ok',
    ],
    ['1000 answers in an array', answerOf(200, JSON_TYPE, (id) => `[${`${result(999_999)},`.repeat(999)}${result(id)}]`), 'ok'],
    [
      '1001 answers in an array',
      answerOf(200, JSON_TYPE, (id) => `[${`${result(999_999)},`.repeat(1_000)}${result(id)}]`),
      'failed upstream_protocol_error unknown',
    ],
    [
      '1001 answers in an event',
      answerOf(200, SSE, (id) => `data: [${result(id)}${`,${result(999_999)}`.repeat(1_000)}]\n\n`),
      'failed upstream_protocol_error unknown',
    ],
    ['a batch with the answer', answerOf(200, JSON_TYPE, (id) => `[${result(999_999)},${result(id)}]`), 'ok'],
    ['a stream that ends without the answer', answerOf(200, SSE, () => ': hello\n\n'), 'failed outcome_unknown unknown'],
    [
      'a stream in odd pieces',
      (_req, res, id) => pieces(res, `\uFEFFid: 1\r\ndata:\r\n\r\nevent: message\r\ndata: ${result(id)}\r\n\r\n`),
      'ok',
    ],
    [
      'a content coding that was not asked for',
      answerOf(200, { ...JSON_TYPE, 'content-encoding': 'gzip' }, () => 'xx'),
      'failed upstream_protocol_error unknown',
    ],
    ['a broken connection', (_req, res) => void res.destroy(), 'failed outcome_unknown unknown'],
    [
      'an error with a null id',
      answerOf(400, JSON_TYPE, () => '{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"p"}}'),
      'error -32700 p',
    ],
  ])('%s', async (_name, answer, expected) => {
    const one = await raw(answer);
    expect(await one.text('one', 'x')).toBe(expected);
    expect(one.manager.stats().byServer[0]).toMatchObject({ inFlight: 0, state: 'ready' });
  });

  it('an array of more messages than any answer has is not even read', async () => {
    const many = `[${'[],'.repeat(1_000)}[]]`;
    const parse = vi.spyOn(JSON, 'parse');
    try {
      for (const answer of [answerOf(200, JSON_TYPE, () => many), answerOf(200, SSE, () => `data: ${many}\n\n`)]) {
        const outcome = await (await raw(answer)).call('one', 'x');
        expect(outcome).toMatchObject({ failure: { code: 'upstream_protocol_error', message: expect.stringContaining('1000') as string } });
      }
      expect(parse.mock.calls.filter(([text]) => text === many)).toEqual([]);
    } finally {
      parse.mockRestore();
    }
  });

  function pieces(res: ServerResponse, text: string): void {
    res.writeHead(200, SSE);
    const bytes = Buffer.from(text);
    for (let i = 0; i < bytes.length; i += 7) res.write(bytes.subarray(i, i + 7));
    res.end();
  }

  it('a stream that goes on after its answer is closed', async () => {
    let closed = false;
    const one = await raw((_req, res, id) => {
      res.writeHead(200, SSE).write(`data: ${result(id)}\n\n`);
      const timer = setInterval(() => res.write(': still here\n\n'), 50);
      res.on('close', () => {
        clearInterval(timer);
        closed = true;
      });
    });
    expect(await one.text('one', 'x')).toBe('ok');
    await until(() => closed);
  });

  it.each(['json', 'sse'])('a result above the limit, as %s', async (kind) => {
    const { one } = await pair({ era: 'modern', sse: kind === 'sse' }, {}, { frameBytes: 100_000 });
    expect(await one.text('one', 'big', { bytes: 90_000 })).toHaveLength(90_000);
    expect(await one.text('one', 'big', { bytes: 5e6 })).toBe('failed result_too_large unknown');
    expect(await one.text('one', 'echo', { text: 'well' })).toBe('well');
  });
});

describe('isolation', () => {
  it('a server that hangs hinders no other, and refuses more than its limit', async () => {
    const slow = await pair({ era: 'modern' }, { maxInFlight: 2 });
    const controller = new AbortController();
    const hanging = [1, 2].map(() => slow.one.text('one', 'hang', {}, { signal: controller.signal }));
    expect(await slow.one.text('one', 'echo')).toBe('failed busy no');
    await until(() => slow.upstream.calls.length === 2);
    controller.abort();
    expect(await Promise.all(hanging)).toEqual(['failed canceled unknown', 'failed canceled unknown']);
    expect(await slow.one.text('one', 'echo', { text: 'free' })).toBe('free');
    await until(() => slow.upstream.cancelled.length === 2);
  });

  it('a call that was cancelled before it left says so and reaches nobody', async () => {
    const { upstream, one } = await pair({ era: 'modern' });
    expect(await one.call('one', 'echo', {}, { signal: AbortSignal.abort() })).toMatchObject({
      kind: 'failed',
      failure: { code: 'canceled', executed: 'no' },
    });
    expect(upstream.calls).toHaveLength(0);
  });

  it('a call that found the server gone is sent once more when it is back', async () => {
    const { upstream, one } = await pair({ era: 'modern' }, {}, { backoffFirstMs: 300 });
    const port = Number(new URL(upstream.url).port);
    await upstream.close();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await one.text('one', 'echo')).toBe('failed upstream_unavailable no');
    const waiting = one.text('one', 'echo', { text: 'patience' });
    const back = await httpUpstream({ era: 'modern', port });
    ends.push(() => back.close());
    expect(await waiting).toBe('patience');
    expect(back.calls).toHaveLength(1);
    expect(one.registry.get('one')?.tools.length).toBeGreaterThan(5);
  });

  it('a configuration that is not valid HTTP is said clearly', async () => {
    for (const [url, headers, reason] of [
      ['http://127.0.0.1:1/', { 'x-a': 'line\nbreak' }, /not valid HTTP/],
      ['not a url', {}, /url is not a valid URL/],
    ] as const) {
      const one = await kit([httpConfig('one', url, { headers })]);
      ends.push(() => one.end());
      await one.manager.start();
      expect(one.registry.get('one')?.state).toMatchObject({ state: 'backing_off', reason: expect.stringMatching(reason) as string });
    }
  });

  it('stopping ends calls in flight at once and leaves nothing', async () => {
    const { one } = await pair({ era: 'legacy' });
    const hanging = one.text('one', 'hang');
    await new Promise((resolve) => setTimeout(resolve, 30));
    await one.manager.stop();
    expect(await hanging).toBe('failed outcome_unknown unknown');
    expect(await one.text('one', 'echo')).toBe('failed upstream_unavailable no');
    expect(one.registry.get('one')?.state.state).toBe('stopped');
    expect(one.caps.list()).toEqual([]);
  });
});
