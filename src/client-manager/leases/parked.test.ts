import { afterEach, describe, expect, it } from 'vitest';
import type { AskClient, JsonObject } from '../../protocol/index.ts';
import type { Limits } from '../limits.ts';
import { httpConfig, httpUpstream, stdioConfig, until, type HttpUpstream } from '../test-kit.ts';
import type { UpstreamConfig } from '../types.ts';
import { LegacyCalls } from './legacy-calls.ts';
import { accept, asked, elicit, FORM, heard, leasesKit, said, SAMPLE, type LeasesKit } from './leases-kit.ts';

/** Calls that wait for their client between two of its requests (PROTOCOL D, traps 1 to 10). */

let ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ends.toReversed()) await end();
  ends = [];
});

async function over(config: UpstreamConfig, limits: Partial<Limits> = {}): Promise<LeasesKit> {
  const kit = await leasesKit(config, limits);
  ends.push(() => kit.end());
  return kit;
}

const overStdio = (limits: Partial<Limits> = {}, more: Partial<UpstreamConfig> = {}): Promise<LeasesKit> =>
  over(stdioConfig('one', ['--era', 'legacy'], { maxInFlight: 1_500, ...(more as object) }), limits);

async function overHttp(
  limits: Partial<Limits> = {},
  more: Partial<UpstreamConfig> = {},
): Promise<{ kit: LeasesKit; upstream: HttpUpstream }> {
  const upstream = await httpUpstream({ era: 'legacy' });
  ends.push(() => upstream.close());
  return { kit: await over(httpConfig('one', upstream.url, { maxInFlight: 1_500, ...(more as object) }), limits), upstream };
}

/** What the server got as the answer to its request with this id. */
const told = (upstream: HttpUpstream, id: string): JsonObject | undefined =>
  upstream.requests
    .map(({ body }) => JSON.parse(body || '{}') as JsonObject)
    .find((message) => message.id === id && message.method === undefined);

