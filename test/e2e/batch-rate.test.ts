import { afterAll, beforeAll, expect, it } from 'vitest';
import { endGateways, showLogOnFailure, startGatewayProcess, type GatewayProcess } from '../support/gateway-process.ts';
import { McpWire } from '../support/mcp-wire.ts';
import { PATIENCE_MS } from '../support/until.ts';

const PER_SECOND = 5;
const SIZE = 50;

let gateway: GatewayProcess;

beforeAll(async () => {
  gateway = await startGatewayProcess({ config: { limits: { requestsPerSecond: PER_SECOND } } });
}, PATIENCE_MS);

showLogOnFailure(() => gateway);
afterAll(endGateways, PATIENCE_MS);

it('the requests of a batch count against the rate of their key, as single ones do', async () => {
  const session = await new McpWire(gateway.endpoint('/mcp'), gateway.agentKey).open('2025-03-26');
  const pings = Array.from({ length: SIZE }, (_, id) => ({ jsonrpc: '2.0', id, method: 'ping' }));
  const began = performance.now();
  const reply = await session.post(JSON.stringify(pings));
  const seconds = (performance.now() - began) / 1000;
  expect(reply.status).toBe(200);
  const answers = JSON.parse(reply.text) as { id: number; result?: unknown; error?: unknown }[];
  expect(answers.map(({ id }) => id)).toEqual(pings.map(({ id }) => id));
  const done = answers.filter(({ result }) => result !== undefined);
  // A burst is twice the rate.
  expect(done.length).toBeLessThanOrEqual(PER_SECOND * (2 + seconds));
  expect(done[0]).toEqual({ jsonrpc: '2.0', id: 0, result: {} });
  expect(answers.at(-1)).toMatchObject({
    id: SIZE - 1,
    error: { code: 4290, data: { retryAfterMs: expect.any(Number) as number } },
  });
});
