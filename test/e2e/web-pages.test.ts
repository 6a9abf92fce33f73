import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endGateways, showLogOnFailure, startGatewayProcess, type GatewayProcess } from '../support/gateway-process.ts';
import { bearer, McpWire, modernRequest } from '../support/mcp-wire.ts';
import { PATIENCE_MS } from '../support/until.ts';
import { ask } from '../support/wire.ts';

const origin = 'https://app.example.com';
const MAY_READ = { 'access-control-allow-origin': origin, vary: 'Origin' };

let gateway: GatewayProcess;
let wire: McpWire;

beforeAll(async () => {
  gateway = await startGatewayProcess({ config: { server: { allowedOrigins: [origin] } } });
  wire = new McpWire(gateway.endpoint('/mcp'), gateway.agentKey);
}, PATIENCE_MS);

showLogOnFailure(() => gateway);
afterAll(endGateways, PATIENCE_MS);

/** The head of a response that stays open. */
async function headOf(path: string, headers: Readonly<Record<string, string>>): Promise<IncomingMessage['headers']> {
  const sent = request(gateway.endpoint(path), { agent: false, headers: { accept: 'text/event-stream', origin, ...headers } });
  sent.on('error', () => undefined);
  sent.end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  sent.destroy();
  return response.headers;
}

describe('a page of a listed origin', () => {
  it.each(['/mcp', '/mcp/stockpulse', '/sse', '/stockpulse/openapi.json'])('asks before it calls %s', async (path) => {
    const reply = await ask(gateway.endpoint(path), {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization,mcp-param-region' },
    });
    expect([reply.status, reply.text]).toEqual([204, '']);
    expect(reply.headers).toMatchObject(MAY_READ);
    expect(reply.headers['access-control-allow-headers']).toMatch(/\bauthorization\b.*\bmcp-param-region\b/);
  });

  it('reads answers of both eras, refusals, and streams', async () => {
    const modern = await wire.modern('server/discover', {}, { origin });
    expect(modern).toMatchObject({ status: 200, headers: MAY_READ });
    const { body, headers } = modernRequest('server/discover');
    const refused = await ask(gateway.endpoint('/mcp'), { headers: { ...headers, origin }, body: JSON.stringify(body) });
    expect(refused).toMatchObject({ status: 401, headers: MAY_READ });
    expect(refused.headers['access-control-expose-headers']).toContain('www-authenticate');
    const session = await wire.open('2025-11-25');
    expect(await session.post('{"jsonrpc":"2.0","id":1,"method":"ping"}', { origin })).toMatchObject({ status: 200, headers: MAY_READ });
    const accepted = await session.post('{"jsonrpc":"2.0","method":"notifications/x"}', { origin });
    expect(accepted).toMatchObject({ status: 202, headers: MAY_READ });
    const key = bearer(gateway.agentKey);
    for (const stream of [await headOf('/mcp', { ...key, ...session.headers }), await headOf('/sse', key)])
      expect(stream).toMatchObject({ 'content-type': 'text/event-stream', ...MAY_READ });
    expect(await ask(gateway.endpoint('/stockpulse/openapi.json'), { method: 'GET', headers: { origin } })).toMatchObject({
      headers: MAY_READ,
    });
  });

  it('reads nothing of the management API', async () => {
    const key = bearer(gateway.agentKey);
    for (const method of ['OPTIONS', 'GET']) {
      const reply = await ask(gateway.endpoint('/admin/v1/servers'), {
        method,
        headers: { ...key, origin, 'access-control-request-method': 'GET' },
      });
      expect([reply.status >= 400, reply.headers['access-control-allow-origin']]).toEqual([true, undefined]);
    }
  });
});

it('nobody else is told anything', async () => {
  const plain = await wire.modern('server/discover');
  expect(Object.keys(plain.headers).filter((name) => name.startsWith('access-control') || name === 'vary')).toEqual([]);
  const foreign = await wire.modern('server/discover', {}, { origin: 'https://evil.example' });
  expect([foreign.status, foreign.headers['access-control-allow-origin']]).toEqual([403, undefined]);
});
