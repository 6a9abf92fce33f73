import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endGateways, showLogOnFailure, startGatewayProcess, type GatewayProcess } from '../support/gateway-process.ts';
import { bearer, errorOf, McpWire, modernRequest, textOf, toolNames } from '../support/mcp-wire.ts';
import { metric } from '../support/metrics.ts';
import { OwnedProcess } from '../support/processes.ts';
import { PATIENCE_MS, until } from '../support/until.ts';
import { fixtureStdio, startFixtureHttp } from '../support/upstreams.ts';

const SERVERS = ['modern-stdio', 'legacy-stdio', 'modern-http', 'legacy-http'] as const;

let gateway: GatewayProcess;

const wireOf = (server?: string): McpWire =>
  new McpWire(gateway.endpoint(server === undefined ? '/mcp' : `/mcp/${server}`), gateway.agentKey);
const metrics = (): Promise<string> => gateway.metrics();
const inFlight = async (server: string): Promise<number> => metric(await metrics(), 'stockpulse_upstream_in_flight', { server });
const isCalling = (server: string): Promise<unknown> => until(`a call at ${server}`, async () => (await inFlight(server)) === 1);
const isIdle = (server: string): Promise<unknown> => until(`no call at ${server}`, async () => (await inFlight(server)) === 0);

beforeAll(async () => {
  const [modern, legacy] = await Promise.all([startFixtureHttp({ era: 'modern' }), startFixtureHttp({ era: 'legacy' })]);
  const mcpServers = {
    'modern-stdio': { ...fixtureStdio({ era: 'modern' }), deadlineSeconds: 30 },
    'legacy-stdio': { ...fixtureStdio({ era: 'legacy' }), deadlineSeconds: 30 },
    'modern-http': modern.block,
    'legacy-http': legacy.block,
    many: fixtureStdio({ tools: 450, page: 100 }),
    impatient: { ...fixtureStdio({ era: 'modern' }), deadlineSeconds: 1 },
    small: { ...fixtureStdio({ era: 'modern' }), maxInFlight: 2, maxQueued: 0 },
  };
  gateway = await startGatewayProcess({ config: { mcpServers, limits: { resultBytes: 1_000_000 } } });
  await gateway.connected(Object.keys(mcpServers));
}, PATIENCE_MS * 2);

showLogOnFailure(() => gateway);
afterAll(endGateways, PATIENCE_MS);

/** Posts a modern call and hangs up once the upstream has it. */
async function callAndHangUp(server: string): Promise<void> {
  const { headers, body } = modernRequest('tools/call', { name: 'hang', arguments: {} });
  const sent = request(wireOf(server).url, { method: 'POST', agent: false, headers: { ...headers, ...bearer(gateway.agentKey) } });
  sent.on('error', () => undefined);
  sent.end(JSON.stringify(body));
  await isCalling(server);
  sent.destroy();
}

describe.each(SERVERS)('cancellation in front of %s', (server) => {
  it('a modern client that hangs up cancels its call upstream', async () => {
    verifies('http-close-cancels', 'cancel-http');
    await callAndHangUp(server);
    await isIdle(server);
    const wire = wireOf(server);
    await until('the upstream heard of it', async () => (JSON.parse(textOf(await wire.call('cancelled', {}))) as unknown[]).length > 0);
  });

  it('a legacy client that hangs up does not; its notification does', async () => {
    const session = await wireOf(server).open('2025-11-25');
    const headers = {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...bearer(gateway.agentKey),
      ...session.headers,
    };
    const sent = request(wireOf(server).url, { method: 'POST', agent: false, headers });
    sent.on('error', () => undefined);
    sent.end(JSON.stringify({ jsonrpc: '2.0', id: 'call-1', method: 'tools/call', params: { name: 'hang', arguments: {} } }));
    await isCalling(server);
    sent.destroy();
    await until(
      'the connection is gone',
      async () => metric(await metrics(), 'stockpulse_bounded_size', { name: 'http.connections' }) <= 1,
    );
    expect(await inFlight(server)).toBe(1);
    const cancel = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'call-1', reason: 'test' } };
    expect((await session.post(JSON.stringify(cancel))).status).toBe(202);
    await isIdle(server);
    await session.end();
  });

  it('the end of a session ends its calls', async () => {
    const session = await wireOf(server).open('2025-06-18');
    const pending = session.call('hang', {});
    await isCalling(server);
    await session.end();
    await isIdle(server);
    expect((await pending).status).toBeGreaterThan(0);
  });
});

