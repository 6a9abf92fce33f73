import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonText, type Call, type CallContext, type Failure, type JsonObject, type Outcome, type Params } from '../../protocol/index.ts';
import { Caps } from '../../shared/index.ts';
import type { OwnEvent } from '../events.ts';
import { Failures } from '../failures.ts';
import { paramsOf as paramsFrom, toolCall as kitCall } from '../test-kit.ts';
import { Breaker, DEFAULT_BREAKER, type BreakerState } from './breaker.ts';
import { Gate, type Waited } from './gate.ts';
import { DEFAULT_ENGINE, GuardedTarget, type EnginePolicy } from './guarded-target.ts';
import { hasIdempotencyKey, mayRepeat } from './retries.ts';

const fine: Outcome = { kind: 'complete', result: jsonText({ content: [] }) };
const toolError: Outcome = { kind: 'complete', result: jsonText({ content: [], isError: true }) };
const failed = (code: Failure['code'], executed: Failure['executed'] = 'unknown', retryAfterMs?: number): Outcome => ({
  kind: 'failed',
  failure: { code, message: code, executed, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) },
});

const paramsOf = (value: JsonObject): Params | undefined => paramsFrom(JSON.stringify(value));

function toolCall(more: Partial<Call> = {}, args: object = { symbol: 'AAPL' }): Call {
  const own = {
    subject: { member: 'name', value: 'quote' },
    caller: { principal: 'p', scopes: new Set<string>() },
    deadlineMs: 1000,
  } as const;
  return kitCall('quote', { ...args }, { call: { ...own, ...more } });
}
const read = (more: Partial<Call> = {}, args?: object): Call => toolCall({ sideEffect: 'read', ...more }, args);
const by = (principal: string): Partial<Call> => ({ caller: { principal, scopes: new Set() } });
const context = (signal = new AbortController().signal): CallContext => ({ signal, onEvent: () => undefined });

/** A target whose answers the test gives. */
class Scripted {
  readonly calls: { readonly call: Call; readonly context: CallContext; answer: (outcome: Outcome) => void }[] = [];
  readonly #script: Outcome[];

  constructor(...script: Outcome[]) {
    this.#script = script;
  }

  handle(call: Call, into: CallContext): Promise<Outcome> {
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    this.calls.push({ call, context: into, answer: resolve });
    const next = this.#script.shift();
    if (next !== undefined) resolve(next);
    return promise;
  }

  completes(): boolean {
    return true;
  }
}

function engine(inner: Scripted, policy: Partial<EnginePolicy> = {}) {
  const events: OwnEvent[] = [];
  const pauses: number[] = [];
  const time = { now: 0 };
  const caps = new Caps();
  const target = new GuardedTarget({
    server: 's',
    inner,
    failures: new Failures('s', 1000),
    caps,
    emit: (event) => events.push(event),
    policy: { ...DEFAULT_ENGINE, maxInFlight: 4, maxQueued: 4, ...policy },
    now: () => time.now,
    random: () => 1,
    pause: (ms) => {
      pauses.push(ms);
      time.now += ms;
      return Promise.resolve();
    },
  });
  return { target, events, pauses, time, caps };
}

const turns = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await Promise.resolve();
};

