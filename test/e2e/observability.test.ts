import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endGateways, showLogOnFailure, startGatewayProcess, type GatewayProcess } from '../support/gateway-process.ts';
import { askLocal } from '../support/local-socket.ts';
import { errorOf, McpWire, textOf } from '../support/mcp-wire.ts';
import { metric } from '../support/metrics.ts';
import { PATIENCE_MS, until } from '../support/until.ts';
import { everythingStdio, fixtureStdio, startFixtureHttp } from '../support/upstreams.ts';
import { ask } from '../support/wire.ts';

/** Each is planted somewhere, under a name that says where. No log line, metric or management answer may hold one. */
const PLANTED = {
  env: 'planted-in-env-4f1d9c27',
  header: 'planted-in-header-77b0e512',
  query: 'planted-in-query-c90a3be1',
  stderr: 'planted-in-stderr-5e22a8d4',
  argument: 'planted-in-argument-1b8f60aa',
  badArgument: 'planted-in-bad-argument-09dd3e7f',
  cookie: 'planted-in-cookie-ae514c30',
} as const;

/** A server that complains on stderr, its credential included, and ends. */
const COMPLAINS = 'process.stderr.write("cannot log in with " + process.env.TOKEN + "\\n", () => process.exit(1))';

let gateway: GatewayProcess;
let wire: McpWire;

const metrics = (): Promise<string> => gateway.metrics();
const linesOf = (tool: string): Record<string, unknown>[] => gateway.callLines().filter((line) => line.tool === tool);

beforeAll(async () => {
  const http = await startFixtureHttp({ era: 'modern' });
  const mcpServers = {
    everything: everythingStdio('', { API_TOKEN: '${env:PLANTED_TOKEN}' }),
    fixture: fixtureStdio({ era: 'legacy' }),
    remote: { ...http.block, headers: { Authorization: `Bearer ${PLANTED.header}` } },
    unreachable: { url: `http://127.0.0.1:1/mcp?token=${PLANTED.query}` },
    complains: { command: process.execPath, args: ['-e', COMPLAINS], env: { TOKEN: PLANTED.stderr } },
  };
  gateway = await startGatewayProcess({ config: { mcpServers, log: { level: 'debug' } }, env: { PLANTED_TOKEN: PLANTED.env } });
  wire = new McpWire(gateway.endpoint('/mcp'), gateway.agentKey);
  await gateway.connected(['everything', 'fixture', 'remote']);
}, PATIENCE_MS * 2);

showLogOnFailure(() => gateway);
afterAll(endGateways, PATIENCE_MS);

