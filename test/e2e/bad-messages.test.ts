import { request } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { endGateways, showLogOnFailure, startGatewayProcess, type GatewayProcess } from '../support/gateway-process.ts';
import {
  bearer,
  errorOf,
  JSON_HEADERS,
  McpWire,
  META_CAPABILITIES,
  META_VERSION,
  MODERN,
  modernMeta,
  modernRequest,
  textOf,
} from '../support/mcp-wire.ts';
import { PATIENCE_MS, until } from '../support/until.ts';
import { everythingStdio } from '../support/upstreams.ts';
import { ask, type Reply } from '../support/wire.ts';

const REVISIONS = ['2025-03-26', '2025-06-18', '2025-11-25'] as const;
const MiB = 1024 * 1024;

let gateway: GatewayProcess;
let wire: McpWire;

beforeAll(async () => {
  gateway = await startGatewayProcess({ config: { mcpServers: { everything: everythingStdio() } } });
  wire = new McpWire(gateway.endpoint('/mcp'), gateway.agentKey);
  await gateway.connected(['everything']);
}, PATIENCE_MS);

showLogOnFailure(() => gateway);
afterAll(endGateways, PATIENCE_MS);

// Whatever came before: the gateway lives, and so does its upstream.
afterEach(async () => {
  const reply = await wire.call('everything__echo', { message: 'still here' });
  expect([reply.status, textOf(reply)]).toEqual([200, 'Echo: still here']);
  expect(gateway.process.running).toBe(true);
});

/** The answer is a JSON-RPC error of this code, with a message that helps. */
function expectError(reply: Reply, status: number, code: number, says: RegExp, id: unknown = null): void {
  expect([reply.status, errorOf(reply)?.code, reply.json?.id]).toEqual([status, code, id]);
  expect(reply.json).toMatchObject({ jsonrpc: '2.0' });
  expect(errorOf(reply)?.message).toMatch(says);
}

const rpc = (method: string, params?: unknown, id: unknown = 7): string => JSON.stringify({ jsonrpc: '2.0', id, method, params });
const modernHeaders = (method: string): Record<string, string> => ({ 'mcp-protocol-version': MODERN, 'mcp-method': method });