describe('a call that failed', () => {
  const cases: readonly (readonly [string, Call, Outcome, number])[] = [
    ['a read that broke off', read(), failed('upstream_failed'), 3],
    ['a read of unknown outcome', read(), failed('outcome_unknown'), 3],
    ['a read that was refused as busy', read(), failed('busy', 'no'), 3],
    ['a read that ran into its deadline', read(), failed('deadline_exceeded'), 1],
    ['a read that was canceled', read(), failed('canceled'), 1],
    ['a read with too large a result', read(), failed('result_too_large'), 1],
    ['a read that is a round of a call', read({ state: 'x' }), failed('upstream_failed'), 1],
    ['a read with answers', read({ answers: jsonText({}) }), failed('upstream_failed'), 1],
    ['a write that may have been carried out', toolCall(), failed('outcome_unknown'), 1],
    ['a write that never left', toolCall(), failed('upstream_unavailable', 'no'), 2],
    ['an idempotent write without its key', toolCall({ sideEffect: 'idempotent_write' }), failed('outcome_unknown'), 1],
    [
      'an idempotent write with its key',
      toolCall({ sideEffect: 'idempotent_write' }, { client_order_id: 'a' }),
      failed('outcome_unknown'),
      3,
    ],
    ['a write with a key that nobody declared idempotent', toolCall({}, { client_order_id: 'a' }), failed('outcome_unknown'), 1],
  ];

  it.each(cases)('%s', async (_name, call, outcome, attempts) => {
    const inner = new Scripted(outcome, outcome, outcome, outcome);
    expect(await engine(inner).target.handle({ ...call, deadlineMs: 10_000 }, context())).toBe(outcome);
    expect(inner.calls).toHaveLength(attempts);
  });

  it('is tried again after longer and longer pauses, with what is left of its time', async () => {
    const inner = new Scripted(failed('upstream_failed'), failed('upstream_failed'), fine);
    const { target, pauses } = engine(inner);
    expect(await target.handle(read({ deadlineMs: 10_000 }), context())).toBe(fine);
    expect(pauses).toEqual([100, 200]);
    expect(inner.calls.map(({ call }) => call.deadlineMs)).toEqual([10_000, 9_900, 9_700]);
  });

  it('waits as long as its server says, and not at all where that is beyond its deadline', async () => {
    const soon = engine(new Scripted(failed('busy', 'no', 3_000), fine));
    expect(await soon.target.handle(read({ deadlineMs: 10_000 }), context())).toBe(fine);
    expect(soon.pauses).toEqual([3_000]);
    const late = failed('busy', 'no', 30_000);
    const { target, pauses } = engine(new Scripted(late));
    expect(await target.handle(read({ deadlineMs: 10_000 }), context())).toBe(late);
    expect(pauses).toEqual([]);
  });

  it('is left alone where its server answered: with an error of its own, or of its tool', async () => {
    const error: Outcome = { kind: 'error', error: { code: -32603, message: 'no' } };
    for (const outcome of [error, toolError]) {
      const inner = new Scripted(outcome);
      expect(await engine(inner).target.handle(read(), context())).toBe(outcome);
      expect(inner.calls).toHaveLength(1);
    }
  });

  it('knows the keys that make a call the same', () => {
    expect(hasIdempotencyKey(toolCall({}, { idempotency_key: 'k' }))).toBe(true);
    expect(hasIdempotencyKey(toolCall({}, { idempotency_key: '' }))).toBe(false);
    expect(hasIdempotencyKey(toolCall({}, { idempotency_key: 7 }))).toBe(false);
    expect(hasIdempotencyKey(toolCall({ params: undefined }))).toBe(false);
  });

  it('is never repeated as a write that may have been carried out', () => {
    const codes = ['upstream_unavailable', 'upstream_failed', 'outcome_unknown', 'busy', 'deadline_exceeded', 'internal_error'] as const;
    fc.assert(
      fc.property(fc.constantFrom(...codes), fc.object(), (code, args) => {
        const call = toolCall({ sideEffect: 'write' }, args);
        return !mayRepeat(call, { code, message: '', executed: 'unknown' });
      }),
    );
  });
});

describe('calls beyond the limit', () => {
  it('wait for a place, in turn by principal', async () => {
    const inner = new Scripted();
    const { target } = engine(inner, { maxInFlight: 1, maxQueued: 10 });
    const order: string[] = [];
    const go = (principal: string, n: number): void => {
      void target.handle(toolCall({ ...by(principal), deadlineMs: 10_000 }, { n }), context()).then(() => order.push(`${principal}${n}`));
    };
    for (const n of [1, 2, 3, 4]) go('a', n);
    for (const n of [1, 2]) go('b', n);
    for (let i = 0; i < 6; i++) {
      await turns();
      expect(inner.calls).toHaveLength(i + 1);
      inner.calls[i]?.answer(fine);
    }
    await turns();
    expect(order).toEqual(['a1', 'a2', 'b1', 'a3', 'b2', 'a4']);
  });

  it('are refused as busy when too many wait, and counted', async () => {
    const { target, caps } = engine(new Scripted(), { maxInFlight: 1, maxQueued: 1, retries: 0 });
    void target.handle(toolCall(), context());
    void target.handle(toolCall(), context());
    expect(await target.handle(toolCall(), context())).toMatchObject({ kind: 'failed', failure: { code: 'busy', executed: 'no' } });
    expect(caps.list().map(({ name, size, refused }) => [name, size, refused])).toEqual([['upstream_queue:s', 1, 1]]);
    target.stop();
    expect(caps.list()).toEqual([]);
  });

  it('leave the queue when they are canceled or late', async () => {
    const inner = new Scripted();
    const { target } = engine(inner, { maxInFlight: 1, maxQueued: 4 });
    void target.handle(toolCall({ deadlineMs: 10_000 }), context());
    const controller = new AbortController();
    const canceled = target.handle(toolCall(), context(controller.signal));
    controller.abort();
    expect(await canceled).toMatchObject({ failure: { code: 'canceled', executed: 'no' } });
    expect(await target.handle(toolCall({ deadlineMs: 30 }), context())).toMatchObject({
      failure: { code: 'deadline_exceeded', executed: 'no' },
    });
    expect(inner.calls).toHaveLength(1);
    inner.calls[0]?.answer(fine);
    await turns();
    void target.handle(toolCall(), context());
    expect(inner.calls).toHaveLength(2);
  });

  it('never run more at once than allowed, and none is forgotten', async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('enter' as const), principal: fc.constantFrom('a', 'b', 'c') }),
      fc.record({ kind: fc.constant('leave' as const), principal: fc.constant('') }),
      fc.record({ kind: fc.constant('cancel' as const), principal: fc.constant('') }),
    );
    const property = fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const gate = new Gate({ server: 's', running: 2, queued: 5, caps: new Caps() });
      let running = 0;
      const waiting: { controller: AbortController; ended: Promise<Waited> }[] = [];
      for (const { kind, principal } of steps) {
        if (kind === 'enter' && gate.enter()) running++;
        else if (kind === 'enter') {
          const controller = new AbortController();
          const ended = gate.wait(principal, 60_000, controller.signal);
          if (ended === undefined) expect(gate.size).toBe(5);
          else waiting.push({ controller, ended: ended.then((how) => (how === 'go' && running++, how)) });
        } else if (kind === 'leave' && running > 0) {
          running--;
          gate.leave();
        } else if (kind === 'cancel') waiting.shift()?.controller.abort();
        await turns();
        expect(running).toBeLessThanOrEqual(2);
        expect(gate.running).toBe(running);
        if (running < 2) expect(gate.size).toBe(0);
      }
      gate.stop();
      await Promise.all(waiting.map(({ ended }) => ended));
      expect(gate.size).toBe(0);
    });
    await fc.assert(property, { numRuns: 100 });
  });
});

