import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HTTP_ERROR_CODES, statusOf } from '../../src/contract/index.ts';
import { endGateways, startGatewayProcess, type GatewayProcess } from '../support/gateway-process.ts';
import { bearer, JSON_HEADERS, McpWire, modernRequest, toolNames } from '../support/mcp-wire.ts';
import { metricNames } from '../support/metrics.ts';
import { PATIENCE_MS } from '../support/until.ts';
import { fixtureStdio } from '../support/upstreams.ts';
import { ask, textAt } from '../support/wire.ts';

/** The public surface as literals: whoever changes it changes this file, on purpose. */

const AGENT_KEY = 'the-agent-key-of-this-test-0001';
let gateway: GatewayProcess;

beforeAll(async () => {
  const config = { mcpServers: { fixture: fixtureStdio({ era: 'modern' }) } };
  gateway = await startGatewayProcess({ config, env: { STOCKPULSE_BOOTSTRAP_API_KEY: AGENT_KEY } });
  await gateway.connected(['fixture']);
}, PATIENCE_MS);

afterAll(endGateways, PATIENCE_MS);

describe('routes', () => {
  it.each([
    ['GET', '/healthz', 200, 200],
    ['GET', '/readyz', 200, 200],
    ['GET', '/metrics', 200, 200],
    ['GET', '/stockpulse/openapi.json', 200, 200],
    ['GET', '/stockpulse/v1/prices?symbols=AAPL', 401, 200],
    ['POST', '/mcp', 401, 200],
    ['POST', '/mcp/stockpulse', 401, 200],
    ['POST', '/mcp/fixture', 401, 200],
    ['POST', '/sse', 401, 400],
    ['POST', '/sse/fixture', 401, 400],
    ['GET', '/admin/v1/status', 401, 403],
    ['GET', '/admin/v1/openapi.json', 401, 403],
    ['GET', '/.well-known/oauth-protected-resource', 404, 404],
    // Later parts of the product; until then nothing answers there.
    ['GET', '/', 404, 404],
    ['GET', '/client/v1/tools', 404, 404],
  ])('%s %s is %i for nobody and %i for an agent', async (method, path, nobody, agent) => {
    const { body, headers } = modernRequest('tools/list');
    const post = method === 'POST' ? { headers, body: JSON.stringify(body) } : { headers: JSON_HEADERS };
    const status = async (credential: Readonly<Record<string, string>>): Promise<number> => {
      const { body: sent, headers: mirrored } = { body: undefined, ...post };
      const withBody = sent === undefined ? {} : { body: sent };
      return (await ask(gateway.endpoint(path), { method, headers: { ...mirrored, ...credential }, ...withBody })).status;
    };
    expect([await status({}), await status(bearer(AGENT_KEY))]).toEqual([nobody, agent]);
  });

  it('the bootstrap key is the agent key, and is not printed', () => {
    expect(gateway.agentKey).toBe(AGENT_KEY);
    expect(gateway.process.stdout + gateway.process.stderr).not.toContain(AGENT_KEY);
  });

  it('the addresses that the OpenAPI document names exist, and its operations are the tools', async () => {
    const { json } = await ask(gateway.endpoint('/stockpulse/openapi.json'), { method: 'GET' });
    const operations = Object.values(json?.paths ?? {}).flatMap((path) =>
      Object.values(path).map(({ operationId }) => textAt(operationId)),
    );
    const tools = await new McpWire(gateway.endpoint('/mcp/stockpulse'), AGENT_KEY).modern('tools/list');
    const names = toolNames(tools);
    expect(names).toEqual([
      'get_stock_price',
      'get_price_history',
      'get_technical_indicators',
      'screen_stocks',
      'search_symbols',
      'get_market_status',
    ]);
    expect(operations).toEqual(expect.arrayContaining(names));
  });
});

