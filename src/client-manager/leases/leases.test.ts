import { afterEach, describe, expect, it } from 'vitest';
import { jsonText, type JsonObject } from '../../protocol/index.ts';
import type { Limits } from '../limits.ts';
import { httpConfig, httpUpstream, isAlive, kit, stdioConfig, until } from '../test-kit.ts';
import type { UpstreamConfig } from '../types.ts';
import { accept, asked, elicit, leasesKit, said, SAMPLE, type LeasesKit, type RunOptions } from './leases-kit.ts';

/** Which calls share a connection, and what becomes of connections (PROTOCOL A2). */

let ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ends.toReversed()) await end();
  ends = [];
});

async function start(limits: Partial<Limits> = {}, more: object = {}, config?: UpstreamConfig): Promise<LeasesKit> {
  const kit = await leasesKit(config ?? stdioConfig('one', ['--era', 'legacy'], more), limits);
  ends.push(() => kit.end());
  return kit;
}

/** The process that carries out a call: each leased connection has its own. */
const pid = async (kit: LeasesKit, options: RunOptions = {}): Promise<number> =>
  said(await kit.outcome({}, { ...options, tool: 'pid' })) as number;

describe('a lease', () => {
  it('is used again by the same principal with the same capabilities, however they are written', async () => {
    const kit = await start();
    const offers = { roots: {}, elicitation: { form: {}, url: {} } };
    const one = await pid(kit, { offers });
    expect(await pid(kit, { offers: { elicitation: { url: {}, form: {} }, roots: {}, extensions: { x: {} } } })).toBe(one);
    expect(kit.opened).toHaveLength(1);
    expect(await pid(kit, { offers: { elicitation: {}, roots: {} } })).not.toBe(one);
  });

  it('never crosses principals', async () => {
    const kit = await start();
    const [ann, bob] = [await pid(kit, { principal: 'ann' }), await pid(kit, { principal: 'bob' })];
    expect(ann).not.toBe(bob);
    expect(await pid(kit, { principal: 'ann' })).toBe(ann);
    expect(await pid(kit, { principal: 'bob' })).toBe(bob);
  });

  it('carries one call at a time', async () => {
    const kit = await start();
    const parked = asked(await kit.outcome([{ ask: [elicit('a')] }]));
    const other = await pid(kit);
    expect(kit.opened).toHaveLength(2);
    await kit.outcome([], { state: parked.state, answers: { a: accept(1) } });
    const both = [await pid(kit), await pid(kit)];
    expect(both).toContain(other);
    expect(kit.opened).toHaveLength(2);
  });

  it('ends when nobody used it for a while', async () => {
    const kit = await start({ leaseIdleMs: 100 });
    const one = await pid(kit);
    await until(() => kit.gauge('upstream_leases') === 0);
    expect(isAlive(one)).toBe(false);
    expect(await pid(kit)).not.toBe(one);
  });

  it('makes room for another key when it is idle, oldest first, but never while it is used', async () => {
    const kit = await start({}, { maxLeases: 2 });
    const [ann, bob] = [await pid(kit, { principal: 'ann' }), await pid(kit, { principal: 'bob' })];
    await pid(kit, { principal: 'ann' });
    await pid(kit, { principal: 'cyd' });
    expect([isAlive(ann), isAlive(bob), kit.gauge('upstream_leases')]).toEqual([true, false, 2]);
    asked(await kit.outcome([{ ask: [elicit('a')] }], { principal: 'ann' }));
    asked(await kit.outcome([{ ask: [elicit('a')] }], { principal: 'cyd' }));
    expect(said(await kit.outcome([], { principal: 'bob' }))).toBe('failed busy no');
    expect(kit.opened).toHaveLength(3);
  });

  it('of a call that was given up is not used again, and its process ends', async () => {
    const kit = await start();
    const one = await pid(kit);
    const run = kit.run([{ hang: true }], { deadlineMs: 100 });
    expect(said(await run.outcome)).toBe('failed deadline_exceeded unknown');
    expect(await pid(kit)).not.toBe(one);
    await until(() => !isAlive(one));
    await until(() => kit.gauge('upstream_leases') === 1);
  });

  it('that is lost while idle is not noticed by the next call', async () => {
    const kit = await start();
    const one = await pid(kit);
    process.kill(one, 'SIGKILL');
    const two = await pid(kit);
    expect(two).not.toBe(one);
    await until(() => kit.gauge('upstream_leases') === 1);
  });

  it('that a restarted server does not know any more is replaced, with all others that nobody uses', async () => {
    const upstream = await httpUpstream({ era: 'legacy' });
    ends.push(() => upstream.close());
    const kit = await start({}, {}, httpConfig('one', upstream.url));
    await Promise.all([1, 2, 3].map(() => kit.outcome([{ wait: 50 }])));
    expect(kit.opened).toHaveLength(3);
    upstream.forgetSessions();
    expect(said(await kit.outcome([]))).toEqual([]);
    expect(kit.opened).toHaveLength(4);
    expect(upstream.calls).toHaveLength(4);
    await until(() => kit.gauge('upstream_leases') === 1);
  });

  it('that is lost during a call ends it as unknown, once', async () => {
    const kit = await start();
    expect(said(await kit.outcome([{ crash: true }]))).toBe('failed outcome_unknown unknown');
    await until(() => kit.gauge('upstream_leases') === 0);
    expect(kit.opened).toHaveLength(1);
  });

  it('that cannot be opened leaves nothing behind, and the call was not sent', async () => {
    const kit = await start({}, {}, httpConfig('one', 'http://127.0.0.1:1/mcp'));
    expect(said(await kit.outcome([]))).toBe('failed upstream_unavailable no');
    const slow = await start({}, { args: ['-e', 'setInterval(() => {}, 1000)'] });
    expect(said(await slow.outcome([], { deadlineMs: 100 }))).toBe('failed deadline_exceeded no');
    const left = slow.run([]);
    left.abort();
    expect(said(await left.outcome)).toBe('failed canceled no');
    expect([kit.gauge('upstream_leases'), slow.gauge('upstream_leases')]).toEqual([0, 0]);
  });
});

