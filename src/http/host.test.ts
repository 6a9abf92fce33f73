import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { AppError } from '../shared/index.ts';
import { bearer, makeHost, SECRET, send, sendRaw, startHost, type Running } from './test-support.ts';

const plain = (code: string): unknown => ({ error: expect.objectContaining({ code, message: expect.any(String) }) });
const rpc = (code: number, name: string): unknown => ({
  jsonrpc: '2.0',
  id: null,
  error: { code, message: expect.any(String), data: { code: name } },
});

describe('the guards', () => {
  let it_: Running;
  beforeAll(async () => {
    it_ = await startHost({
      allowedHosts: ['gw.example.com'],
      publicUrl: 'https://pulse.example.org/',
      allowedOrigins: ['https://app.example.net'],
    });
  });
  afterAll(() => it_.host.close(0));

  const mcp = (headers: Record<string, string>, body = '{}') => send({ port: it_.port, path: '/mcp', method: 'POST', headers }, body);
  const admin = (path: string, headers: Record<string, string>) => send({ port: it_.port, path: `/admin/v1${path}`, headers });

  it('let an agent key reach MCP, with the body unread', async () => {
    const answer = await mcp({ ...bearer(SECRET.agent), 'content-type': 'text/plain' }, 'x'.repeat(1000));
    expect(answer.json()).toEqual({ bytes: 1000, client: 'agent', address: '127.0.0.1' });
  });

  it('ask for a credential with a challenge that names no error', async () => {
    const answer = await mcp({});
    expect(answer.status).toBe(401);
    expect(answer.headers['www-authenticate']).toBe('Bearer realm="StockPulse MCP"');
    expect(answer.json()).toEqual(rpc(4010, 'credential_missing'));
  });

  it('refuse wrong and revoked keys with a challenge that is well-formed', async () => {
    const wrong = await mcp(bearer('nope'));
    expect(wrong.status).toBe(401);
    expect(wrong.json()).toEqual(rpc(4010, 'credential_unknown'));
    const revoked = await mcp(bearer(SECRET.revoked));
    expect(revoked.headers['www-authenticate']).toBe(
      `Bearer realm="StockPulse MCP", error="invalid_token", error_description="This 'key' was revoked."`,
    );
  });

  it('keep approver and admin keys off MCP, and agent keys off administration', async () => {
    for (const secret of [SECRET.approver, SECRET.admin]) {
      const answer = await mcp(bearer(secret));
      expect(answer.status).toBe(403);
      expect(answer.json()).toEqual(rpc(4030, 'forbidden'));
    }
    for (const secret of [SECRET.approver, SECRET.agent]) expect((await admin('/who', bearer(secret))).status).toBe(403);
    expect((await admin('/who', {})).json()).toEqual(plain('credential_missing'));
    expect((await admin('/who', bearer(SECRET.admin))).json()).toEqual({ id: 'key:admin' });
  });

  it('leave api surfaces to their plugin', async () => {
    expect((await send({ port: it_.port, path: '/stockpulse/thing' })).json()).toEqual({ id: 'anonymous' });
  });

  it('refuse a foreign Host everywhere and name the setting', async () => {
    for (const path of ['/mcp', '/admin/v1/who', '/stockpulse/thing', '/nowhere', '/metrics']) {
      const method = path === '/mcp' ? 'POST' : 'GET';
      const answer = await send({ port: it_.port, path, method, headers: { host: 'evil.example', ...bearer(SECRET.agent) } });
      expect([path, answer.status]).toEqual([path, 403]);
      expect(answer.json()).toEqual(path === '/mcp' ? rpc(4030, 'host_not_allowed') : plain('host_not_allowed'));
      expect(answer.text).toContain('server.allowedHosts');
    }
  });

  it.each(['localhost', 'LOCALHOST:1234', '127.0.0.1:1', '[::1]:8080', 'gw.example.com', 'gw.example.com.:443', 'pulse.example.org'])(
    'accept the Host %s',
    async (host) => {
      expect((await mcp({ ...bearer(SECRET.agent), host })).status).toBe(200);
    },
  );

  it.each(['localhost.evil.example', '127.0.0.1.evil.example', 'user@localhost', '0.0.0.0', 'example.org', '[::2]', '::1', '2130706433'])(
    'refuse the Host %s',
    async (host) => {
      expect((await mcp({ ...bearer(SECRET.agent), host })).status).toBe(403);
    },
  );

  it.each(['http://localhost:3000', 'http://127.0.0.1', 'https://pulse.example.org', 'https://app.example.net'])(
    'accept the Origin %s',
    async (origin) => {
      expect((await mcp({ ...bearer(SECRET.agent), origin })).status).toBe(200);
    },
  );

  it.each([
    'https://evil.example',
    'null',
    'http://localhost.evil.example',
    'file://localhost',
    'http://app.example.net',
    'https://x@localhost',
    '',
  ])('refuse the Origin %j', async (origin) => {
    const answer = await mcp({ ...bearer(SECRET.agent), origin });
    expect(answer.status).toBe(403);
    expect(answer.json()).toEqual(rpc(4030, 'origin_not_allowed'));
    expect(answer.text).toContain('server.allowedOrigins');
  });

  it('answer probes whatever the Host says, because orchestrators ask by address', async () => {
    expect((await send({ port: it_.port, path: '/healthz', headers: { host: '10.1.2.3' } })).json()).toEqual({ status: 'alive' });
    expect((await send({ port: it_.port, path: '/readyz', headers: { host: '10.1.2.3' } })).status).toBe(200);
  });

  it('refuse a declared 20 MB body before reading it', async () => {
    const answer = await mcp(bearer(SECRET.agent), 'x'.repeat(20 * 1024 * 1024));
    expect(answer.status).toBe(413);
    expect(answer.json()).toEqual(rpc(4130, 'body_too_large'));
  });

  it('answer bad input on other routes in JSON', async () => {
    const post = (headers: Record<string, string>, body: string) =>
      send({ port: it_.port, path: '/admin/v1/echo', method: 'POST', headers: { ...bearer(SECRET.admin), ...headers } }, body);
    const json = { 'content-type': 'application/json' };
    expect((await post(json, '{"a":')).json()).toEqual(plain('invalid_json'));
    expect((await post(json, '{"__proto__":{"x":1}}')).status).toBe(400);
    expect((await post({ 'content-type': 'text/csv' }, 'a,b')).json()).toEqual(plain('unsupported_media_type'));
    expect((await post(json, `"${'x'.repeat(5 * 1024 * 1024)}"`)).json()).toEqual(plain('body_too_large'));
    expect((await post(json, '[1]')).json()).toEqual([1]);
  });

  it('answer unknown paths with 404 and wrong methods with 405 and Allow', async () => {
    expect((await send({ port: it_.port, path: '/nowhere?token=abc' })).json()).toEqual(plain('not_found'));
    const wrong = await send({ port: it_.port, path: '/mcp', method: 'PUT' });
    expect([wrong.status, wrong.headers.allow]).toEqual([405, 'POST']);
    expect((await send({ port: it_.port, path: '/admin/v1/who', method: 'DELETE' })).headers.allow).toMatch(/GET/);
    expect((await send({ port: it_.port, path: '/%ff' })).status).toBe(400);
  });

  it.each([
    '/.well-known/oauth-protected-resource',
    '/.well-known/oauth-protected-resource/mcp',
    '/.well-known/oauth-authorization-server',
    '/.well-known/openid-configuration',
    '/mcp/.well-known/openid-configuration',
  ])('say at %s how to pass a key', async (path) => {
    const answer = await send({ port: it_.port, path });
    expect(answer.status).toBe(404);
    expect(answer.json()).toEqual(plain('oauth_not_offered'));
    expect(answer.text).toContain('Authorization: Bearer');
  });

  it('tell nobody of a client that leaves in mid-request', async () => {
    const before = it_.events.length;
    const socket = connect(it_.port, '127.0.0.1');
    socket.end(`POST /mcp HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${SECRET.agent}\r\ncontent-length: 100\r\n\r\nhalf`);
    socket.resume();
    await once(socket, 'close');
    expect(it_.events.slice(before)).toEqual([]);
  });

  it('hide what went wrong inside, and tell it to the owner', async () => {
    const answer = await admin('/boom', bearer(SECRET.admin));
    expect(answer.status).toBe(500);
    expect(answer.text).not.toContain('private');
    expect(it_.events).toContainEqual(expect.objectContaining({ kind: 'failed', path: '/admin/v1/boom', error: expect.any(Error) }));
  });

  it('put no credential, query or body into an event', async () => {
    await mcp({ authorization: `Bearer ${SECRET.agent}-typo` });
    await send({ port: it_.port, path: `/nowhere/spk_0123456789abcdef?key=${SECRET.agent}` });
    const { events } = it_;
    const told = JSON.stringify(events.filter((event) => event.kind !== 'failed'));
    for (const secret of Object.values(SECRET)) expect(told).not.toContain(secret);
    expect(told).not.toContain('0123456789abcdef');
    expect(told).not.toContain('token=abc');
  });
});

