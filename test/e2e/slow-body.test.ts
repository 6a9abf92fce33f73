import { afterAll, beforeAll, expect, it } from 'vitest';
import { endGateways, showLogOnFailure, startGatewayProcess, type GatewayProcess } from '../support/gateway-process.ts';
import { McpWire } from '../support/mcp-wire.ts';
import { PATIENCE_MS } from '../support/until.ts';
import { rawExchange } from '../support/wire.ts';

let gateway: GatewayProcess;

beforeAll(async () => {
  gateway = await startGatewayProcess();
}, PATIENCE_MS);

showLogOnFailure(() => gateway);
afterAll(endGateways, PATIENCE_MS);

it(
  'clients that never finish their request are timed out and hold up nobody',
  async () => {
    const lines = [
      'POST /mcp HTTP/1.1',
      'Host: localhost',
      `Authorization: Bearer ${gateway.agentKey}`,
      'Content-Type: application/json',
      'Content-Length: 100',
    ];
    const body = rawExchange(gateway.url, `${lines.join('\r\n')}\r\n\r\n{"jsonrpc"`, true);
    const headers = rawExchange(gateway.url, `${lines.slice(0, 2).join('\r\n')}\r\nX-Slow: `, true);
    const idle = Array.from({ length: 50 }, () => rawExchange(gateway.url, 'POST /m', true));
    const wire = new McpWire(gateway.endpoint('/mcp'), gateway.agentKey);
    for (let i = 0; i < 20; i++) expect((await wire.call('get_market_status', {})).status).toBe(200);
    for (const answer of await Promise.all([body, headers, ...idle])) {
      expect(answer).toMatch(/^HTTP\/1\.1 408 /);
      expect(answer).toMatch(/in time/);
    }
    expect((await wire.call('get_market_status', {})).status).toBe(200);
  },
  PATIENCE_MS * 3,
);
