import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson, jsonText, requiredFor, type Ask, type AskAnswer, type JsonText, type Outcome } from '../../protocol/index.ts';
import { Caps } from '../../shared/index.ts';
import { Failures } from '../failures.ts';
import { FinishedCalls } from './finished-calls.ts';
import { LegacyCalls } from './legacy-calls.ts';
import { MAX_OPEN, OpenAsks } from './open-asks.ts';
import { formatParkState, ID_LENGTH, OWNER_LENGTH, parseParkState } from './park-state.ts';

describe('canonical JSON', () => {
  it('is the same for equal values, whatever the order of their members, and still their JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = canonicalJson(value);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
        expect(canonicalJson(reversed(value))).toBe(text);
      }),
    );
    expect(canonicalJson({ b: undefined, a: [undefined] })).toBe('{"a":[null],"b":null}');
  });

  const reversed = (value: unknown): unknown =>
    Array.isArray(value)
      ? value.map(reversed)
      : typeof value === 'object' && value !== null
        ? Object.fromEntries(
            Object.entries(value)
              .toReversed()
              .map(([key, inner]) => [key, reversed(inner)]),
          )
        : value;
});

describe('a state', () => {
  const state = { owner: 'o'.repeat(OWNER_LENGTH), id: '1'.repeat(ID_LENGTH), round: 12 };

  it('says where a call waits, and nothing else is one', () => {
    const text = formatParkState(state);
    expect(parseParkState(text)).toEqual(state);
    expect(LegacyCalls.owns(text)).toBe(true);
    for (const other of [
      '',
      'park:',
      ` ${text}`,
      `${text}0000000`,
      `${text}x`,
      `x${text}`,
      text.replace('.12', '.0'),
      text.toUpperCase(),
      'park:a.b.1',
    ])
      expect(LegacyCalls.owns(other)).toBe(false);
  });
});

const form = (message = '?'): Ask => ({ method: 'elicitation/create', params: jsonText({ message, requestedSchema: {} }) });
const NEVER = new AbortController().signal;
const answers = (...keys: string[]): Map<string, JsonText> => new Map(keys.map((key) => [key, jsonText({ action: key })]));

describe('open questions', () => {
  it('are keyed by the server’s id where it is fit to be a key, and no key comes twice', () => {
    verifies('mrtr-keys');
    const asks = new OpenAsks(1e6);
    const ids = ['name', 'name', 7, 'ask-2', '__proto__', 'x'.repeat(129), '', 'a b', 'ünfit', 'ask-9'];
    for (const id of ids) void asks.add(id, form(), NEVER, () => undefined);
    const keys = [...asks.entries().keys()];
    expect(new Set(keys).size).toBe(ids.length);
    expect(keys).toEqual(['name', 'ask-1', 'ask-3', 'ask-2', 'ask-4', 'ask-5', 'ask-6', 'ask-7', 'ask-8', 'ask-9'].toSorted(byPlace(keys)));
    asks.give(answers('name'));
    void asks.add('name', form(), NEVER, () => undefined);
    expect(asks.entries().has('name')).toBe(false);
    asks.refuse();
  });

  const byPlace =
    (keys: string[]) =>
    (a: string, b: string): number =>
      keys.indexOf(a) - keys.indexOf(b);

  it('are answered once each', async () => {
    const asks = new OpenAsks(1e6);
    const answer = asks.add('a', form(), NEVER, () => undefined);
    expect([asks.give(answers('b')), asks.give(answers('a')), asks.give(answers('a')), asks.size]).toEqual([0, 1, 0, 0]);
    expect(await answer).toEqual({ result: jsonText({ action: 'a' }) });
  });

  it('are told apart by the answers to them only', () => {
    const asks = new OpenAsks(1e6);
    void asks.add('a', form(), NEVER, () => undefined);
    void asks.add('b', form(), NEVER, () => undefined);
    const digest = asks.digest(answers('a', 'b'));
    expect(asks.digest(answers('b', 'x', 'a'))).toBe(digest);
    expect(asks.digest(answers('a'))).not.toBe(digest);
    expect(asks.digest(new Map([['a', { text: '{ "action" : "a" }', value: { action: 'a' } }]]))).toBe(asks.digest(answers('a')));
    asks.refuse();
  });

  it('are bounded in number and bytes', async () => {
    const many = new OpenAsks(1e6);
    for (let i = 0; i < MAX_OPEN; i++) void many.add(i, form(), NEVER, () => undefined);
    expect(many.full).toBe(true);
    expect(await many.add('more', form(), NEVER, () => undefined)).toMatchObject({ error: { code: -32603 } });
    const small = new OpenAsks(300);
    const first = small.add('a', form('x'.repeat(100)), NEVER, () => undefined);
    expect(await small.add('b', form('x'.repeat(200)), NEVER, () => undefined)).toMatchObject({ error: {} });
    small.give(answers('a'));
    await first;
    void small.add('c', form('x'.repeat(100)), NEVER, () => undefined);
    expect(small.size).toBe(1);
    let turns = 0;
    const endless = new OpenAsks(1e6);
    for (; turns < 2_000; turns++) {
      void endless.add('again', form(), NEVER, () => undefined);
      if (endless.size === 0) break;
      endless.give(new Map([...endless.entries().keys()].map((key) => [key, jsonText({})])));
    }
    expect(turns).toBe(1_000);
  });

  it('that the server takes back are gone, and those that nobody answers are dismissed', async () => {
    const asks = new OpenAsks(1e6);
    const controller = new AbortController();
    let withdrawn = 0;
    const back = asks.add('a', form(), controller.signal, () => withdrawn++);
    const rest: Promise<AskAnswer>[] = [asks.add('b', form(), NEVER, () => withdrawn++)];
    rest.push(asks.add('c', { method: 'roots/list', params: undefined }, NEVER, () => withdrawn++));
    controller.abort();
    expect(await back).toMatchObject({ error: {} });
    expect([withdrawn, asks.size]).toEqual([1, 2]);
    asks.refuse();
    expect(await Promise.all(rest)).toMatchObject([{ result: { value: { action: 'cancel' } } }, { error: { code: -32603 } }]);
    expect(withdrawn).toBe(1);
    expect(await asks.add('d', form(), controller.signal, () => withdrawn++)).toMatchObject({ error: {} });
  });
});

