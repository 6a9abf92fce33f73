import { randomBytes } from 'node:crypto';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startHttpUpstream, type HttpUpstream } from '../fixtures/upstreams/index.ts';
import { GatewayHere } from '../support/gateway-here.ts';
import { endGateways } from '../support/gateway-process.ts';
import { textOf } from '../support/mcp-wire.ts';
import { PATIENCE_MS, until } from '../support/until.ts';
import { fixtureStdio } from '../support/upstreams.ts';
import { legacyHttp, modernHttp, rawHttp, sse, stdio, webSocket, type Driver } from './drivers.ts';
import { attempts } from './mutations.ts';

/** Wrong messages on every face, over real sockets: always a defined answer, never another client's bytes, and the gateway goes on. */

const BATCH = 20;
const FACES = 6;
const scale = Number(process.env.STOCKPULSE_TEST_SCALE ?? 1);
/** All faces together: 1,000 messages, and 100,000 in the long run. */
const MESSAGES = scale > 1 ? Math.min(100_000, 5_000 * scale) : 1_000;
const RUNS = Math.ceil(MESSAGES / FACES / BATCH);

let gateway: GatewayHere;
let upstream: HttpUpstream;
let other: string;
const secret = `secret-${randomBytes(12).toString('hex')}`;

beforeAll(async () => {
  upstream = await startHttpUpstream({ era: 'modern' });
  const servers = {
    modern: { url: upstream.url, era: 'modern' },
    legacy: { ...fixtureStdio({ era: 'legacy' }), era: 'legacy' },
  };
  gateway = await GatewayHere.start(servers, { limits: { requestsPerSecond: 1_000_000 } });
  other = await gateway.newKey('bystander');
}, PATIENCE_MS * 2);

afterAll(async () => {
  await gateway.close();
  await Promise.all([upstream.close(), endGateways()]);
}, PATIENCE_MS);

/** What somebody else does meanwhile, on the same server: it must work, and stay his. */
async function bystander(server: string): Promise<void> {
  expect(textOf(await gateway.wire(server, other).call('echo', { text: secret }))).toBe(secret);
}

async function attack(driver: Driver, server: string, era: 'modern' | 'legacy' | 'both'): Promise<void> {
  const batch = fc.array(attempts(era), { minLength: BATCH, maxLength: BATCH });
  const property = fc.asyncProperty(batch, async (messages) => {
    const meanwhile = bystander(server);
    const said = await Promise.all(messages.map((message) => driver.send(message)));
    await meanwhile;
    const after = await driver.check();
    for (const text of [...said, after]) if (text.includes(secret)) throw new Error('the bytes of somebody else');
  });
  try {
    await fc.assert(property, { numRuns: RUNS, endOnFailure: true });
  } finally {
    await driver.close();
  }
}

describe(`${MESSAGES} messages that are almost right`, () => {
  it.each(['modern', 'legacy'] as const)('over modern HTTP, in front of a %s server', { timeout: 900_000 }, (server) =>
    attack(modernHttp(gateway, server, gateway.key), server, 'modern'),
  );

  it('over HTTP with wrong bytes around them', { timeout: 900_000 }, () =>
    attack(rawHttp(gateway, 'modern', gateway.key), 'modern', 'both'),
  );

  it('in a legacy session', { timeout: 900_000 }, async () => {
    await attack(await legacyHttp(gateway, 'legacy', gateway.key), 'legacy', 'both');
  });

  it('over HTTP+SSE', { timeout: 900_000 }, async () => {
    await attack(await sse(gateway, 'legacy', gateway.key), 'legacy', 'both');
  });

  it('over WebSocket', { timeout: 900_000 }, async () => {
    await attack(await webSocket(gateway, 'modern', gateway.key), 'modern', 'both');
  });

  it('over stdio', { timeout: 900_000 }, () => attack(stdio(gateway, 'legacy'), 'legacy', 'both'));
});

it('methods that no header can carry do not exist, and disturb nobody', async () => {
  const session = await gateway.wire('modern').open('2025-11-25');
  for (const method of ['\ud800', '\u202e', 'tools/\u00e9', 'a\r\nx: y', ' ', 'x'.repeat(70_000)]) {
    const meanwhile = bystander('modern');
    const { json } = await session.request(method);
    expect(json).toMatchObject({ error: { code: -32601 } });
    await meanwhile;
    await bystander('modern');
  }
  await session.end();
});

it('nothing of it is left', async () => {
  for (const name of ['calls_in_flight', 'http_streams', 'client_asks', 'sse_clients', 'stdio_clients', 'watches'])
    await until(`${name} is empty`, async () => (await gateway.holds(name)) === 0);
});