describe.each(['stdio', 'http'] as const)('over %s', (transport) => {
  const start = async (limits: Partial<Limits> = {}): Promise<LeasesKit> =>
    transport === 'stdio' ? overStdio(limits) : (await overHttp(limits)).kit;

  it('a call goes on where it was when its client comes back, though the request before was closed (trap 1)', async () => {
    const kit = await start();
    const first = kit.run([{ ask: [elicit('name')] }]);
    const { keys, state, requests } = asked(await first.outcome);
    expect(keys).toEqual(['name']);
    expect(requests.name).toEqual({ method: 'elicitation/create', params: FORM });
    expect(LegacyCalls.owns(state)).toBe(true);
    first.abort();
    expect(kit.gauge('upstream_parked')).toBe(1);
    const last = await kit.outcome([], { state, answers: { name: accept('Ann') } });
    expect(said(last)).toEqual([accept('Ann')]);
    expect(kit.opened).toEqual([{ elicitation: {}, sampling: {}, roots: { listChanged: true } }]);
    expect([kit.gauge('upstream_parked'), kit.gauge('upstream_leased_requests'), kit.gauge('upstream_leases')]).toEqual([0, 0, 1]);
  });

  it('a retry that comes 1,000 times is carried out once, and once more after its answer was lost (trap 2)', async () => {
    verifies('mrtr-once');
    const kit = await start();
    const { state } = asked(await kit.outcome([{ ask: [elicit('a')] }, { wait: 50 }]));
    const retry = { state, answers: { a: accept(1) } };
    const outcomes = await Promise.all(Array.from({ length: 1_000 }, () => kit.outcome([], retry)));
    expect(new Set(outcomes.map((outcome) => JSON.stringify(said(outcome))))).toEqual(
      new Set(['[{"action":"accept","content":{"value":1}}]']),
    );
    expect(said(await kit.outcome([], retry))).toEqual([accept(1)]);
    expect(said(await kit.outcome({ tool: 'converse' }, { tool: 'count' }))).toBe(1);
    expect(kit.opened).toHaveLength(1);
    expect(kit.gauge('upstream_leased_requests')).toBe(0);
  });

  it('the server gives up its own question and finishes while nobody listens (trap 3)', async () => {
    const kit = await start();
    const { state } = asked(await kit.outcome([{ ask: [elicit('late', { giveUpMs: 60 })] }]));
    await until(() => kit.gauge('upstream_parked') === 0);
    expect(kit.gauge('upstream_parked_results')).toBe(1);
    // The answer comes too late to change anything; what became of the call is told, and nothing is done again.
    expect(said(await kit.outcome([], { state, answers: { late: accept(1) } }))).toEqual([{ timedOut: true }]);
    expect(said(await kit.outcome({ tool: 'converse' }, { tool: 'count' }))).toBe(1);
  });

  it('three questions at once are one result', async () => {
    const kit = await start();
    const three = [
      elicit('e'),
      { method: 'sampling/createMessage', params: SAMPLE, id: 's' },
      { method: 'roots/list', params: {}, id: 'r' },
    ];
    const { keys, state } = asked(await kit.outcome([{ ask: three }]));
    expect(keys.toSorted()).toEqual(['e', 'r', 's']);
    const answers = { r: { roots: [{ uri: 'file:///x' }] }, e: accept(1), s: { role: 'assistant', content: [], model: 'm' } };
    expect(said(await kit.outcome([], { state, answers }))).toEqual([answers.e, answers.s, answers.r]);
  });

  it('questions that come while it is parked, and partial answers, lead to another round (trap 4)', async () => {
    const kit = await start();
    const steps = [{ ask: [elicit('late', { forget: true }), elicit(1), elicit('b')] }, { ask: [elicit('b')] }];
    const first = asked(await kit.outcome(steps));
    expect(first.keys.toSorted()).toEqual(['ask-1', 'b', 'late']);
    // Unknown keys and answers that are no objects count for nothing.
    const partial = { state: first.state, answers: { b: accept('b'), nobody: accept(0), late: 7 } };
    const second = asked(await kit.outcome([], partial));
    expect(second.keys.toSorted()).toEqual(['ask-1', 'late']);
    expect(second.state).not.toBe(first.state);
    // The same retry again attaches, and is told what is open now; another one may not change what was said.
    expect(asked(await kit.outcome([], partial)).state).toBe(second.state);
    expect(said(await kit.outcome([], { ...partial, answers: { b: accept('B') } }))).toBe('error -32602');
    const third = asked(await kit.outcome([], { state: second.state, answers: { 'ask-1': accept(1) } }));
    // A key is never used twice, though the server uses its id twice.
    expect(third.keys.toSorted()).toEqual(['ask-2', 'late']);
    const last = await kit.outcome([], { state: third.state, answers: { 'ask-2': accept('again') } });
    expect(said(last)).toEqual([accept(1), accept('b'), accept('again')]);
  });

  it('time in which a person thinks is not the call’s, the rest is (trap 7)', async () => {
    const kit = await start();
    await kit.outcome([]);
    const { state } = asked(await kit.outcome([{ ask: [elicit('a')] }, { hang: true }], { deadlineMs: 1_500 }));
    await new Promise((resolve) => setTimeout(resolve, 1_800));
    expect(kit.gauge('upstream_parked')).toBe(1);
    expect(said(await kit.outcome([], { state, answers: { a: accept(1) }, deadlineMs: 100 }))).toBe('failed deadline_exceeded unknown');
    expect(said(await kit.outcome([], { state, answers: { a: accept(1) } }))).toBe('failed deadline_exceeded unknown');
  });

  it('a call whose client disconnects while it works is canceled, and a late retry does not start it again', async () => {
    const kit = await start();
    const { state } = asked(await kit.outcome([{ ask: [elicit('a')] }, { hang: true }]));
    const leg = kit.run([], { state, answers: { a: accept(1) } });
    const twin = kit.run([], { state, answers: { a: accept(1) } });
    // One of two that wait may go.
    twin.abort();
    expect(said(await twin.outcome)).toBe('failed canceled unknown');
    expect(kit.gauge('upstream_parked')).toBe(1);
    leg.abort();
    expect(said(await leg.outcome)).toBe('failed canceled unknown');
    expect(said(await kit.outcome([], { state, answers: { a: accept(1) } }))).toBe('failed canceled unknown');
    await until(() => kit.gauge('upstream_leases') === 0);
  });

  it('the owner of a state is gone, or it is somebody else’s: nothing is carried out (trap 8)', async () => {
    const kit = await start();
    const { state } = asked(await kit.outcome([{ ask: [elicit('a')] }]));
    const other = await start();
    const answers = { a: accept(1) };
    for (const outcome of [
      await other.outcome([], { state, answers }),
      await kit.outcome([], { state, answers, principal: 'bob' }),
      await kit.outcome([], { state: state.replace(/\.\d+$/, '.2'), answers }),
      await kit.outcome([], { state: `${state.slice(0, 18)}${'0'.repeat(26)}.1`, answers }),
    ])
      expect(said(outcome)).toBe('error -32602');
    expect(other.opened).toHaveLength(0);
    expect(said(await kit.outcome([], { state, answers }))).toEqual([accept(1)]);
    expect(said(await kit.outcome([], { state, answers, principal: 'bob' }))).toBe('error -32602');
  });

  it('a question that was not offered ends the call with what is missing (trap 10)', async () => {
    const kit = await start();
    const outcome = await kit.outcome([{ ask: [elicit('a')] }], { offers: { sampling: {} } });
    expect(outcome).toMatchObject({ kind: 'error', error: { code: -32021, data: { requiredCapabilities: { elicitation: {} } } } });
    const url = elicit('u', { params: { mode: 'url', message: 'Go', url: 'https://x.example/', elicitationId: '1' } });
    expect(await kit.outcome([{ ask: [url] }], { offers: { elicitation: {} } })).toMatchObject({
      error: { code: -32021, data: { requiredCapabilities: { elicitation: { url: {} } } } },
    });
    expect(kit.opened).toEqual([{ sampling: {} }, { elicitation: {} }]);
    await until(() => kit.gauge('upstream_leases') === 0);
  });
});

