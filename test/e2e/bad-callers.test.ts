import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { endGateways, showLogOnFailure, startGatewayProcess, type GatewayProcess } from '../support/gateway-process.ts';
import { bearer, errorOf, JSON_HEADERS, McpWire, modernRequest } from '../support/mcp-wire.ts';
import { PATIENCE_MS, until } from '../support/until.ts';
import { ask, rawExchange, type Reply } from '../support/wire.ts';

let gateway: GatewayProcess;
let wire: McpWire;
let port: string;

interface Made {
  readonly key: { readonly id: string };
  readonly secret: string;
}

const makeKey = async (...args: string[]): Promise<Made> => (await gateway.cliJson('keys', 'create', ...args)) as Made;

/** Lists tools with exactly these headers on top of a request that is otherwise right. */
function list(headers: Readonly<Record<string, string>>, path = '/mcp'): Promise<Reply> {
  const { body, headers: mirrored } = modernRequest('tools/list');
  return ask(gateway.endpoint(path), { headers: { ...mirrored, ...headers }, body: JSON.stringify(body) });
}

beforeAll(async () => {
  gateway = await startGatewayProcess();
  wire = new McpWire(gateway.endpoint('/mcp'), gateway.agentKey);
  ({ port } = new URL(gateway.url));
}, PATIENCE_MS);

showLogOnFailure(() => gateway);
afterAll(endGateways, PATIENCE_MS);

afterEach(async () => {
  expect((await list(bearer(gateway.agentKey))).status).toBe(200);
  expect(gateway.process.running).toBe(true);
});