function breaker(more: Partial<typeof DEFAULT_BREAKER> = {}) {
  const time = { now: 0 };
  const states: BreakerState[] = [];
  return {
    time,
    states,
    breaker: new Breaker({ ...DEFAULT_BREAKER, ...more, now: () => time.now, onChange: (state) => states.push(state) }),
  };
}

describe('the breaker', () => {
  it('opens after failures in a row, tries one call, and closes when that is answered', async () => {
    const inner = new Scripted(...Array.from({ length: 5 }, () => failed('upstream_failed')), fine, fine);
    const { target, events, time } = engine(inner, { retries: 0 });
    for (let i = 0; i < 5; i++) await target.handle(read({}, { i }), context());
    expect(target.breaker).toBe('open');
    expect(await target.handle(read(), context())).toMatchObject({
      failure: { code: 'upstream_unavailable', executed: 'no', retryAfterMs: 5_000 },
    });
    expect(inner.calls).toHaveLength(5);
    time.now += 5_000;
    expect(await target.handle(read(), context())).toBe(fine);
    expect(target.breaker).toBe('closed');
    expect(events).toEqual(['open', 'half_open', 'closed'].map((state) => ({ kind: 'breaker', state })));
  });

  it('opens when more than half of the last calls failed, and counts errors of tools and of the protocol as answers', async () => {
    const { breaker: one } = breaker();
    for (let i = 0; i < 20; i++) {
      if (i % 2 === 0) one.failed(one.epoch);
      else one.succeeded(one.epoch);
    }
    expect(one.state).toBe('closed');
    const two = breaker().breaker;
    for (let i = 0; i < 21; i++) {
      if (i % 3 === 2) two.succeeded(two.epoch);
      else two.failed(two.epoch);
    }
    expect(two.state).toBe('open');
    const inner = new Scripted(...Array.from({ length: 30 }, (_, i) => (i % 2 === 0 ? toolError : failed('canceled'))));
    const { target } = engine(inner, { retries: 0 });
    for (let i = 0; i < 30; i++) await target.handle(read({}, { i }), context());
    expect(target.breaker).toBe('closed');
  });

  it('lets a write try only when no read came for a while, and one call at a time', () => {
    const { breaker: one, time } = breaker();
    for (let i = 0; i < 5; i++) one.failed(one.epoch);
    time.now += 5_000;
    expect(one.enter(false)).toBe(2_000);
    expect(one.state).toBe('half_open');
    expect(one.enter(true)).toBe(0);
    expect(one.enter(true)).toBeGreaterThan(0);
    one.left(one.epoch);
    time.now += 2_000;
    expect(one.enter(false)).toBe(0);
  });

  it('stays open longer each time that its trial fails, up to a bound, until the server is known to be well', () => {
    const { breaker: one, time } = breaker();
    for (let i = 0; i < 5; i++) one.failed(one.epoch);
    const waits: number[] = [];
    for (let i = 0; i < 6; i++) {
      const waitMs = one.enter(true);
      waits.push(waitMs);
      time.now += waitMs;
      expect(one.enter(true)).toBe(0);
      one.failed(one.epoch);
    }
    expect(waits).toEqual([5_000, 10_000, 20_000, 40_000, 60_000, 60_000]);
    one.reset();
    expect(one.enter(false)).toBe(0);
    for (let i = 0; i < 5; i++) one.failed(one.epoch);
    expect(one.enter(true)).toBe(5_000);
  });

  it('hears nothing from calls that began before it opened', () => {
    const { breaker: one } = breaker();
    const { epoch } = one;
    for (let i = 0; i < 5; i++) one.failed(epoch);
    one.succeeded(epoch);
    one.left(epoch);
    expect(one.state).toBe('open');
  });

  it('always lets somebody in again, whatever happened', () => {
    const event = fc.constantFrom('read', 'write', 'ok', 'fail', 'left', 'time');
    fc.assert(
      fc.property(fc.array(event, { maxLength: 200 }), (events) => {
        const { breaker: one, time } = breaker();
        const open: number[] = [];
        for (const what of events) {
          if (what === 'time') time.now += 3_000;
          else if (what === 'read' || what === 'write') {
            if (one.enter(what === 'read') === 0) open.push(one.epoch);
          } else {
            const epoch = open.shift();
            if (epoch === undefined) continue;
            if (what === 'ok') one.succeeded(epoch);
            else if (what === 'fail') one.failed(epoch);
            one.left(epoch);
          }
        }
        for (const epoch of open) one.left(epoch);
        time.now += DEFAULT_BREAKER.maxOpenMs;
        expect(one.enter(true)).toBe(0);
      }),
    );
  });
});