describe('limits', () => {
  let running: Running | undefined;
  afterEach(() => running?.host.close(0));

  it('hold a key to its rate and say when to come back', async () => {
    running = await startHost({ clock: { now: () => 1000 }, limits: { requestsPerSecondPerKey: 2, requestBurstPerKey: 3 } });
    const { port } = running;
    const call = () => send({ port, path: '/mcp', method: 'POST', headers: bearer(SECRET.agent) });
    const statuses = [];
    for (let i = 0; i < 4; i++) statuses.push((await call()).status);
    expect(statuses).toEqual([200, 200, 200, 429]);
    const refused = await call();
    expect(refused.headers['retry-after']).toBe('1');
    expect(refused.json()).toEqual(rpc(4290, 'rate_limited'));
    expect((await send({ port, path: '/admin/v1/who', headers: bearer(SECRET.admin) })).status).toBe(200);
  });

  it('hold refused credentials to a low rate per address, and never valid ones', async () => {
    running = await startHost({
      clock: { now: () => 1000 },
      trustedProxies: ['127.0.0.1'],
      limits: { refusalsPerSecond: 1, refusalBurst: 2 },
    });
    const { port } = running;
    const call = (secret: string, address: string) =>
      send({ port, path: '/mcp', method: 'POST', headers: { ...bearer(secret), 'x-forwarded-for': address } });
    const guess = async (address: string) => (await call('wrong', address)).status;
    expect([await guess('198.51.100.1'), await guess('198.51.100.1'), await guess('198.51.100.1')]).toEqual([401, 401, 429]);
    expect(await guess('198.51.100.2')).toBe(401);
    expect((await call(SECRET.agent, '198.51.100.1')).json()).toMatchObject({ address: '198.51.100.1' });
  });

  it('tell of a flood of refusals by number', async () => {
    const clock = { time: 1000, now: () => clock.time };
    const { host, events } = makeHost({ clock });
    const probe = () => host.public.inject({ url: '/nowhere', headers: { host: 'localhost' } });
    for (let i = 0; i < 510; i++) await probe();
    expect(events).toHaveLength(500);
    clock.time += 1000;
    await probe();
    expect(events.at(-1)).toMatchObject({ kind: 'refused', code: 'not_found', suppressed: 10 });
    await host.close(0);
  });

  it('answer oversized headers with 431', async () => {
    running = await startHost();
    const answer = await sendRaw(running.port, `GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 431 /);
    expect(answer).toContain('headers_too_large');
  });

  it.each([
    ['garbage', '\x16\x03\x01garbage\r\n\r\n'],
    ['an unknown method', 'FOO / HTTP/1.1\r\nhost: localhost\r\n\r\n'],
    ['no Host', 'GET /healthz HTTP/1.1\r\nconnection: close\r\n\r\n'],
    ['two Content-Lengths', 'POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab'],
    ['smuggling', 'POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'],
    [
      'a bad chunk',
      `POST /mcp HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${SECRET.agent}\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n`,
    ],
    ['a header without a colon', 'GET /healthz HTTP/1.1\r\nhost: localhost\r\nnonsense\r\n\r\n'],
  ])('answer malformed HTTP with 400 and live on: %s', async (_what, bytes) => {
    running = await startHost();
    expect(await sendRaw(running.port, bytes)).toMatch(/^HTTP\/1\.1 400 [\s\S]*"malformed_http"/);
    expect((await send({ port: running.port, path: '/healthz' })).status).toBe(200);
  });

  it('end requests whose headers or body come too slowly with 408', async () => {
    running = await startHost({ limits: { headersMs: 200, requestMs: 400 } });
    const { port } = running;
    const headers = await sendRaw(port, 'GET /healthz HTTP/1.1\r\nhost: localhost\r\n', { keepWriting: 'x: y\r\n' });
    expect(headers).toMatch(/^HTTP\/1\.1 408 [\s\S]*request_timeout/);
    const open = `POST /mcp HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${SECRET.agent}\r\ncontent-length: 100000\r\n\r\n`;
    expect(await sendRaw(port, open, { keepWriting: ' ' })).toMatch(/^HTTP\/1\.1 408 /);
    expect(running.events).toContainEqual({ kind: 'malformed', code: 'request_timeout', status: 408, address: '127.0.0.1' });
  });

  it('turn connections beyond the cap away and count them', async () => {
    running = await startHost({ limits: { connections: 1 } });
    const { port, caps } = running;
    const gauge = caps.list().find((one) => one.name === 'http.connections');
    const first = sendRaw(port, 'GET /healthz HTTP/1.1\r\nhost: localhost\r\n');
    await expect.poll(() => gauge?.size).toBe(1);
    expect(await sendRaw(port, 'GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n')).toBe('');
    expect(gauge?.refused).toBe(1);
    await running.host.close(0);
    await first;
    await expect.poll(() => gauge?.size).toBe(0);
  });
});

describe('operations', () => {
  let running: Running | undefined;
  afterEach(() => running?.host.close(0));

  it('say which check keeps the process from serving', async () => {
    let ok = false;
    running = await startHost({ ready: async () => ({ ok, checks: [{ name: 'storage', ok, message: 'no answer' }] }) });
    const before = await send({ port: running.port, path: '/readyz' });
    expect([before.status, before.json()]).toEqual([503, { ok: false, checks: [{ name: 'storage', ok: false, message: 'no answer' }] }]);
    ok = true;
    expect((await send({ port: running.port, path: '/readyz' })).status).toBe(200);
  });

  it('are 500 without private words if the check itself fails', async () => {
    running = await startHost({ ready: () => Promise.reject(new Error('password=x')) });
    const answer = await send({ port: running.port, path: '/readyz' });
    expect(answer.status).toBe(500);
    expect(answer.text).not.toContain('password');
  });

  it('show metrics to this machine, or to who holds the token, and not through a proxy', async () => {
    running = await startHost({ metrics: async () => 'up 1\n', metricsToken: 'scrape-token-0001' });
    const { port } = running;
    const scrape = (headers: Record<string, string>) => send({ port, path: '/metrics', headers });
    expect(await scrape({})).toMatchObject({
      status: 200,
      text: 'up 1\n',
      headers: { 'content-type': expect.stringContaining('text/plain') },
    });
    const proxied = { 'x-forwarded-for': '198.51.100.1' };
    expect((await scrape(proxied)).json()).toEqual(plain('metrics_forbidden'));
    expect((await scrape({ ...proxied, ...bearer('scrape-token-0002') })).status).toBe(403);
    expect((await scrape({ ...proxied, ...bearer('scrape-token-0001') })).status).toBe(200);
  });
});

describe('TLS', () => {
  it('refuses an unreadable or broken certificate before it listens', () => {
    for (const tls of [
      { cert: '/nowhere/cert.pem', key: '/nowhere/key.pem' },
      { cert: '-----BEGIN CERTIFICATE-----\nxx', key: '-----BEGIN PRIVATE KEY-----\nxx' },
    ]) {
      let code: unknown;
      try {
        makeHost({ tls });
      } catch (error) {
        code = error instanceof AppError ? error.code : error;
      }
      expect(code).toBe('tls_unusable');
    }
  });
});

describe('a taken port', () => {
  it('is told with its holder and the command that uses another', async () => {
    const first = await startHost();
    const { host } = makeHost({ port: first.port });
    const error: unknown = await host.listen().catch((reason: unknown) => reason);
    await first.host.close(0);
    expect(error).toBeInstanceOf(AppError);
    const { code, message } = error as AppError;
    expect(code).toBe('port_in_use');
    expect(message).toContain(`PORT=${first.port + 1} npm start`);
    const linux = process.platform === 'linux' && readFileSync('/proc/net/tcp', 'utf8') !== '';
    if (linux) expect(message).toContain(`process ${process.pid} (`);
  });

  it('leaves nothing listening, and a wrong address says so', async () => {
    const { host } = makeHost({ host: '203.0.113.1' });
    await expect(host.listen()).rejects.toMatchObject({ code: 'host_unusable', message: expect.stringContaining('HOST=127.0.0.1') });
  });
});
