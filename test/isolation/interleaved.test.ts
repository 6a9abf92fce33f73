import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startHttpUpstream, type HttpUpstream } from '../fixtures/upstreams/index.ts';
import { GatewayHere } from '../support/gateway-here.ts';
import { endGateways } from '../support/gateway-process.ts';
import { PATIENCE_MS, rounds } from '../support/until.ts';
import { fixtureStdio } from '../support/upstreams.ts';
import { accept, callLeg, converse, form, retryOf, type Answer, type Message } from './caller.ts';

/** Two principals on one shared server: each sees what is his, and not a byte of the other's. */

const LOG_LEVEL = 'io.modelcontextprotocol/logLevel';

interface Client {
  readonly key: string;
  /** Stands in everything that this client sends. */
  readonly mark: string;
}

/** 1,000 calls over the three servers, by two clients. */
const CALLS = rounds(170, 3_400);
const AT_ONCE = 8;

let gateway: GatewayHere;
let upstreams: HttpUpstream[];
let clients: readonly [Client, Client];

const newMark = (): string => `mark-${randomBytes(8).toString('hex')}`;

beforeAll(async () => {
  upstreams = await Promise.all([startHttpUpstream({ era: 'legacy' }), startHttpUpstream({ era: 'modern', sse: true })]);
  gateway = await GatewayHere.start({
    'legacy-stdio': { ...fixtureStdio({ era: 'legacy' }), era: 'legacy', maxLeases: 20 },
    'legacy-http': { url: upstreams[0]?.url, era: 'legacy', maxLeases: 20 },
    'modern-http': { url: upstreams[1]?.url, era: 'modern' },
  });
  clients = [
    { key: gateway.key, mark: newMark() },
    { key: await gateway.newKey('second'), mark: newMark() },
  ];
}, PATIENCE_MS * 2);

afterAll(async () => {
  await gateway.close();
  await Promise.all([...upstreams.map((upstream) => upstream.close()), endGateways()]);
}, PATIENCE_MS);

/** Progress and log messages of one leg are those of its call. */
function expectOwnNotices(messages: readonly Message[], token: string, says: string): void {
  for (const { method, params } of messages.filter((message) => message.method !== undefined)) {
    if (method === 'notifications/progress') expect(params?.progressToken).toBe(token);
    else expect([method, params?.data]).toEqual(['notifications/message', says]);
  }
}

/** One call of one client, to its end; all legs. */
async function carryOut(server: string, { key, mark }: Client, number: number): Promise<Answer[]> {
  const wire = gateway.wire(server, key);
  const says = `${mark} ${number}`;
  const asks = server === 'modern-http' ? [] : [{ ask: [form(says)] }];
  const params = converse({ progress: 1 }, { log: says }, ...asks, { progress: 2 }, { log: says });
  const meta = (leg: number): object => ({ progressToken: `${says} leg ${leg}`, [LOG_LEVEL]: 'debug' });
  const first = await callLeg(wire, params, meta(1));
  expectOwnNotices(first.messages, `${says} leg 1`, says);
  if (asks.length === 0) return [first];
  const [asked] = Object.entries(first.last.result?.inputRequests ?? {});
  expect(asked?.[1].params.message).toBe(says);
  const second = await callLeg(wire, retryOf(params, first, { [asked?.[0] ?? '']: accept(says) }), meta(2));
  expectOwnNotices(second.messages, `${says} leg 2`, says);
  expect(JSON.parse(second.text)).toEqual([accept(says)]);
  return [first, second];
}

describe.each(['legacy-stdio', 'legacy-http', 'modern-http'])('two clients of %s', (server) => {
  it(`hear nothing of each other in ${2 * CALLS} interleaved calls with progress, logs and questions`, async () => {
    const next = [0, 0];
    const seen = { progress: 0, logs: 0, foreign: 0 };
    const worker = async (index: 0 | 1): Promise<void> => {
      const [own, other] = index === 0 ? clients : [clients[1], clients[0]];
      for (;;) {
        const number = next[index] ?? 0;
        if (number >= CALLS) return;
        next[index] = number + 1;
        for (const { reply, messages } of await carryOut(server, own, number)) {
          if (reply.text.includes(other.mark)) seen.foreign++;
          seen.progress += messages.filter(({ method }) => method === 'notifications/progress').length;
          seen.logs += messages.filter(({ method }) => method === 'notifications/message').length;
        }
      }
    };
    await Promise.all(Array.from({ length: 2 * AT_ONCE }, (_, i) => worker(i % 2 === 0 ? 0 : 1)));
    expect(seen).toEqual({ progress: 4 * CALLS, logs: 4 * CALLS, foreign: 0 });
  });
});

it('leaves no call, no parked one, and no more leases than were needed at once', async () => {
  for (const server of ['legacy-stdio', 'legacy-http']) {
    expect(await gateway.holds(`upstream_parked:${server}`)).toBe(0);
    expect(await gateway.holds(`upstream_leases:${server}`)).toBeLessThanOrEqual(2 * AT_ONCE);
  }
  expect(await gateway.holds('calls_in_flight')).toBe(0);
});