describe('a retry', () => {
  it('may want other progress and logs than the request before (trap 5)', async () => {
    const kit = await overStdio();
    const steps = [{ progress: 1, log: 'one' }, { ask: [elicit('a')] }, { progress: 2, log: 'two' }, { log: 'low', level: 'debug' }];
    const first = kit.run(steps, { logLevel: 'info' });
    const { state } = asked(await first.outcome);
    const last = kit.run([], { state, answers: { a: accept(1) }, progress: true });
    await last.outcome;
    expect(heard(first.events)).toEqual(['one']);
    expect(heard(last.events)).toEqual([2]);
    const again = kit.run(steps, { progress: true });
    const twin = kit.run([], { state: asked(await again.outcome).state, answers: { a: accept(1) }, logLevel: 'debug' });
    await twin.outcome;
    expect(heard(again.events)).toEqual([1]);
    expect(heard(twin.events)).toEqual(['two', 'low']);
    for (const { events } of [first, last]) expect(events.filter(({ kind }) => kind === 'attempt')).toHaveLength(1);
  });

  it('that declares less is not asked, and may come again with more (trap 5)', async () => {
    const kit = await overStdio();
    const { state } = asked(await kit.outcome([{ ask: [elicit('a')] }, { ask: [elicit('b')] }]));
    const retry = { state, answers: { a: accept(1) } };
    const poor = await kit.outcome([], { ...retry, offers: {} });
    expect(poor).toMatchObject({ kind: 'error', error: { code: -32021 } });
    const { keys, state: second } = asked(await kit.outcome([], retry));
    expect(keys).toEqual(['b']);
    expect(said(await kit.outcome([], { state: second, answers: { b: accept(2) } }))).toEqual([accept(1), accept(2)]);
  });

  it('gets the newest events, one that waits beside it only the answer', async () => {
    const kit = await overStdio();
    const { state } = asked(await kit.outcome([{ ask: [elicit('a')] }, { wait: 100 }, { progress: 5 }]));
    const retry = { state, answers: { a: accept(1) }, progress: true };
    const [older, newer] = [kit.run([], retry), kit.run([], retry)];
    expect([said(await older.outcome), said(await newer.outcome)]).toEqual([[accept(1)], [accept(1)]]);
    expect([heard(older.events), heard(newer.events)]).toEqual([[], [5]]);
  });

  it('that comes late gets no result beyond a megabyte, but nothing is carried out again', async () => {
    const kit = await overStdio();
    const { state } = asked(await kit.outcome([{ ask: [elicit('a')] }, { pad: 1_100_000 }]));
    const retry = { state, answers: { a: accept(1) } };
    expect(said(await kit.outcome([], retry))).toEqual([accept(1)]);
    const late = await kit.outcome([], retry);
    expect(late).toMatchObject({
      kind: 'failed',
      failure: { executed: 'unknown', message: expect.stringContaining('result expired') as string },
    });
  });
});

