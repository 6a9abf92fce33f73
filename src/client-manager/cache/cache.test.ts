import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  jsonText,
  type Call,
  type CallContext,
  type CallEvent,
  type JsonObject,
  type JsonText,
  type Outcome,
} from '../../protocol/index.ts';
import { Caps } from '../../shared/index.ts';
import { paramsOf, toolCall } from '../test-kit.ts';
import { CACHE_META, CachingTarget, type ToolCaching } from './caching-target.ts';
import { MemoryStore, type StoredResult } from './store.ts';

const base = toolCall(
  'quote',
  {},
  { call: { sideEffect: 'read', subject: { member: 'name', value: 'quote' }, caller: { principal: 'ann', scopes: new Set() } } },
);

const withParams = (params: JsonObject, more: Partial<Call> = {}): Call => ({ ...base, params: paramsOf(JSON.stringify(params)), ...more });
const quote = (args: JsonObject = { symbol: 'AAPL' }, more: Partial<Call> = {}): Call =>
  withParams({ name: 'quote', arguments: args }, more);
const wishing = (wish: string): Call => withParams({ name: 'quote', arguments: { symbol: 'AAPL' }, _meta: { [CACHE_META]: wish } });
const resource = (uri: string, principal = 'ann'): Call =>
  withParams({ uri }, { method: 'resources/read', subject: { member: 'uri', value: uri }, caller: { principal, scopes: new Set() } });
const asBob = { caller: { principal: 'bob', scopes: new Set<string>() } };

function cached(
  tools: Record<string, ToolCaching> = { quote: { ttlMs: 60_000, shared: false } },
  size = { entries: 100, bytes: 1_000_000 },
) {
  const calls: Call[] = [];
  const events: CallEvent[] = [];
  const time = { now: 1_000_000 };
  const caps = new Caps();
  const store = new MemoryStore({ ...size, caps });
  const answers: ((call: Call) => Outcome | Promise<Outcome>)[] = [];
  let count = 0;
  const target = new CachingTarget({
    server: 's',
    store,
    clock: { now: () => time.now },
    tools: new Map(Object.entries(tools)),
    maxText: 10_000,
    inner: {
      handle: async (call) => {
        calls.push(call);
        return answers[0]?.(call) ?? { kind: 'complete', result: jsonText({ content: [{ type: 'text', text: `answer ${++count}` }] }) };
      },
      completes: () => true,
    },
  });
  const context: CallContext = { signal: new AbortController().signal, onEvent: (event) => events.push(event) };
  const ask = async (call: Call): Promise<JsonText> => {
    const outcome = await target.handle(call, context);
    if (outcome.kind !== 'complete') throw new Error(outcome.kind);
    expect(JSON.parse(outcome.result.text)).toEqual(outcome.result.value);
    return outcome.result;
  };
  const said = ({ value }: JsonText): string | undefined => (value.content as { text: string }[])[0]?.text;
  const state = ({ value }: JsonText): unknown => (value._meta as JsonObject | undefined)?.[CACHE_META];
  return { target, calls, events, time, caps, store, answers, ask, said, state, context };
}

const complete = (value: JsonObject): Outcome => ({ kind: 'complete', result: jsonText(value) });

describe('results of a tool whose operator says so', () => {
  it('are kept for so long, for their caller, and say so', async () => {
    const { ask, said, state, time, events, calls } = cached();
    const first = await ask(quote());
    expect([said(first), state(first)]).toEqual(['answer 1', { state: 'miss' }]);
    time.now += 59_999;
    const second = await ask(quote());
    expect([said(second), state(second)]).toEqual(['answer 1', { state: 'hit', ageMs: 59_999 }]);
    time.now += 1;
    expect(said(await ask(quote()))).toBe('answer 2');
    expect(said(await ask(quote({ symbol: 'AAPL' }, asBob)))).toBe('answer 3');
    expect(calls).toHaveLength(3);
    expect(events.map((event) => event.kind === 'cache' && event.state)).toEqual(['miss', 'hit', 'miss', 'miss']);
  });

  it('are the same however the arguments are written, and whatever _meta says', async () => {
    const { ask, calls } = cached();
    await ask(quote({ a: 1, b: [1, { c: 2, d: 3 }] }));
    await ask(withParams({ arguments: { b: [1, { d: 3, c: 2 }], a: 1 }, name: 'quote', _meta: { progressToken: 7 } }));
    expect(calls).toHaveLength(1);
    await ask(quote({ a: 1, b: [1, { c: 2, d: 4 }] }));
    expect(calls).toHaveLength(2);
  });

  it('are for everybody where the tool is said to be shared', async () => {
    const { ask, calls } = cached({ quote: { ttlMs: 1000, shared: true } });
    await ask(quote());
    await ask(quote({ symbol: 'AAPL' }, asBob));
    expect(calls).toHaveLength(1);
  });

  it.each([
    ['a tool without a lifetime', quote({}, { subject: { member: 'name', value: 'other' } })],
    ['a write', quote({}, { sideEffect: 'write' })],
    ['a round with a state', quote({}, { state: 'x' })],
    ['a round with answers', quote({}, { answers: jsonText({}) })],
    ['another method', quote({}, { method: 'prompts/get' })],
  ])('are not kept: %s', async (_name, call) => {
    const { ask, state, calls } = cached();
    expect(state(await ask(call))).toBeUndefined();
    await ask(call);
    expect(calls).toHaveLength(2);
  });

  it.each<[string, Outcome]>([
    ['an error of the tool', complete({ content: [], isError: true })],
    ['an ask', { kind: 'input_required', result: jsonText({ resultType: 'input_required' }) }],
    ['a task', { kind: 'task', result: jsonText({ resultType: 'task' }) }],
    ['an error', { kind: 'error', error: { code: -1, message: '' } }],
    ['a failure', { kind: 'failed', failure: { code: 'busy', message: '', executed: 'no' } }],
    ['too large a result', complete({ content: [{ type: 'text', text: 'x'.repeat(10_001) }] })],
  ])('are not kept: %s', async (_name, outcome) => {
    const { target, context, calls, answers } = cached();
    answers.push(() => outcome);
    await target.handle(quote(), context);
    await target.handle(quote(), context);
    expect(calls).toHaveLength(2);
  });

  it('are gone past, or fetched anew, where the caller wants that', async () => {
    const { ask, said, state } = cached();
    await ask(quote());
    const past = await ask(wishing('bypass'));
    expect([said(past), state(past)]).toEqual(['answer 2', { state: 'bypass' }]);
    expect(said(await ask(quote()))).toBe('answer 1');
    expect(said(await ask(wishing('refresh')))).toBe('answer 3');
    expect(said(await ask(quote()))).toBe('answer 3');
  });

  it('are dropped by a write to the same server, even those that were asked for before it', async () => {
    const { target, ask, said, answers, context } = cached();
    await ask(quote());
    await target.handle(quote({}, { sideEffect: 'write' }), context);
    expect(said(await ask(quote()))).toBe('answer 3');
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    answers.push(() => promise);
    const reading = ask(quote({ symbol: 'B' }));
    answers.pop();
    await target.handle(quote({}, { sideEffect: 'write' }), context);
    resolve(complete({ content: [{ type: 'text', text: 'old' }] }));
    expect(said(await reading)).toBe('old');
    expect(said(await ask(quote({ symbol: 'B' })))).not.toBe('old');
  });

  it('keep what their server put into _meta', async () => {
    const { ask, answers } = cached();
    answers.push(() => complete({ content: [], _meta: { 'x/y': [1], [CACHE_META]: 'theirs' } }));
    await ask(quote());
    const { value } = await ask(quote());
    expect(value._meta).toEqual({ 'x/y': [1], [CACHE_META]: { state: 'hit', ageMs: 0 } });
  });
});