describe('what is no JSON-RPC message', () => {
  it.each([
    ['an empty body', ''],
    ['a cut object', '{"jsonrpc":"2.0","id":1,"method":"pi'],
    ['a trailing comma', '{"jsonrpc":"2.0",}'],
    ['two documents', '{"jsonrpc":"2.0"}{"jsonrpc":"2.0"}'],
    ['a form', 'method=tools%2Flist&id=1'],
    ['a NUL', '\u0000'],
    ['a byte order mark alone', '\ufeff'],
    ['NaN', '{"jsonrpc":"2.0","id":NaN,"method":"ping"}'],
  ])('malformed JSON: %s', async (_what, body) => {
    expectError(await wire.post(body), 400, -32700, /not valid JSON/);
    expectError(await wire.post(body, modernHeaders('tools/list')), 400, -32700, /not valid JSON/);
  });

  it.each([
    ['a number', '42'],
    ['null', 'null'],
    ['a string', '"tools/list"'],
    ['an empty object', '{}'],
    ['no jsonrpc', '{"id":1,"method":"tools/list"}', 1],
    ['jsonrpc 1.0', '{"jsonrpc":"1.0","id":1,"method":"tools/list"}', 1],
    ['jsonrpc as a number', '{"jsonrpc":2.0,"id":1,"method":"tools/list"}', 1],
    ['no method', '{"jsonrpc":"2.0","id":1}'],
    ['a method that is no string', '{"jsonrpc":"2.0","id":"a","method":7}', 'a'],
    ['an empty method', '{"jsonrpc":"2.0","id":1,"method":""}', 1],
    ['params as an array', '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":[]}', 1],
    ['params as a string', '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":"x"}', 1],
    ['id null', '{"jsonrpc":"2.0","id":null,"method":"tools/list"}'],
    ['id as an object', '{"jsonrpc":"2.0","id":{},"method":"tools/list"}'],
    ['a broken id', '{"jsonrpc":"2.0","id":1.5,"method":"tools/list"}'],
    ['result and no id', '{"jsonrpc":"2.0","result":{}}'],
  ])('JSON that is not JSON-RPC: %s', async (_what, body, id: unknown = null) => {
    verifies('basic-jsonrpc', 'basic-error-id', 'basic-error', 'basic-id-null');
    expectError(await wire.post(body), 400, -32600, /Invalid Request: .{10}/, id);
    expectError(await wire.post(body, modernHeaders('tools/list')), 400, -32600, /Invalid Request: .{10}/, id);
  });

  it.each([
    ['the envelope', '{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call"}'],
    ['the envelope, escaped', String.raw`{"jsonrpc":"2.0","id":1,"method":"tools/list","\u006dethod":"tools/call"}`],
    ['params', '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}}'],
    ['arguments', '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"everything__get-sum","arguments":{"a":1,"a":2,"b":3}}}'],
    ['_meta', `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"${META_VERSION}":"${MODERN}","${META_VERSION}":"x"}}}`],
  ])('a member that stands twice in %s', async (_where, body) => {
    expectError(await wire.post(body), 400, -32600, /twice/, 1);
  });

  it('bytes that are not UTF-8', async () => {
    verifies('s25-utf8');
    const broken = Buffer.concat([Buffer.from('{"jsonrpc":"2.0","id":1,"method":"'), Buffer.from([0xc3, 0x28, 0xff]), Buffer.from('"}')]);
    expectError(await wire.post(broken), 400, -32700, /UTF-8/);
    const utf16 = Buffer.from('{"jsonrpc":"2.0"}', 'utf16le');
    expect((await wire.post(utf16)).status).toBe(400);
  });

  it.each([
    ['arrays', '['.repeat(100_000) + ']'.repeat(100_000)],
    ['arrays without an end', '['.repeat(100_000)],
    ['objects', `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`],
    [
      'arguments',
      rpc('tools/call', { name: 'echo', arguments: 'DEEP' }).replace('"DEEP"', `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`),
    ],
    ['_meta', rpc('tools/list', { _meta: 'DEEP' }).replace('"DEEP"', `${'['.repeat(100_000)}${']'.repeat(100_000)}`)],
    ['the id', `{"jsonrpc":"2.0","method":"ping","id":${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
  ])('100,000 levels of nesting in %s', async (_where, body) => {
    for (const headers of [{}, modernHeaders('tools/list')]) {
      const reply = await wire.post(body, headers);
      expect(reply.status).toBe(400);
      expect([-32700, -32600]).toContain(errorOf(reply)?.code);
      expect(errorOf(reply)?.message).not.toMatch(/stack|Maximum/i);
    }
  });
});

/** The status of a POST without Content-Length; undefined if the connection ended before it came. */
function postChunks(chunks: readonly Buffer[]): Promise<number | undefined> {
  return new Promise((resolve) => {
    const headers = { ...JSON_HEADERS, ...bearer(gateway.agentKey), 'transfer-encoding': 'chunked' };
    const sent = request(wire.url, { method: 'POST', agent: false, headers }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    sent.on('error', () => resolve(undefined));
    for (const chunk of chunks) sent.write(chunk);
    sent.end();
  });
}

describe('bodies and their headers', () => {
  it.each([['text/plain'], ['application/x-www-form-urlencoded'], ['multipart/form-data; boundary=x'], ['application/jsonp'], ['']])(
    'Content-Type %j',
    async (type) => {
      const { body, headers } = modernRequest('tools/list');
      const reply = await wire.post(JSON.stringify(body), { ...headers, 'content-type': type });
      // An empty one is refused by the host already, with a code of its own.
      expect([reply.status, reply.json?.jsonrpc]).toEqual([415, '2.0']);
      expect([-32600, 4150]).toContain(errorOf(reply)?.code);
      expect(errorOf(reply)?.message).toMatch(/application\/json/);
    },
  );

  it('no Content-Type at all', async () => {
    const { body } = modernRequest('tools/list');
    const reply = await ask(wire.url, { headers: bearer(gateway.agentKey), body: JSON.stringify(body) });
    expectError(reply, 415, -32600, /application\/json/);
  });

  it('Content-Type with a charset, in any case, is fine', async () => {
    const { body, headers } = modernRequest('tools/list');
    const reply = await wire.post(JSON.stringify(body), { ...headers, 'content-type': 'Application/JSON; charset=utf-8' });
    expect(reply.status).toBe(200);
  });

  it.each([['text/html'], ['text/event-stream'], ['application/json;q=0'], ['image/*']])('Accept %s', async (accept) => {
    const { body, headers } = modernRequest('tools/list');
    expectError(await wire.post(JSON.stringify(body), { ...headers, accept }), 406, -32600, /Accept: application\/json/);
  });

  it('a compressed body', async () => {
    const reply = await wire.post('x', { 'content-encoding': 'gzip' });
    expectError(reply, 415, -32600, /Content-Encoding/);
  });

  it('a body of 20 MB, announced', async () => {
    const reply = await fetch(wire.url, {
      method: 'POST',
      headers: { ...JSON_HEADERS, ...bearer(gateway.agentKey) },
      body: Buffer.alloc(20 * MiB, 0x20),
    });
    const answer = (await reply.json()) as { jsonrpc: string; id: null; error: { message: string } };
    expect([reply.status, answer.jsonrpc, answer.id]).toEqual([413, '2.0', null]);
    expect(answer.error.message).toMatch(/larger than \d+ bytes/);
  });

  it('a body of 20 MB, in chunks without a length', async () => {
    // The server may close while we still write, and the answer may be lost with the connection: then again.
    const status = await until('an answer that arrives', () => postChunks(Array.from({ length: 20 }, () => Buffer.alloc(MiB, 0x20))));
    expect(status).toBe(413);
  });

  it('a body just below the limit is read', async () => {
    const message = 'x'.repeat(3 * MiB);
    const reply = await wire.call('everything__echo', { message });
    expect([reply.status, textOf(reply).length]).toEqual([200, message.length + 'Echo: '.length]);
  });
});

describe('headers that say something else than the body', () => {
  it.each([
    ['Mcp-Method', { 'mcp-method': 'tools/list' }, /Mcp-Method.*'tools\/list'.*'tools\/call'/],
    ['Mcp-Name', { 'mcp-name': 'everything__get-sum' }, /Mcp-Name.*'everything__get-sum'.*'everything__echo'/],
    ['Mcp-Name in broken base64', { 'mcp-name': '=?base64?!!!?=' }, /Mcp-Name/],
    ['MCP-Protocol-Version', { 'mcp-protocol-version': '2099-01-01' }, /MCP-Protocol-Version.*'2099-01-01'.*'2026-07-28'/],
    ['a legacy MCP-Protocol-Version', { 'mcp-protocol-version': '2025-11-25' }, /MCP-Protocol-Version.*'2025-11-25'/],
  ])('%s', async (_header, headers, says) => {
    verifies('http-version-mismatch', 'http-mismatch', 'http-mismatch-400', 'http-intermediary');
    expectError(await wire.call('everything__echo', { message: 'x' }, headers), 400, -32020, says, 1);
  });

  it.each([['mcp-method'], ['mcp-name'], ['mcp-protocol-version']])('%s is missing', async (name) => {
    verifies('http-mismatch', 'http-mismatch-400');
    const { body, headers } = modernRequest('tools/call', { name: 'everything__echo', arguments: { message: 'x' } });
    const rest = Object.fromEntries(Object.entries(headers).filter(([header]) => header !== name));
    expectError(await wire.post(JSON.stringify(body), rest), 400, -32020, new RegExp(`${name}.* is required`, 'i'), 1);
  });

  it('a name in base64 that is the name', async () => {
    verifies('http-value-decoded');
    const encoded = `=?base64?${Buffer.from('everything__echo').toString('base64')}?=`;
    expect(textOf(await wire.call('everything__echo', { message: 'x' }, { 'mcp-name': encoded }))).toBe('Echo: x');
  });

  it('_meta without what it must carry', async () => {
    verifies('basic-meta-required', 'basic-meta-400');
    const headers = modernHeaders('tools/list');
    expectError(await wire.post(rpc('tools/list', {}), headers), 400, -32602, /_meta is required/, 7);
    expectError(
      await wire.post(rpc('tools/list', { _meta: { [META_VERSION]: MODERN } }), headers),
      400,
      -32602,
      new RegExp(META_CAPABILITIES),
      7,
    );
    expectError(
      await wire.post(rpc('tools/list', { _meta: { [META_CAPABILITIES]: {} } }), headers),
      400,
      -32602,
      new RegExp(META_VERSION),
      7,
    );
    expectError(await wire.post(rpc('tools/list', { _meta: 'x' }), headers), 400, -32602, /_meta is required/, 7);
  });
});

describe('what is not there', () => {
  it('a protocol version, modern', async () => {
    verifies('http-version-unsupported', 'version-unsupported');
    const headers = { 'mcp-protocol-version': '2099-01-01', 'mcp-method': 'tools/list' };
    const reply = await wire.post(rpc('tools/list', { _meta: modernMeta('2099-01-01') }), headers);
    expectError(reply, 400, -32022, /2099-01-01|version/i, 7);
    expect(errorOf(reply)?.data).toEqual({ supported: [MODERN], requested: '2099-01-01' });
    const discovered = await wire.modern('server/discover');
    expect(discovered.json?.result?.supportedVersions).toEqual([MODERN]);
  });

  it('a protocol version, legacy: initialize negotiates, the header does not', async () => {
    verifies('s25-version-400');
    for (const asked of ['1999-01-01', 'latest', MODERN]) expect((await wire.open(asked)).revision).toBe('2025-11-25');
    for (const asked of ['2024-11-05', ...REVISIONS]) expect((await wire.open(asked)).revision).toBe(asked);
    const session = await wire.open('2025-11-25');
    const reply = await session.post(rpc('ping'), { 'mcp-protocol-version': '1999-01-01' });
    expectError(reply, 400, -32600, /1999-01-01/, 7);
  });

  it('a method', async () => {
    verifies('http-method-unknown');
    expectError(await wire.modern('tools/teleport'), 404, -32601, /tools\/teleport/, 1);
    expectError(await wire.modern('initialize'), 404, -32601, /initialize/, 1);
    for (const revision of REVISIONS) {
      const session = await wire.open(revision);
      const reply = await session.request('tools/teleport');
      expect([reply.status, errorOf(reply)?.code]).toEqual([200, -32601]);
      expect(errorOf(reply)?.message).toMatch(/tools\/teleport/);
    }
  });

  it('a tool', async () => {
    const modern = await wire.call('everything__teleport', {});
    expectError(modern, modern.status, -32602, /Unknown tool: everything__teleport.*tools\/list/, 1);
    for (const revision of REVISIONS) {
      const reply = await (await wire.open(revision)).call('no_such_tool', {});
      expect([reply.status, errorOf(reply)?.code]).toEqual([200, -32602]);
      expect(errorOf(reply)?.message).toMatch(/Unknown tool: no_such_tool/);
    }
  });

  it.each([['__proto__'], ['constructor'], ['toString'], ['everything__'], ['everything__constructor'], [''], ['x'.repeat(10_000)]])(
    'a tool called %s',
    async (name) => {
      const reply = await (await wire.open('2025-11-25')).call(name, {});
      expect([reply.status, errorOf(reply)?.code]).toEqual([200, -32602]);
      expect((errorOf(reply)?.message ?? '').length).toBeLessThan(500);
    },
  );

  it('a session', async () => {
    const ghost = { 'mcp-session-id': '00000000-0000-4000-8000-000000000000', 'mcp-protocol-version': '2025-11-25' };
    expectError(await wire.post(rpc('tools/list'), ghost), 404, -32600, /initialize/, 7);
    expectError(await wire.post(rpc('tools/list')), 400, -32600, /Mcp-Session-Id/, 7);
    expect((await ask(wire.url, { method: 'DELETE', headers: { ...bearer(gateway.agentKey), ...ghost } })).status).toBe(404);
  });

  it('a session that ended, or of another endpoint', async () => {
    verifies('s25-session-gone');
    const session = await wire.open('2025-11-25');
    const elsewhere = new McpWire(gateway.endpoint('/mcp/stockpulse'), gateway.agentKey);
    expectError(await elsewhere.post(rpc('ping'), session.headers), 404, -32600, /initialize/, 7);
    expect((await session.request('ping')).json?.result).toEqual({});
    expect([200, 204]).toContain((await session.end()).status);
    expectError(await session.post(rpc('ping')), 404, -32600, /initialize/, 7);
  });

  it('a cursor', async () => {
    expectError(await wire.modern('tools/list', { cursor: 'nonsense' }), 200, -32602, /cursor/i, 1);
    expectError(await wire.modern('tools/list', { cursor: 7 }), 200, -32602, /cursor/i, 1);
  });
});

describe('arguments that violate the schema', () => {
  const WRONG = [
    ['everything__echo', {}, /message/],
    ['everything__echo', { message: 7 }, /message/],
    ['everything__get-sum', { a: 'one', b: 2 }, /\ba\b/],
    ['get_stock_price', { symbols: [] }, /symbols/],
    ['get_stock_price', { symbols: ['AAPL'], colour: 'red' }, /colour/],
    ['get_market_status', { sessions: 1e9 }, /sessions/],
  ] as const;

  it.each(WRONG)('%s %j', async (name, args, says) => {
    const modern = await wire.call(name, args);
    expect([modern.status, modern.json?.result?.isError, modern.json?.result?.resultType]).toEqual([200, true, 'complete']);
    expect(textOf(modern)).toMatch(says);
    for (const revision of REVISIONS) {
      const reply = await (await wire.open(revision)).call(name, args);
      expect(reply.status).toBe(200);
      if (revision >= '2025-11-25') {
        expect(reply.json?.result?.isError).toBe(true);
        expect(textOf(reply)).toMatch(says);
      } else {
        expect(errorOf(reply)?.code).toBe(-32602);
        expect(errorOf(reply)?.message).toMatch(says);
      }
    }
  });

  it.each([['text'], [7], [[1]], [true]])('arguments as %j', async (args) => {
    expectError(await wire.call('everything__echo', args), 200, -32602, /arguments must be an object/, 1);
  });

  it('no name', async () => {
    expectError(await (await wire.open('2025-11-25')).request('tools/call', { arguments: {} }), 200, -32602, /name/, 1);
  });
});

describe('batches', () => {
  const BATCH = JSON.stringify([
    { jsonrpc: '2.0', id: 1, method: 'ping' },
    { jsonrpc: '2.0', method: 'notifications/progress', params: {} },
    { jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name: 'everything__echo', arguments: { message: 'in a batch' } } },
    { jsonrpc: '2.0', id: 3, method: 'no/such' },
    { id: 4 },
  ]);

  it('are answered in a session of 2025-03-26, each member on its own', async () => {
    const reply = await (await wire.open('2025-03-26')).post(BATCH);
    expect(reply.status).toBe(200);
    expect(reply.json).toMatchObject([
      { id: 1, result: {} },
      { id: 2, result: { content: [{ text: 'Echo: in a batch' }] } },
      { id: 3, error: { code: -32601 } },
      { error: { code: -32600 } },
    ]);
  });

  it.each([['2025-06-18'], ['2025-11-25']])('are refused in a session of %s', async (revision) => {
    expectError(await (await wire.open(revision)).post(BATCH), 400, -32600, /2025-03-26/);
  });

  it('are refused in the modern era, and without a session', async () => {
    for (const headers of [modernHeaders('tools/list'), {}]) {
      const reply = await wire.post(BATCH, headers);
      expect([reply.status, errorOf(reply)?.code]).toEqual([400, -32600]);
    }
  });

  it('hold neither nothing, nor initialize, nor too much', async () => {
    const session = await wire.open('2025-03-26');
    expectError(await session.post('[]'), 400, -32600, /batch/i);
    expectError(
      await session.post(JSON.stringify(Array.from({ length: 1000 }, (_, id) => ({ jsonrpc: '2.0', id, method: 'ping' })))),
      400,
      -32600,
      /batch/i,
    );
    const reply = await session.post(JSON.stringify([{ jsonrpc: '2.0', id: 1, method: 'initialize', params: {} }]));
    expect(reply.json).toMatchObject([{ id: 1, error: { code: -32600 } }]);
  });
});