describe('a parked call', () => {
  it('that nobody comes back to ends: its questions are answered, the server is told, and it is remembered for a while', async () => {
    verifies('mrtr-no-retry');
    const { kit, upstream } = await overHttp({ parkMs: 300 });
    const three = [elicit('e'), { method: 'sampling/createMessage', params: SAMPLE, id: 's' }];
    const { state } = asked(await kit.outcome([{ ask: three }, { hang: true }]));
    await until(() => kit.gauge('upstream_parked') === 0);
    expect(said(await kit.outcome([], { state, answers: { e: accept(1) } }))).toBe('failed deadline_exceeded unknown');
    await until(() => upstream.cancelled.length > 0 && told(upstream, 'e') !== undefined && told(upstream, 's') !== undefined);
    expect(told(upstream, 'e')).toMatchObject({ result: { action: 'cancel' } });
    expect(told(upstream, 's')).toMatchObject({ error: { code: -32603 } });
    await until(() => kit.gauge('upstream_parked_results') === 0 && kit.gauge('upstream_leases') === 0);
    expect(said(await kit.outcome([], { state, answers: { e: accept(1) } }))).toBe('error -32602');
    expect(upstream.calls).toHaveLength(1);
  });

  it('is answered like one whose client can be asked at once, when that cancels', async () => {
    const { kit, upstream } = await overHttp();
    let open = 0;
    const ask: AskClient = (_ask, signal) => {
      open++;
      return new Promise((resolve) => {
        signal.addEventListener('abort', () => resolve({ error: { code: -32603, message: 'The request was canceled.' } }));
      });
    };
    const run = kit.run([{ ask: [elicit('e'), { method: 'sampling/createMessage', params: SAMPLE, id: 's' }] }, { hang: true }], { ask });
    await until(() => open === 2);
    run.abort();
    expect(said(await run.outcome)).toBe('failed canceled unknown');
    await until(() => upstream.cancelled.length > 0 && told(upstream, 'e') !== undefined && told(upstream, 's') !== undefined);
    expect(told(upstream, 'e')).toMatchObject({ result: { action: 'cancel' } });
    expect(told(upstream, 's')).toMatchObject({ error: { code: -32603 } });
  });

  it('holds its lease: at the cap the next call is refused before the server sees it (trap 6)', async () => {
    const { kit, upstream } = await overHttp({}, { maxLeases: 2 });
    const states = [asked(await kit.outcome([{ ask: [elicit()] }])), asked(await kit.outcome([{ ask: [elicit()] }]))];
    const refused = await kit.outcome([{ ask: [elicit()] }]);
    expect(refused).toMatchObject({ kind: 'failed', failure: { code: 'busy', executed: 'no', retryAfterMs: 1_000 } });
    expect(upstream.calls).toHaveLength(2);
    const [one] = states;
    expect(said(await kit.outcome([], { state: one?.state ?? '', answers: { [one?.keys[0] ?? '']: accept(1) } }))).toEqual([accept(1)]);
    expect(asked(await kit.outcome([{ ask: [elicit()] }])).keys).toHaveLength(1);
    expect(kit.opened).toHaveLength(2);
  });

  it('whose server dies is told so once, and is not carried out again', async () => {
    const kit = await overStdio();
    const { state } = asked(await kit.outcome([{ ask: [elicit('a')] }, { crash: true }]));
    const retry = { state, answers: { a: accept(1) } };
    expect(said(await kit.outcome([], retry))).toBe('failed outcome_unknown unknown');
    expect(said(await kit.outcome([], retry))).toBe('failed outcome_unknown unknown');
    await until(() => kit.gauge('upstream_leases') === 0);
    expect(kit.opened).toHaveLength(1);
  });

  it('ends with the gateway', async () => {
    const kit = await overStdio();
    const waiting = kit.outcome([{ wait: 60_000 }]);
    await until(() => kit.gauge('upstream_leased_requests') === 1);
    asked(await kit.outcome([{ ask: [elicit('a')] }]));
    await kit.calls.stop();
    expect(said(await waiting)).toBe('failed outcome_unknown unknown');
    expect(kit.gauge('upstream_leases')).toBeUndefined();
    expect(said(await kit.outcome([]))).toBe('failed upstream_unavailable no');
  });
});