describe('metrics after a call', () => {
  const called = { method: 'tools/call', server: 'everything', tool: 'echo' };

  it('count it once, with its outcome, duration, steps, attempt and bytes', async () => {
    const before = await metrics();
    for (let i = 0; i < 3; i++) await wire.call('everything__echo', { message: 'counted' });
    await wire.call('everything__echo', { message: 7 });
    const after = await until('the calls are counted', async () => {
      const text = await metrics();
      const calls = metric(text, 'stockpulse_calls_total', called) - metric(before, 'stockpulse_calls_total', called);
      return calls === 4 ? text : undefined;
    });
    const moved = (name: string, labels: Record<string, string>): number => metric(after, name, labels) - metric(before, name, labels);
    expect(moved('stockpulse_calls_total', { ...called, outcome: 'ok' })).toBe(3);
    expect(moved('stockpulse_calls_total', { ...called, outcome: 'refused' })).toBe(1);
    expect(moved('stockpulse_call_errors_total', { server: 'everything', code: 'invalid_arguments' })).toBe(1);
    expect(moved('stockpulse_call_duration_seconds_count', { method: 'tools/call', server: 'everything' })).toBe(4);
    expect(moved('stockpulse_step_duration_seconds_count', { step: 'validate_arguments' })).toBe(4);
    expect(moved('stockpulse_step_duration_seconds_count', { step: 'execute' })).toBe(3);
    expect(moved('stockpulse_attempts_total', { server: 'everything' })).toBe(3);
    expect(moved('stockpulse_call_bytes_total', { direction: 'in' })).toBeGreaterThan(0);
    expect(moved('stockpulse_call_bytes_total', { direction: 'out' })).toBeGreaterThan(0);
  });

  it('show a session while it lives', async () => {
    const before = metric(await metrics(), 'stockpulse_sessions');
    const session = await wire.open('2025-11-25');
    expect(metric(await metrics(), 'stockpulse_sessions')).toBe(before + 1);
    expect(metric(await metrics(), 'stockpulse_bounded_size', { name: 'sessions' })).toBe(before + 1);
    await session.end();
    expect(metric(await metrics(), 'stockpulse_sessions')).toBe(before);
  });

  it('are text that a scraper reads: every line a comment or a sample', async () => {
    const reply = await ask(gateway.endpoint('/metrics'), { method: 'GET' });
    expect(reply.headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/);
    const odd = reply.text.split('\n').filter((line) => !/^(#.*|[a-z_:][\w:]*(\{.*\})? (-?[\d.e+-]+|[+-]?inf|nan)|)$/i.test(line));
    expect(odd).toEqual([]);
  });

  it('are closed to whoever a proxy brings', async () => {
    const reply = await ask(gateway.endpoint('/metrics'), { method: 'GET', headers: { 'x-forwarded-for': '203.0.113.7' } });
    expect(reply.status).toBe(403);
    expect(reply.json?.error?.message).toMatch(/metrics\.token/);
  });
});

describe('the log', () => {
  it('has one line per call, with who, what, where and how long', async () => {
    const before = linesOf('get-sum').length;
    await wire.call('everything__get-sum', { a: 1, b: 2 });
    const [line] = await until('the line is written', () => {
      const lines = linesOf('get-sum').slice(before);
      return lines.length > 0 && lines;
    });
    expect(line).toMatchObject({
      level: 'info',
      event: 'call',
      face: 'streamable-http',
      endpoint: '/mcp',
      revision: '2026-07-28',
      method: 'tools/call',
      client: 'agent',
      clientName: 'wire-test',
      server: 'everything',
      tool: 'get-sum',
      outcome: 'ok',
    });
    expect(line?.id).toMatch(/^call_/);
    expect(line?.principal).toMatch(/^key:/);
    expect(Date.parse(String(line?.time))).not.toBeNaN();
    expect(line?.durationMs).toBeGreaterThan(0);
    expect(Object.keys(line?.stepMs as object)).toContain('execute');
    expect(line?.attempts).toMatchObject([{ server: 'everything' }]);
  });

  it('counts ten calls as ten lines, batches and refusals included', async () => {
    const before = linesOf('get_market_status').length;
    const session = await wire.open('2025-03-26');
    const member = (id: number): object => ({
      jsonrpc: '2.0',
      id,
      method: 'tools/call',
      params: { name: 'get_market_status', arguments: {} },
    });
    await session.post(JSON.stringify([1, 2, 3, 4].map(member)));
    for (let i = 0; i < 5; i++) await wire.call('get_market_status', {});
    await wire.call('get_market_status', { sessions: -1 });
    await until('ten lines', () => linesOf('get_market_status').length - before === 10);
  });

  it('takes the trace id of the caller', async () => {
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
    const meta = { traceparent: `00-${traceId}-00f067aa0ba902b7-01` };
    const reply = await wire.modern('tools/list');
    expect(reply.status).toBe(200);
    const session = await wire.open('2025-11-25');
    await session.request('tools/call', { name: 'get_market_status', arguments: {}, _meta: meta });
    await until('the line with the trace id', () => gateway.callLines().some((line) => line.traceId === traceId));
  });

  it('says refusals before any call, without the credential', async () => {
    await new McpWire(wire.url, `spk_${'z'.repeat(40)}`).modern('tools/list');
    await until('the refusal', () => gateway.logLines().some(({ event, status }) => event === 'refused' && status === 401));
  });

  it('is JSON, line by line', () => {
    const lines = gateway.stderr.split('\n').filter((line) => line !== '');
    expect(lines.filter((line) => !line.startsWith('{') || !line.endsWith('}'))).toEqual([]);
  });
});

const UPSTREAMS = ['everything', 'remote', 'unreachable', 'complains'];
const MANAGEMENT = ['/status', '/servers', '/doctor', '/keys', ...UPSTREAMS.map((name) => `/servers/${name}`)];
const COMMANDS = ['config show', 'config show --json', 'servers show complains', 'servers test complains', 'servers test unreachable'];

describe('planted secrets', () => {
  async function callWithEverything(): Promise<void> {
    expect(textOf(await wire.call('everything__get-env', {}))).toContain(PLANTED.env);
    expect(textOf(await wire.call('everything__echo', { message: PLANTED.argument }))).toContain(PLANTED.argument);
    await wire.call('everything__get-sum', { a: PLANTED.badArgument, b: 1 });
    await wire.call('get_stock_price', { symbols: [PLANTED.badArgument] });
    await wire.call('fixture__rpc_error', { code: -32050, note: PLANTED.argument });
    await wire.call('remote__echo', { text: PLANTED.argument });
    await wire.call('remote__crash', {}).catch(() => undefined);
    for (const server of ['unreachable', 'complains'])
      await new McpWire(gateway.endpoint(`/mcp/${server}`), gateway.agentKey).call('echo', {});
    const odd = { cookie: `session=${PLANTED.cookie}`, 'proxy-authorization': `Basic ${PLANTED.cookie}` };
    await ask(gateway.endpoint(`/mcp?key=${PLANTED.query}`), { method: 'GET', headers: odd });
    await ask(gateway.endpoint(`/nowhere/${gateway.agentKey}?token=${PLANTED.query}`), { method: 'GET', headers: odd });
    await new McpWire(wire.url, gateway.approverKey).modern('tools/list');
  }

  it(
    'stand nowhere: not in the log, the metrics, the management API or the command',
    async () => {
      await callWithEverything();
      await until('the last call is logged', () => gateway.callLines().some(({ server }) => server === 'complains'));
      const everything: [string, string][] = [
        ['the log', gateway.stderr],
        ['stdout', gateway.process.stdout],
        ['/metrics', await metrics()],
      ];
      for (const path of MANAGEMENT) everything.push([path, JSON.stringify((await askLocal(gateway.dataDir, 'GET', path)).json)]);
      for (const command of COMMANDS) {
        const { stdout, stderr } = await gateway.cli(...command.split(' '));
        everything.push([`stockpulse ${command}`, stdout + stderr]);
      }
      const secrets = { ...PLANTED, agentKey: gateway.agentKey, approverKey: gateway.approverKey };
      const leaks = everything.flatMap(([where, text]) =>
        Object.entries(secrets).flatMap(([what, secret]) => {
          const at = text.indexOf(secret);
          return at < 0 ? [] : [`${what} in ${where}: ${text.slice(Math.max(0, at - 200), at)}`];
        }),
      );
      expect(leaks).toEqual([]);
    },
    PATIENCE_MS * 2,
  );

  it('an upstream error still reaches its caller in clear words', async () => {
    const reply = await wire.call('fixture__rpc_error', { code: -32050 });
    expect(errorOf(reply)).toMatchObject({ code: -32603, data: { upstreamCode: -32050 } });
  });
});