describe('a server that begins anew', () => {
  it('has its idle connections ended, and the others when their calls have ended', async () => {
    const kit = await start();
    const [idle, opening] = [await pid(kit), pid(kit, { principal: 'bob' })];
    const { state } = asked(await kit.outcome([{ ask: [elicit('a')] }], { principal: 'cyd' }));
    await opening;
    const late = pid(kit, { principal: 'dan' });
    await Promise.resolve();
    kit.calls.renew();
    expect(isAlive(await late)).toBe(true);
    await until(() => !isAlive(idle));
    await until(() => kit.gauge('upstream_leases') === 1);
    expect(said(await kit.outcome([], { principal: 'cyd', state, answers: { a: accept(1) } }))).toEqual([accept(1)]);
    await until(() => kit.gauge('upstream_leases') === 0);
  });

  it('because it is restarted ends them too', async () => {
    const one = await kit([stdioConfig('one', ['--era', 'legacy'])]);
    ends.push(() => one.end());
    await one.manager.start();
    const call = { offers: jsonText({ elicitation: {} }) };
    const leased = Number(await one.text('one', 'pid', {}, { call }));
    expect(await one.text('one', 'pid', {}, { call })).toBe(String(leased));
    await one.manager.restart('one');
    await until(() => !isAlive(leased));
    expect(await one.text('one', 'pid', {}, { call })).not.toBe(String(leased));
  });
});

describe('outside a call', () => {
  it('roots are the configured ones, other questions are refused, and notices are passed on', async () => {
    const roots = [{ uri: 'file:///data', name: 'data' }];
    const kit = await start({}, { roots });
    const afterwards = ['roots/list', 'sampling/createMessage'].map((method) => ({ method, params: SAMPLE }));
    await kit.outcome([{ send: { method: 'notifications/resources/list_changed' } }, { afterwards }]);
    await new Promise((resolve) => setTimeout(resolve, 200));
    const answers = said(await kit.outcome({}, { tool: 'cancelled' })) as { method: string; answer: JsonObject }[];
    expect(answers.map(({ answer }) => answer.result ?? (answer.error as JsonObject).code)).toEqual([{ roots }, -32602]);
    expect(kit.others).toEqual(['notifications/resources/list_changed']);
  });
});
