import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startHttpUpstream, type HttpUpstream } from '../fixtures/upstreams/index.ts';
import { GatewayHere } from '../support/gateway-here.ts';
import { endGateways } from '../support/gateway-process.ts';
import type { McpWire } from '../support/mcp-wire.ts';
import { PATIENCE_MS, rounds, until } from '../support/until.ts';
import { fixtureStdio } from '../support/upstreams.ts';
import { accept, callLeg, converse, form, retryOf, type Answer } from './caller.ts';

/** The traps of parked calls, through modern HTTP and a real gateway (PROTOCOL D). */

const SERVERS = ['stdio', 'http'] as const;

let gateway: GatewayHere;
let upstream: HttpUpstream;
let stranger: string;

const keysOf = ({ last }: Answer): string[] => Object.keys(last.result?.inputRequests ?? {});
const messageOf = ({ last }: Answer, key: string): unknown => last.result?.inputRequests?.[key]?.params.message;

beforeAll(async () => {
  upstream = await startHttpUpstream({ era: 'legacy', sse: true });
  gateway = await GatewayHere.start({
    stdio: { ...fixtureStdio({ era: 'legacy' }), era: 'legacy', maxLeases: 20 },
    http: { url: upstream.url, era: 'legacy', maxLeases: 20 },
  });
  stranger = await gateway.newKey('stranger');
}, PATIENCE_MS * 2);

afterAll(async () => {
  await gateway.close();
  await Promise.all([upstream.close(), endGateways()]);
}, PATIENCE_MS);

describe.each(SERVERS)('a call that asks, at a server over %s', (server) => {
  it('a retry that comes 1,000 times executes once, and each gets the one answer', async () => {
    verifies('mrtr-once', 'basic-handles');
    const wire = gateway.wire(server);
    const params = converse({ ask: [form('who?', 'who')] });
    const first = await callLeg(wire, params);
    expect([first.last.result?.resultType, keysOf(first)]).toEqual(['input_required', ['who']]);
    const retry = retryOf(params, first, { who: accept('me') });
    const count = rounds(1000, 10_000);
    for (let sent = 0; sent < count; sent += 100) {
      const answers = await Promise.all(Array.from({ length: Math.min(100, count - sent) }, () => callLeg(wire, retry)));
      for (const { text } of answers) expect(JSON.parse(text)).toEqual([accept('me')]);
    }
    if (server === 'http') expect(upstream.calls.filter(({ name }) => name === 'converse')).toHaveLength(1);
  });

  it('three questions side by side are one result, and each answer reaches its own', async () => {
    verifies('mrtr-keys');
    const wire = gateway.wire(server);
    const params = converse({ ask: [form('a?', 'a'), form('b?', 'b'), form('c?', 'c')] });
    const first = await callLeg(wire, params);
    expect(keysOf(first).toSorted()).toEqual(['a', 'b', 'c']);
    for (const key of ['a', 'b', 'c']) expect(messageOf(first, key)).toBe(`${key}?`);
    const done = await callLeg(wire, retryOf(params, first, { c: accept('3'), a: accept('1'), b: accept('2') }));
    expect(JSON.parse(done.text)).toEqual([accept('1'), accept('2'), accept('3')]);
  });

  it('answers in part lead to another round with what is open; an older round with other answers is refused', async () => {
    const wire = gateway.wire(server);
    const params = converse({ ask: [form('a?', 'a'), form('b?', 'b')] });
    const first = await callLeg(wire, params);
    const second = await callLeg(wire, retryOf(params, first, { a: accept('1'), unasked: accept('x') }));
    expect([second.last.result?.resultType, keysOf(second)]).toEqual(['input_required', ['b']]);
    expect(second.last.result?.requestState).not.toBe(first.last.result?.requestState);
    const other = await callLeg(wire, retryOf(params, first, { a: accept('changed my mind') }));
    expect(other.last.error?.code).toBe(-32602);
    const done = await callLeg(wire, retryOf(params, second, { b: accept('2') }));
    expect(JSON.parse(done.text)).toEqual([accept('1'), accept('2')]);
  });

  it('a state is nobody else’s, no other call’s, and no other endpoint’s; changed it is nothing at all', async () => {
    verifies('mrtr-untrusted', 'mrtr-integrity', 'mrtr-rejected', 'mrtr-validated');
    const wire = gateway.wire(server);
    const params = converse({ ask: [form('secret question', 'q')] });
    const first = await callLeg(wire, params);
    const state = String(first.last.result?.requestState);
    const retry = retryOf(params, first, { q: accept('thief') });
    const flipped = (at: number): string => `${state.slice(0, at)}${state[at] === 'A' ? 'B' : 'A'}${state.slice(at + 1)}`;
    const attempts: [string, McpWire, Readonly<Record<string, unknown>>][] = [
      ['another principal', gateway.wire(server, stranger), retry],
      ['another endpoint', gateway.wire(server === 'http' ? 'stdio' : 'http'), retry],
      ['other arguments', wire, { ...retry, ...converse({ ask: [form('other', 'q')] }) }],
      ['another tool', wire, { ...retry, name: 'echo', arguments: { text: 'x' } }],
      ['cut off', wire, { ...retry, requestState: state.slice(0, -1) }],
      ['empty', wire, { ...retry, requestState: '' }],
      ['inside out', wire, { ...retry, requestState: `park:${state}` }],
      ['huge', wire, { ...retry, requestState: state.repeat(1000) }],
      ...Array.from({ length: 20 }, (_, i): [string, McpWire, Readonly<Record<string, unknown>>] => {
        const at = Math.floor((i * state.length) / 20);
        return [`changed at ${at}`, wire, { ...retry, requestState: flipped(at) }];
      }),
    ];
    for (const [what, from, sent] of attempts) {
      const { last, reply } = await callLeg(from, sent);
      expect([what, last.error?.code]).toEqual([what, -32602]);
      expect(reply.text).not.toContain('secret question');
    }
    expect(JSON.parse((await callLeg(wire, retryOf(params, first, { q: accept('owner') }))).text)).toEqual([accept('owner')]);
  });

  it('the one who asked gives up his question: the retry gets what the call came to', async () => {
    const wire = gateway.wire(server);
    const params = converse({ ask: [{ ...form('quick?', 'quick'), giveUpMs: 200 }] });
    const first = await callLeg(wire, params);
    expect(keysOf(first)).toEqual(['quick']);
    if (server === 'http') await until('the server went on', () => upstream.calls.length > 0);
    const done = await callLeg(wire, retryOf(params, first, { quick: accept('too late?') }));
    expect(done.last.result?.resultType).toBe('complete');
    expect([[accept('too late?')], [{ timedOut: true }]]).toContainEqual(JSON.parse(done.text));
    // Whatever came first, it stays.
    expect((await callLeg(wire, retryOf(params, first, { quick: accept('too late?') }))).text).toBe(done.text);
  });
});

it('whose gateway is gone meanwhile is not carried out again: it is to be started anew', async () => {
  verifies('mrtr-no-retry');
  const wire = gateway.wire('http');
  const params = converse({ ask: [form('still there?', 'q')] });
  const first = await callLeg(wire, params);
  const before = upstream.calls.length;
  await gateway.restart();
  await gateway.connected(['stdio', 'http']);
  const late = await callLeg(gateway.wire('http'), retryOf(params, first, { q: accept('yes') }));
  expect(late.last.error).toMatchObject({ code: -32602, message: expect.stringMatching(/again/) as string });
  expect(upstream.calls.length).toBe(before);
});
