import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { endGateways, startGatewayProcess, type GatewayProcess } from '../support/gateway-process.ts';
import { metric } from '../support/metrics.ts';
import { bearer, modernRequest } from '../support/mcp-wire.ts';
import type { OwnedProcess } from '../support/processes.ts';
import { PATIENCE_MS, until } from '../support/until.ts';
import { startFixtureHttp } from '../support/upstreams.ts';

const MB = 1024 * 1024;
const SIZE = 64 * MB;
const AT_ONCE = 3;
/** What the process may grow by while three times 64 MB flow: buffers of sockets, and garbage until it is collected. */
const GROWTH = 128 * MB;

let upstream: OwnedProcess;
let gateway: GatewayProcess;

beforeAll(async () => {
  const started = await startFixtureHttp({ era: 'modern' });
  upstream = started.process;
  gateway = await startGatewayProcess({ config: { mcpServers: { large: { ...started.block, era: 'modern' } } } });
  await gateway.connected(['large']);
}, PATIENCE_MS * 2);

afterAll(async () => {
  await endGateways();
  await upstream.stop();
}, PATIENCE_MS);

interface Read {
  readonly status: number;
  readonly bytes: number;
  readonly tail: string;
}

/** Reads an answer of any size without holding it; `pauseMs` after each piece makes a slow reader. */
function readLarge(bytes: number, pauseMs: number): Promise<Read> {
  const { headers: mirrored, body } = modernRequest('tools/call', { name: 'big', arguments: { bytes } });
  const headers = { ...mirrored, ...bearer(gateway.agentKey) };
  return new Promise((resolve, reject) => {
    const sent = httpRequest(gateway.endpoint('/mcp/large'), { method: 'POST', agent: false, headers }, (response) => {
      let count = 0;
      let tail = '';
      response.on('data', (piece: Buffer) => {
        count += piece.length;
        tail = (tail + piece.subarray(-200).toString('latin1')).slice(-200);
        if (pauseMs === 0) return;
        response.pause();
        setTimeout(() => response.resume(), pauseMs);
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, bytes: count, tail }));
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(JSON.stringify(body));
  });
}

const resident = async (): Promise<number> => metric(await gateway.metrics(), 'process_resident_memory_bytes', {}) ?? 0;

it('lets results of 64 MB flow in bounded memory, to readers of any pace', { timeout: PATIENCE_MS * 4 }, async () => {
  const before = await resident();
  let peak = before;
  const watching = setInterval(() => void resident().then((now) => (peak = Math.max(peak, now))), 50);
  const results = await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => readLarge(SIZE, i === 0 ? 1 : 0)));
  clearInterval(watching);
  for (const { status, bytes, tail } of results) {
    expect(status).toBe(200);
    expect(bytes).toBeGreaterThan(SIZE);
    expect(tail).toMatch(/"\}\]/);
  }
  expect(peak - before).toBeLessThan(GROWTH);
});

it('breaks off one that turns out to be larger, and its record says why', { timeout: PATIENCE_MS }, async () => {
  await expect(readLarge(SIZE + 2 * MB, 0)).rejects.toThrow('aborted');
  await until('the record', () => gateway.callLines().some(({ errorCode }) => errorCode === 'result_too_large'));
});