describe('credentials', () => {
  /** 401 with a challenge, a JSON-RPC error of ours, and words that say what to do; nothing of the secret. */
  function expectChallenge(reply: Reply, says: RegExp, secret: string): void {
    expect([reply.status, errorOf(reply)?.code, reply.json?.id]).toEqual([401, 4010, null]);
    expect(errorOf(reply)?.message).toMatch(says);
    expect(reply.headers['www-authenticate']).toMatch(/^Bearer realm="[^"]+"/);
    if (secret !== '') expect(JSON.stringify([reply.text, reply.headers])).not.toContain(secret);
  }

  it.each([['/mcp'], ['/mcp/stockpulse'], ['/mcp/no-such-server']])('none on %s', async (path) => {
    const reply = await list({}, path);
    expectChallenge(reply, /Authorization: Bearer/, '');
    expect(reply.headers['www-authenticate']).not.toContain('error=');
  });

  it.each([
    ['Basic', 'Basic dXNlcjpwYXNz'],
    ['no scheme', 'spk_abcdefgh'],
    ['an empty token', 'Bearer '],
    ['two tokens', 'Bearer one two'],
  ])('malformed: %s', async (_what, authorization) => {
    expectChallenge(await list({ authorization }), /Bearer/, 'dXNlcjpwYXNz');
  });

  it('unknown, mistyped and longer than any', async () => {
    const { secret } = await makeKey('typo');
    const flipped = secret.slice(0, -6) + (secret.at(-6) === 'a' ? 'b' : 'a') + secret.slice(-5);
    for (const token of [`spk_${'a'.repeat(40)}`, flipped, 'x'.repeat(4000)]) {
      const reply = await list(bearer(token));
      expectChallenge(reply, /key/i, token);
      expect(reply.headers['www-authenticate']).toContain('error="invalid_token"');
    }
    expect((await list(bearer(secret))).status).toBe(200);
  });

  it('in the query', async () => {
    const { body, headers } = modernRequest('tools/list');
    const reply = await ask(`${gateway.endpoint('/mcp')}?api_key=${gateway.agentKey}&access_token=${gateway.agentKey}`, {
      headers,
      body: JSON.stringify(body),
    });
    expectChallenge(reply, /Authorization/, gateway.agentKey);
  });

  it('revoked: at once, and said so', async () => {
    const { key, secret } = await makeKey('short-lived');
    expect((await list(bearer(secret))).status).toBe(200);
    await gateway.cliJson('keys', 'revoke', key.id);
    expectChallenge(await list(bearer(secret)), /revoked/, secret);
  });

  it('revoked in mid-session: the session is gone with the key', async () => {
    const { key, secret } = await makeKey('session-holder');
    const session = await new McpWire(wire.url, secret).open('2025-11-25');
    await gateway.cliJson('keys', 'revoke', key.id);
    expectChallenge(await session.request('ping'), /revoked/, secret);
  });

  it('expired, and said so', async () => {
    const { secret } = await makeKey('ephemeral', '--expires-days', String(2 / 86_400));
    const refused = await until('the key expires', async () => {
      const reply = await list(bearer(secret));
      return reply.status === 200 ? undefined : reply;
    });
    expectChallenge(refused, /expired/, secret);
  });

  it('rotated: both work during the overlap, the new one alone without', async () => {
    const first = await makeKey('rotating');
    const second = (await gateway.cliJson('keys', 'rotate', first.key.id, '--overlap', '1h')) as Made;
    for (const { secret } of [first, second]) expect((await list(bearer(secret))).status).toBe(200);
    const third = (await gateway.cliJson('keys', 'rotate', second.key.id, '--overlap', '0')) as Made;
    expectChallenge(await list(bearer(second.secret)), /rotat|replac|expired/, second.secret);
    expect((await list(bearer(third.secret))).status).toBe(200);
  });

  it('an approver key may not call MCP', async () => {
    expect(gateway.approverKey).toMatch(/^\S{24,}$/);
    const reply = await list(bearer(gateway.approverKey));
    expect([reply.status, errorOf(reply)?.code]).toEqual([403, 4030]);
    expect(errorOf(reply)?.message).toMatch(/may not call MCP/);
  });

  it('a session is there for its own key only', async () => {
    const other = await makeKey('other', '--scope', 'market:read');
    const session = await wire.open('2025-11-25');
    const stolen = await new McpWire(wire.url, other.secret).post('{"jsonrpc":"2.0","id":1,"method":"ping"}', session.headers);
    expect(stolen.status).toBe(404);
    expect((await session.request('ping')).json?.result).toEqual({});
  });

  it('a key without the scope neither sees the tool nor may call it', async () => {
    verifies('cache-access');
    const { secret } = await makeKey('trader', '--scope', 'account:read');
    const narrow = new McpWire(gateway.endpoint('/mcp/stockpulse'), secret);
    expect((await narrow.modern('tools/list')).json?.result?.tools).toEqual([]);
    const reply = await narrow.call('get_market_status', {});
    expect(reply.json?.result?.isError).toBe(true);
    expect(reply.text).toMatch(/market:read/);
  });

  it('the management API is closed to agents and to nobody', async () => {
    for (const headers of [{}, bearer(gateway.agentKey), bearer(gateway.approverKey)]) {
      const reply = await ask(gateway.endpoint('/admin/v1/keys'), { method: 'GET', headers });
      expect([401, 403]).toContain(reply.status);
      expect(reply.json?.error?.message).toBeTruthy();
    }
  });
});

describe('names', () => {
  it.each([['https://evil.example'], ['null'], ['http://127.0.0.1.evil.example'], ['file://'], ['http://localhost:1@evil.example']])(
    'Origin %s',
    async (origin) => {
      verifies('http-origin', 'http-origin-403', 's25-origin', 's25-origin-403');
      const reply = await list({ ...bearer(gateway.agentKey), origin });
      expect(reply.status).toBe(403);
      expect(reply.text).toMatch(/allowedOrigins/);
      expect(reply.headers['access-control-allow-origin']).toBeUndefined();
    },
  );

  it.each([
    ['evil.example'],
    ['127.0.0.1.evil.example'],
    ['localhost.evil.example:8080'],
    ['evil.example:80@127.0.0.1'],
    ['169.254.169.254'],
  ])('Host %s', async (host) => {
    const reply = await list({ ...bearer(gateway.agentKey), host });
    expect([400, 403]).toContain(reply.status);
    if (reply.status === 403) expect(reply.text).toMatch(/allowedHosts/);
  });

  it('a foreign Host or Origin is refused before the key is looked at', async () => {
    expect((await list({ host: 'evil.example' })).status).toBe(403);
    expect((await list({ origin: 'https://evil.example' })).status).toBe(403);
  });

  it('loopback names with any port are fine', async () => {
    for (const host of ['localhost', `localhost:${port}`, '127.0.0.1:1', '[::1]:8080', 'LOCALHOST'])
      expect([host, (await list({ ...bearer(gateway.agentKey), host })).status]).toEqual([host, 200]);
    expect((await list({ ...bearer(gateway.agentKey), origin: `http://localhost:${port}` })).status).toBe(200);
  });
});