describe('stdio clients', () => {
  const line = (message: object): string => `${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`;

  it('that end their input get the answers still due, then the relay exits with 0', async () => {
    const { command, args, env } = gateway.stdioTarget('--server', 'modern-stdio');
    const relay = new OwnedProcess(command, args, { env, stdin: true });
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'line', version: '1' } };
    relay.write(line({ id: 0, method: 'initialize', params }));
    relay.write(line({ method: 'notifications/initialized' }));
    // Longer than any grace that is not the call's own deadline.
    relay.write(line({ id: 1, method: 'tools/call', params: { name: 'slow', arguments: { ms: 8000 } } }));
    relay.endInput();
    expect(await relay.ending()).toEqual({ code: 0, signal: null });
    const answers = relay.stdout
      .trim()
      .split('\n')
      .map((text) => JSON.parse(text) as { id: number });
    expect(answers).toMatchObject([
      { id: 0, result: { protocolVersion: '2025-11-25' } },
      { id: 1, result: { content: [{ text: 'done' }] } },
    ]);
  });

  it('that send nonsense are told so, line by line', async () => {
    verifies('stdio-only-mcp', 's25-stdio-only-mcp');
    const { command, args, env } = gateway.stdioTarget();
    const relay = new OwnedProcess(command, args, { env, stdin: true });
    relay.write('this is not JSON\n{"jsonrpc":"2.0"}\n[]\n\n');
    relay.write(line({ id: 7, method: 'ping' }));
    await relay.printed('stdout', /"id":7/);
    relay.endInput();
    expect((await relay.ending()).code).toBe(0);
    const answers = relay.stdout
      .trim()
      .split('\n')
      .map((text) => JSON.parse(text) as unknown);
    expect(answers).toMatchObject([
      { error: { code: -32700 } },
      { error: { code: -32600 } },
      { error: { code: -32600 } },
      { id: 7, result: {} },
    ]);
  });

  it('that are killed leave no call and no stream behind', async () => {
    const { command, args, env } = gateway.stdioTarget('--server', 'modern-stdio');
    const relay = new OwnedProcess(command, args, { env, stdin: true });
    const { body } = modernRequest('tools/call', { name: 'hang', arguments: {} });
    relay.write(`${JSON.stringify(body)}\n`);
    await isCalling('modern-stdio');
    relay.signal('SIGKILL');
    await isIdle('modern-stdio');
    await until('the stream is gone', async () => metric(await metrics(), 'stockpulse_bounded_size', { name: 'stdio_clients' }) === 0);
  });

  it('that ask for a server that there is not are refused with its name', async () => {
    const { command, args, env } = gateway.stdioTarget('--server', 'no-such-server');
    const relay = new OwnedProcess(command, args, { env });
    expect((await relay.ending()).code).toBe(5);
    expect(relay.stderr).toMatch(/no-such-server/);
    expect(relay.stdout).toBe('');
  });
});