describe('the first start', () => {
  it('prints these things in this order, the address last', () => {
    const order = [
      /simulated and the money is paper/,
      /agent key, and the approver key \(yours, never an agent's\)/,
      /first-keys\.txt/,
      /claude mcp add --transport http stockpulse http:\/\/127\.0\.0\.1:\d+\/mcp\/stockpulse --header/,
      /"mcpServers"/,
      /"stdio",\s+"--server",\s+"stockpulse"/,
      /^ {2}- .*\?$/m,
      /doctor$/m,
      /^StockPulse MCP ready at http:\/\/127\.0\.0\.1:\d+\n$/m,
    ];
    let rest = gateway.process.stdout;
    for (const pattern of order) {
      const match = pattern.exec(rest);
      expect([String(pattern), match === null]).toEqual([String(pattern), false]);
      rest = rest.slice((match?.index ?? 0) + (match?.[0].length ?? 0));
    }
    expect(rest).toBe('');
    expect(gateway.process.stdout.match(/^ {2}- .*\?$/gm)).toHaveLength(3);
  });

  it('makes a data folder that is for this user alone', () => {
    const modes = ['.', ...readdirSync(gateway.dataDir)].map((name) => [name, statSync(join(gateway.dataDir, name)).mode & 0o077] as const);
    // The configuration file is the test's own.
    expect(modes.filter(([name, mode]) => mode !== 0 && name !== 'stockpulse.yaml')).toEqual([]);
    expect(modes.map(([name]) => name)).toEqual(
      expect.arrayContaining(['admin.sock', 'agent.key', 'first-keys.txt', 'owner.json', 'owner.lock', 'pgdata']),
    );
  });
});

it('a configuration file that changed is told by doctor and config show, until it is as it was', async () => {
  const file = join(gateway.dataDir, 'stockpulse.yaml');
  const text = readFileSync(file, 'utf8');
  const change = `${file} changed since the gateway was started`;
  const both = async (): Promise<boolean[]> => {
    const answers = [await gateway.cli('doctor'), await gateway.cli('config', 'show')];
    return answers.map(({ stdout }) => stdout.includes(change));
  };
  expect(await both()).toEqual([false, false]);
  writeFileSync(file, `${text}\n`);
  expect(await both()).toEqual([true, true]);
  writeFileSync(file, text);
  expect(await both()).toEqual([false, false]);
}, 60_000);

it('metrics have these names', async () => {
  await new McpWire(gateway.endpoint('/mcp/fixture'), AGENT_KEY).call('echo', { text: 'x' });
  const text = await gateway.metrics();
  expect(metricNames(text).filter((name) => name.startsWith('stockpulse_'))).toEqual([
    'stockpulse_attempts_total',
    'stockpulse_bounded_cap',
    'stockpulse_bounded_refused_total',
    'stockpulse_bounded_size',
    'stockpulse_call_bytes_total',
    'stockpulse_call_duration_seconds',
    'stockpulse_call_errors_total',
    'stockpulse_calls_total',
    'stockpulse_sessions',
    'stockpulse_step_duration_seconds',
    'stockpulse_upstream_breaker',
    'stockpulse_upstream_children',
    'stockpulse_upstream_in_flight',
    'stockpulse_upstream_restarts',
    'stockpulse_upstream_state',
  ]);
});

describe('error codes', () => {
  it('of everything else over HTTP, by status', () => {
    const byStatus = Map.groupBy(HTTP_ERROR_CODES, statusOf);
    expect(Object.fromEntries([...byStatus].map(([status, codes]) => [status, codes.join(' ')]))).toEqual({
      400: 'invalid_request malformed_http invalid_json unknown_scope scopes_not_combinable invalid_secret',
      401: 'credential_missing credential_malformed credential_unknown credential_revoked credential_expired',
      403: 'forbidden approver_required approver_refused host_not_allowed origin_not_allowed metrics_forbidden scope_missing',
      404: 'not_found key_not_found server_not_found tool_not_found endpoint_not_found oauth_not_offered',
      405: 'method_not_allowed',
      408: 'request_timeout',
      409: 'key_revoked key_expired key_replaced too_many_keys secret_taken server_not_restartable',
      413: 'body_too_large',
      414: 'path_too_long',
      415: 'unsupported_media_type',
      426: 'upgrade_required',
      429: 'rate_limited',
      431: 'headers_too_large',
      502: 'upstream_unavailable upstream_failed upstream_protocol_error outcome_unknown result_too_large',
      503: 'busy shutting_down not_ready storage_unavailable storage_failed storage_busy storage_timeout storage_transaction_expired storage_closed offline',
      504: 'deadline_exceeded',
    });
  });
});