describe('HTTP', () => {
  it.each([['GET'], ['PUT'], ['PATCH']])('%s on an MCP endpoint', async (method) => {
    verifies('s25-get');
    for (const path of ['/mcp', '/mcp/stockpulse']) {
      const reply = await ask(gateway.endpoint(path), { method, headers: { ...bearer(gateway.agentKey), accept: 'text/event-stream' } });
      expect(reply.status).toBe(405);
      expect(reply.headers.allow).toMatch(/POST/);
      expect(reply.json).toBeDefined();
    }
  });

  it.each([['HEAD'], ['OPTIONS'], ['TRACE'], ['PROPFIND']])('%s on an MCP endpoint', async (method) => {
    const reply = await ask(gateway.endpoint('/mcp'), { method, headers: bearer(gateway.agentKey) });
    expect([400, 404, 405]).toContain(reply.status);
  });

  it('a server that there is not', async () => {
    const reply = await list(bearer(gateway.agentKey), '/mcp/no-such-server');
    expect(reply.status).toBe(404);
    expect(errorOf(reply)?.message).toMatch(/no-such-server.*servers list/);
  });

  it.each([
    ['/'],
    ['/nope'],
    ['/mcp/stockpulse/deeper'],
    ['/mcpx'],
    ['/mcp%2Fstockpulse'],
    ['/mcp/..%2f..%2fetc'],
    ['/admin'],
    ['/%00'],
    ['/%ff%fe'],
  ])('the path %s', async (path) => {
    const reply = await list(bearer(gateway.agentKey), path);
    expect([400, 404, 405]).toContain(reply.status);
    expect(reply.headers['content-type']).toMatch(/json/);
    expect(reply.text).not.toMatch(/at \S+ \(|node_modules|\/src\//);
  });

  it.each([
    ['/.well-known/oauth-protected-resource'],
    ['/.well-known/oauth-protected-resource/mcp'],
    ['/.well-known/oauth-authorization-server'],
    ['/.well-known/openid-configuration'],
  ])('OAuth discovery at %s says how to pass a key', async (path) => {
    const reply = await ask(gateway.endpoint(path), { method: 'GET' });
    expect(reply.status).toBe(404);
    expect(reply.json?.error?.message).toMatch(/Authorization: Bearer <API key>/);
  });

  it('headers that are too large', async () => {
    const one = await ask(gateway.endpoint('/mcp'), { headers: { ...JSON_HEADERS, 'x-large': 'a'.repeat(64 * 1024) }, body: '{}' });
    expect(one.status).toBe(431);
    expect(one.json?.error?.message).toMatch(/too large/);
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`x-${i}`, 'a'.repeat(100)]));
    expect((await ask(gateway.endpoint('/mcp'), { headers: { ...JSON_HEADERS, ...many }, body: '{}' })).status).toBe(431);
  });

  it.each([
    ['noise', '\u0000\u0001\u0002\r\n\r\n'],
    ['no version', 'POST /mcp\r\n\r\n'],
    ['TLS', Buffer.from('16030100f5010000f10303', 'hex')],
    ['no Host', 'POST /mcp HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}'],
    ['two lengths', 'POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x'],
    ['length and chunks', 'POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['a negative length', 'POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n'],
    ['a broken chunk', 'POST /mcp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'],
    ['a header with a newline in it', 'POST /mcp HTTP/1.1\r\nHost: localhost\r\nX-A: a\nb: c\r\n\r\n'],
  ])('malformed: %s', async (_what, bytes) => {
    const answer = await rawExchange(gateway.url, bytes);
    // A refusal that a client can read, whatever else was wrong with the request.
    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
    expect(answer).toMatch(/"(message|error)"/);
  });

  it('connections that are cut off', async () => {
    const head = `POST /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${gateway.agentKey}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n`;
    await Promise.all(Array.from({ length: 20 }, (_, i) => rawExchange(gateway.url, head + '{"jsonrpc"'.slice(0, i))));
    expect((await list(bearer(gateway.agentKey))).status).toBe(200);
  });
});