describe('limits', () => {
  it('a list of many tools comes in pages, complete, in order and without repeats', async () => {
    const names: string[] = [];
    let cursor: string | undefined;
    let pages = 0;
    do {
      const reply = await wireOf('many').modern('tools/list', cursor === undefined ? {} : { cursor });
      names.push(...toolNames(reply));
      cursor = reply.json?.result?.nextCursor as unknown as string | undefined;
      pages++;
    } while (cursor !== undefined);
    expect(pages).toBeGreaterThan(1);
    expect(new Set(names).size).toBe(names.length);
    expect(names.filter((name) => name.startsWith('extra_'))).toEqual(Array.from({ length: 450 }, (_, i) => `extra_${i}`));
  });

  it('a call beyond its deadline fails in clear words', async () => {
    const reply = await wireOf('impatient').call('slow', { ms: 60_000 });
    expect(reply.json?.result?.isError).toBe(true);
    expect(JSON.parse(textOf(reply))).toMatchObject({ code: 'deadline_exceeded', executed: 'unknown' });
    expect(textOf(await wireOf('impatient').call('echo', { text: 'next' }))).toBe('next');
  });

  it('calls beyond the cap of a server are refused, and those within it are not', async () => {
    const wire = wireOf('small');
    const held = [wire.call('slow', { ms: 3000 }), wire.call('slow', { ms: 3000 })];
    await until('two calls', async () => (await inFlight('small')) === 2);
    const refused = await wire.call('echo', { text: 'x' });
    expect(JSON.parse(textOf(refused))).toMatchObject({ code: 'busy', executed: 'no', retryable: true });
    expect(textOf(await wireOf('modern-stdio').call('echo', { text: 'elsewhere' }))).toBe('elsewhere');
    for (const reply of await Promise.all(held)) expect(textOf(reply)).toBe('done');
  });

  it('a result of modern-http flows, whatever its size', async () => {
    expect(textOf(await wireOf('modern-http').call('big', { bytes: 3_000_000 }))).toHaveLength(3_000_000);
  });

  it.each(SERVERS.filter((server) => server !== 'modern-http'))(
    'a result of %s beyond the limit is refused by size; one below is whole',
    async (server) => {
      const wire = wireOf(server);
      expect(textOf(await wire.call('big', { bytes: 900_000 }))).toHaveLength(900_000);
      const reply = await wire.call('big', { bytes: 3_000_000 });
      expect(JSON.parse(textOf(reply))).toMatchObject({ code: 'result_too_large' });
      expect(
        textOf(
          await until('the server is back', async () => {
            const next = await wire.call('echo', { text: 'next' });
            return next.json?.result?.isError === undefined && next;
          }),
        ),
      ).toBe('next');
    },
  );

  it('two hundred calls at once are all answered, each with its own result', async () => {
    const calls = Array.from({ length: 200 }, (_, i) => wireOf(SERVERS[i % 4]).call('echo', { text: `number ${i}` }));
    const replies = await Promise.all(calls);
    expect(replies.map(textOf)).toEqual(replies.map((_, i) => `number ${i}`));
  });

  it('a call of a session may outlast every housekeeping of the gateway', async () => {
    // Idle sessions are looked for every 15 s; one with a call under way is not idle.
    const session = await wireOf('modern-http').open('2025-11-25');
    expect(textOf(await session.call('slow', { ms: 20_000 }))).toBe('done');
    expect((await session.request('ping')).json?.result).toEqual({});
  });

  it('an id in use is refused, and is free again afterwards', async () => {
    const session = await wireOf('modern-http').open('2025-11-25');
    const body = JSON.stringify({ jsonrpc: '2.0', id: 'same', method: 'tools/call', params: { name: 'slow', arguments: { ms: 1500 } } });
    const first = session.post(body);
    await isCalling('modern-http');
    expect(errorOf(await session.post(body))).toMatchObject({ code: -32600 });
    expect(textOf(await first)).toBe('done');
    expect(textOf(await session.post(body))).toBe('done');
  });
});

it('a changed tool list is seen by the next list', async () => {
  for (const server of SERVERS) {
    const wire = wireOf(server);
    expect((await wire.modern('tools/list')).text).not.toContain('added_later');
    await wire.call('change_tools', {});
    if (server.endsWith('stdio')) {
      await until(`${server} shows the new tool`, async () => (await wire.modern('tools/list')).text.includes('added_later'));
      expect(textOf(await wire.call('added_later', {}))).toBe('here');
    }
  }
});