describe('what a question needs', () => {
  it.each<[Ask['method'], Record<string, unknown>, unknown]>([
    ['roots/list', {}, { roots: {} }],
    ['elicitation/create', {}, { elicitation: {} }],
    ['elicitation/create', { mode: 'url' }, { elicitation: { url: {} } }],
    ['sampling/createMessage', {}, { sampling: {} }],
    ['sampling/createMessage', { tools: [] }, { sampling: { tools: {} } }],
    ['sampling/createMessage', { toolChoice: {} }, { sampling: { tools: {} } }],
  ])('%s %j', (method, params, expected) => {
    expect(requiredFor({ method, params: jsonText(params) })).toEqual(expected);
  });
});

describe('finished calls', () => {
  const complete = (bytes: number): Outcome => ({ kind: 'complete', result: { text: 'x'.repeat(bytes), value: {} } });

  function finished(): { calls: FinishedCalls; caps: Caps; pass: (ms: number) => void } {
    let now = 1_000;
    const caps = new Caps();
    const calls = new FinishedCalls({ failures: new Failures('one', 1e6), caps, clock: { now: () => now }, keepMs: 500 });
    return { calls, caps, pass: (ms) => (now += ms) };
  }

  it('are told to their own principal, until they are forgotten', async () => {
    const { calls, caps, pass } = finished();
    const outcome = complete(10);
    calls.keep('a', 'ann', outcome);
    expect([calls.outcome('a', 'ann'), calls.outcome('a', 'bob'), calls.outcome('b', 'ann')]).toEqual([outcome, undefined, undefined]);
    pass(501);
    while (calls.size > 0) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(calls.outcome('a', 'ann')).toBeUndefined();
    calls.stop();
    expect(caps.list()).toEqual([]);
  });

  it('stay known when their results are too large together, the oldest without theirs', () => {
    const { calls } = finished();
    for (let i = 0; i < 100; i++) calls.keep(`${i}`, 'ann', complete(1_000_000));
    expect(calls.outcome('0', 'ann')).toMatchObject({ kind: 'failed', failure: { executed: 'unknown' } });
    expect(calls.outcome('99', 'ann')).toMatchObject({ kind: 'complete' });
    for (let i = 0; i < 2_000; i++) calls.keep(`more ${i}`, 'ann', complete(1));
    expect(calls.size).toBe(1_000);
    calls.stop();
  });
});