describe('resources', () => {
  const answer =
    (more: JsonObject) =>
    ({ subject }: Call): Outcome =>
      complete({ resultType: 'complete', contents: [{ uri: subject?.value, text: 'x' }], ...more });

  it('are kept as long as their server says, and say what is left', async () => {
    const { ask, answers, time, calls, state } = cached();
    answers.push(answer({ ttlMs: 5_000, cacheScope: 'private' }));
    await ask(resource('r:1'));
    time.now += 2_000;
    const { value, text } = await ask(resource('r:1'));
    expect([value.ttlMs, state({ value, text })]).toEqual([3_000, { state: 'hit', ageMs: 2_000 }]);
    await ask(resource('r:1', 'bob'));
    await ask(resource('r:2'));
    time.now += 3_000;
    await ask(resource('r:1'));
    expect(calls).toHaveLength(4);
  });

  it('are for everybody where their server says that they are public', async () => {
    const { ask, answers, calls } = cached();
    answers.push(answer({ ttlMs: 5_000, cacheScope: 'public' }));
    await ask(resource('r:1'));
    await ask(resource('r:1', 'bob'));
    expect(calls).toHaveLength(1);
  });

  it('of a server that says nothing, or that they are stale at once, pass as they are', async () => {
    for (const more of [{}, { ttlMs: 0 }, { ttlMs: -1 }, { ttlMs: 'long' }]) {
      const { ask, answers, calls, state } = cached();
      answers.push(answer(more));
      expect(state(await ask(resource('r:1')))).toBeUndefined();
      await ask(resource('r:1'));
      expect(calls).toHaveLength(2);
    }
  });

  it('are dropped when the server says that one changed', async () => {
    const { target, ask, answers, calls } = cached();
    answers.push(answer({ ttlMs: 5_000 }));
    await ask(resource('r:1'));
    target.drop('resources');
    await ask(resource('r:1'));
    expect(calls).toHaveLength(2);
  });
});

describe('the store', () => {
  const result = (text: string, expiresAt = Infinity): StoredResult => ({ text, value: {}, storedAt: 0, expiresAt });

  it('drops the one that was used least recently', () => {
    const store = new MemoryStore({ entries: 2, bytes: 1e6, caps: new Caps() });
    store.set('a', result('1'));
    store.set('b', result('2'));
    store.get('a', 0);
    store.set('c', result('3'));
    expect(['a', 'b', 'c'].map((key) => store.get(key, 0)?.text)).toEqual(['1', undefined, '3']);
  });

  it('holds its caps and counts right, whatever comes', () => {
    const step = fc.record({
      key: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'),
      size: fc.nat(400),
      now: fc.nat(50),
      get: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const caps = new Caps();
        const store = new MemoryStore({ entries: 4, bytes: 4_000, caps });
        for (const { key, size, now, get } of steps) {
          if (get) store.get(key, now);
          else store.set(key, result('x'.repeat(size), now + 10));
          for (const gauge of caps.list()) expect(gauge.size).toBeLessThanOrEqual(gauge.cap);
        }
        for (const key of 'abcdefgh') store.get(key, Infinity);
        expect(caps.list().map(({ size }) => size)).toEqual([0, 0]);
        store.stop();
        expect(caps.list()).toEqual([]);
      }),
    );
  });
});