describe('reads that are the same', () => {
  it('go out once, and all get the answer', async () => {
    const inner = new Scripted();
    const { target } = engine(inner);
    const all = [1, 2, 3].map((token) =>
      target.handle(read({ params: paramsOf({ name: 'quote', arguments: { b: 1, a: 2 }, _meta: { traceparent: token } }) }), context()),
    );
    all.push(target.handle(read({ params: paramsOf({ arguments: { a: 2, b: 1 }, name: 'quote' }) }), context()));
    await turns();
    expect(inner.calls).toHaveLength(1);
    inner.calls[0]?.answer(fine);
    expect(await Promise.all(all)).toEqual([fine, fine, fine, fine]);
    void target.handle(read(), context());
    expect(inner.calls).toHaveLength(2);
  });

  it.each([
    ['another principal', by('q')],
    ['other arguments', { params: paramsOf({ name: 'quote', arguments: { symbol: 'MSFT' } }) }],
    ['another tool', { subject: { member: 'name', value: 'other' } }],
    ['another revision', { client: { revision: '2025-06-18', info: undefined, capabilities: {} } }],
    ['a write', { sideEffect: 'write' }],
    ['progress', { progress: true }],
    ['logs', { logLevel: 'info' }],
    ['a round', { state: 's' }],
    ['capabilities', { offers: jsonText({ roots: {} }) }],
  ] as const)('are not the same with %s', async (_name, more) => {
    const inner = new Scripted();
    const { target } = engine(inner);
    void target.handle(read(), context());
    void target.handle(read(more as Partial<Call>), context());
    await turns();
    expect(inner.calls).toHaveLength(2);
  });

  it('are the same for all callers of a server that says so', async () => {
    const inner = new Scripted(fine);
    const { target } = engine(inner, { shared: true });
    expect(await Promise.all([target.handle(read(by('p')), context()), target.handle(read(by('q')), context())])).toEqual([fine, fine]);
    expect(inner.calls).toHaveLength(1);
  });

  it('go out by themselves where the first one came to nothing that is theirs', async () => {
    const stream: Outcome = { kind: 'stream', stream: { begin: () => undefined, resume: () => undefined, abort: () => undefined } };
    for (const first of [stream, failed('canceled')]) {
      const inner = new Scripted(first, fine);
      const { target } = engine(inner);
      expect(await Promise.all([target.handle(read(), context()), target.handle(read(), context())])).toEqual([first, fine]);
    }
  });

  it('leave alone: who is canceled takes nobody with him', async () => {
    const inner = new Scripted();
    const { target } = engine(inner);
    const controller = new AbortController();
    const first = target.handle(read(), context());
    const second = target.handle(read(), context(controller.signal));
    controller.abort();
    expect(await second).toMatchObject({ failure: { code: 'canceled' } });
    inner.calls[0]?.answer(fine);
    expect(await first).toBe(fine);
  });
});
