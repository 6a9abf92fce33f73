import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arrayItems, memberOf, objectSpan, type ObjectSpan } from './json-text.ts';
import { isObject, META } from './meta.ts';
import { ResponseSplicer, type SplicerOptions } from './response-splicer.ts';
import { jsonSource, key, objectSource, runs } from './test-support.ts';

const INFO = { name: 'gw', version: '1' };
const SERVER_INFO = `${JSON.stringify(META.serverInfo)}:${JSON.stringify(INFO)}`;
const OPTIONS: SplicerOptions = { idText: '"client-7"', serverInfo: INFO, maxHead: 1 << 20 };

interface Flow {
  readonly text: string;
  readonly problem: string | undefined;
}

/** Feeds the text in pieces of the given sizes, over and over. */
function flow(text: string, sizes: readonly number[] = [1 << 20], options: SplicerOptions = OPTIONS): Flow {
  const splicer = new ResponseSplicer(options);
  const bytes = Buffer.from(text);
  const out: Buffer[] = [];
  for (let at = 0, n = 0; at < bytes.length; n++) {
    const size = Math.max(1, sizes[n % sizes.length] ?? 1);
    out.push(...splicer.feed(bytes.subarray(at, at + size)));
    at += size;
  }
  out.push(...splicer.end());
  return { text: Buffer.concat(out).toString('utf8'), problem: splicer.problem };
}

type Cut = readonly [start: number, end: number, text: string];

const insertion = (text: string, span: ObjectSpan, members: string[]): Cut[] =>
  members.length === 0 ? [] : [[span.end - 1, span.end - 1, (span.members.length === 0 ? '' : ',') + members.join(',')]];

/** What the splicer has to do, on the whole text. */
function whole(text: string): string {
  const envelope = objectSpan(text);
  const id = memberOf(envelope, 'id');
  const resultMember = memberOf(envelope, 'result');
  if (id === undefined || resultMember === undefined) throw new Error('the test made no response');
  const result = objectSpan(text, resultMember.start);
  const meta = memberOf(result, '_meta');
  const missing = memberOf(result, 'resultType') === undefined ? ['"resultType":"complete"'] : [];
  const cuts: Cut[] = [[id.start, id.end, OPTIONS.idText]];
  if (meta === undefined) missing.push(`"_meta":{${SERVER_INFO}}`);
  else if (!isObject(JSON.parse(text.slice(meta.start, meta.end)))) cuts.push([meta.start, meta.end, `{${SERVER_INFO}}`]);
  else {
    const span = objectSpan(text, meta.start);
    if (memberOf(span, META.serverInfo) === undefined) cuts.push(...insertion(text, span, [SERVER_INFO]));
  }
  cuts.push(...insertion(text, result, missing));
  let made = '';
  let at = 0;
  for (const [start, end, replacement] of cuts.toSorted((a, b) => a[0] - b[0] || a[1] - b[1])) {
    made += text.slice(at, start) + replacement;
    at = end;
  }
  return made + text.slice(at);
}

const space = fc.constantFrom('', ' ', '\n', '\t \r');
const OURS = new Set(['jsonrpc', 'id', 'result', 'error', 'method', 'resultType', '_meta', META.serverInfo]);
const foreign = fc
  .tuple(key(), jsonSource(2))
  .filter(([name]) => !OURS.has(name))
  .map(([name, json]) => [JSON.stringify(name), json] as const);

type Pair = readonly [key: string, text: string];

const objectOf = (pairs: fc.Arbitrary<readonly Pair[]>): fc.Arbitrary<string> =>
  fc.tuple(pairs, space, space).map(([members, a, b]) => {
    const unique = [...new Map(members).entries()];
    return `${a}{${a}${unique.map(([name, json]) => `${a}${name}${b}:${b}${json}${a}`).join(',')}${b}}`;
  });

const shuffled = (...pairs: fc.Arbitrary<Pair | undefined>[]): fc.Arbitrary<readonly Pair[]> =>
  fc.tuple(fc.array(foreign, { maxLength: 3 }), fc.tuple(...pairs)).chain(([others, ours]) =>
    fc.shuffledSubarray([...others, ...ours.filter((pair) => pair !== undefined)], {
      minLength: others.length + ours.filter((pair) => pair !== undefined).length,
    }),
  );

const pair = (name: string, value: fc.Arbitrary<string>): fc.Arbitrary<Pair> => value.map((json) => [JSON.stringify(name), json]);
const maybe = (one: fc.Arbitrary<Pair>): fc.Arbitrary<Pair | undefined> => fc.option(one, { nil: undefined });

const metaSource = fc.oneof(objectOf(shuffled(maybe(pair(META.serverInfo, objectSource())))), jsonSource(1));
const resultSource = objectOf(
  shuffled(
    maybe(pair('resultType', fc.constantFrom('"complete"', '"\\u0063omplete"'))),
    maybe(pair('_meta', metaSource)),
    maybe(pair('content', jsonSource())),
  ),
);
const responseSource = objectOf(
  shuffled(
    pair('jsonrpc', fc.constant('"2.0"')),
    pair('id', fc.constantFrom('1', '-0', '"a"', '"\\"\\u00e9{"', '12345678901234567890')),
    pair('result', resultSource),
  ),
);
const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 6 });

describe('ResponseSplicer (PROTOCOL A13)', () => {
  it('gives what a splice of the whole text gives, for any response in any pieces', () => {
    fc.assert(
      fc.property(responseSource, sizes, (text, cut) => {
        const made = flow(text, cut);
        expect(made).toEqual({ text: whole(text), problem: undefined });
        const parsed = JSON.parse(made.text) as { id: unknown; result: Record<string, unknown> };
        expect(parsed.id).toBe('client-7');
        expect(parsed.result.resultType).toBe('complete');
        expect(parsed.result._meta).toHaveProperty([META.serverInfo]);
      }),
      runs(1500),
    );
  });

  it('calls a text broken exactly where JSON.parse does', () => {
    const mutation = fc.tuple(fc.nat(), fc.nat({ max: 3 }), fc.constantFrom(...'{}[]",:\\0123e.-+tfnu /xé'.split('')));
    fc.assert(
      fc.property(responseSource, fc.array(mutation, { maxLength: 3 }), sizes, (source, mutations, cut) => {
        let text = source.replaceAll(/[\n\t\r]/g, ' ');
        for (const [at, length, character] of mutations) {
          const i = at % (text.length + 1);
          text = text.slice(0, i) + character + text.slice(i + length);
        }
        text = Buffer.from(text).toString('utf8');
        let valid = true;
        try {
          JSON.parse(text);
        } catch {
          valid = false;
        }
        const { problem } = flow(text, cut);
        if (!valid) expect(problem).toBeDefined();
        else if (problem !== undefined) expect(problem).not.toMatch(/JSON|early/);
      }),
      runs(3000),
    );
  });

  it.each([
    ['{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}', /"error"/],
    ['{"jsonrpc":"2.0","id":1,"method":"x"}', /"method"/],
    ['{"jsonrpc":"2.0","id":1}', /"result"/],
    ['{"jsonrpc":"2.0","result":{}}', /"id"/],
    ['{"id":1,"result":{}}', /"jsonrpc"/],
    ['{"jsonrpc":2.0,"id":1,"result":{}}', /"jsonrpc"/],
    ['{"jsonrpc":"2.0","id":1,"result":[]}', /no object/],
    ['{"jsonrpc":"2.0","id":1,"result":null}', /no object/],
    ['{"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required"}}', /"complete"/],
    ['{"jsonrpc":"2.0","id":1,"result":{"resultType":"task"}}', /"complete"/],
    ['{"jsonrpc":"2.0","id":1,"result":{"resultType":null}}', /"complete"/],
    ['{"jsonrpc":"2.0","id":1,"result":{"resultType":{}}}', /"complete"/],
    ['{"jsonrpc":"2.0","id":1,"result":{"_meta":{},"\\u005fmeta":{}}}', /twice/],
    ['{"jsonrpc":"2.0","id":1,"result":{"_meta":{},"_meta":{}}}', /twice/],
    ['{"jsonrpc":"2.0","id":1,"id":2,"result":{}}', /twice/],
    ['{"jsonrpc":"2.0","id":1,"result":{},"result":{}}', /twice/],
    ['[{"jsonrpc":"2.0","id":1,"result":{}}]', /no object/],
    ['"x"', /no object/],
    ['', /early/],
    ['{"jsonrpc":"2.0","id":1,"result":{}', /early/],
    ['{"jsonrpc":"2.0","id":1,"result":{}}{}', /JSON/],
    [`{"jsonrpc":"2.0","id":1,"result":{"a":${'['.repeat(200)}${']'.repeat(200)}}}`, /JSON/],
  ])('%s is no complete result, and nothing of it flows', (text, problem) => {
    for (const cut of [[1], [7], [1000]]) {
      const made = flow(text, cut, { ...OPTIONS, maxHead: 1000 });
      expect(made.text).toBe('');
      expect(made.problem).toMatch(problem);
    }
  });

  it('holds nothing back once the result says that it is complete, nor from its body on', () => {
    const told = new ResponseSplicer(OPTIONS);
    expect(told.feed(Buffer.from('{"jsonrpc":"2.0","id":1,"result":{"resultType":'))).toEqual([]);
    expect(Buffer.concat(told.feed(Buffer.from('"complete","requestState":["'))).toString()).toBe(
      '{"jsonrpc":"2.0","id":"client-7","result":{"resultType":"complete","requestState":["',
    );
    expect(told.feed(Buffer.from('"],"resultType":"task"'))).toEqual([]);
    expect(told.problem).toMatch(/twice/);
    const untold = new ResponseSplicer(OPTIONS);
    expect(untold.feed(Buffer.from('{"jsonrpc":"2.0","id":1,"result":{"x":{"content":1},"conte'))).toEqual([]);
    expect(Buffer.concat(untold.feed(Buffer.from('nt":["x'))).toString()).toContain('"content":["x');
    expect(untold.flows).toBe(true);
    expect(untold.feed(Buffer.from('"],"resultType":"task"}}'))).toEqual([]);
    expect([untold.flows, untold.problem]).toEqual([false, expect.stringMatching(/"complete"/)]);
    expect(untold.feed(Buffer.from('more'))).toEqual([]);
    expect(untold.end()).toEqual([]);
  });

  it('holds as much as it may where it cannot tell what the result is', () => {
    const text = `{"jsonrpc":"2.0","id":1,"result":{"_meta":{"x":"${'x'.repeat(500)}"},"content":[]}}`;
    expect(flow(text, [7], { ...OPTIONS, maxHead: 1_000 }).problem).toBeUndefined();
    expect(flow(text, [7], { ...OPTIONS, maxHead: 400 })).toEqual({ text: '', problem: expect.stringMatching(/soon enough/) as string });
  });

  it('lets a result of any order of members flow, and nothing of asks, states and tasks unless it is complete (PROTOCOL C4, C5)', () => {
    const secret = fc.constantFrom('inputRequests', 'requestState', 'task', 'taskId', 'request\\u0053tate');
    const secrets = fc.uniqueArray(secret, { maxLength: 3, selector: (name) => JSON.parse(`"${name}"`) as string });
    const value = fc.constantFrom('"SECRET"', '{"a":["SECRET"]}', '["SECRET",{"resultType":"complete"}]', '{"content":"SECRET"}');
    const others = fc.subarray([
      '"content":["x"]',
      '"structuredContent":{"resultType":"list","taskId":1}',
      '"isError":true',
      '"_meta":{"content":1}',
    ]);
    const type = fc.constantFrom(undefined, '"complete"', '"input_required"', '"task"', 'null');
    const result = fc.tuple(secrets, value, others, type).chain(([names, text, more, resultType]) => {
      const members = [...names.map((name) => `"${name}":${text}`), ...more];
      if (resultType !== undefined) members.push(`"resultType":${resultType}`);
      return fc.record({
        resultType: fc.constant(resultType),
        members: fc.shuffledSubarray(members, { minLength: members.length }),
      });
    });
    fc.assert(
      fc.property(result, sizes, fc.constantFrom(20, 100, 1 << 20), ({ resultType, members }, cut, maxHead) => {
        const text = `{"jsonrpc":"2.0","id":1,"result":{${members.join(',')}}}`;
        const made = flow(text, cut, { ...OPTIONS, maxHead });
        const gaveUp = maxHead < 1000 && made.problem?.includes('soon enough') === true;
        if (resultType !== undefined && resultType !== '"complete"') {
          if (!gaveUp) expect(made.problem).toMatch(/"complete"/);
          expect(made.text).not.toContain('SECRET');
        } else if (!gaveUp) expect(made).toEqual({ text: whole(text), problem: undefined });
        // What began to flow, did so behind its type or its body.
        if (made.problem !== undefined && made.text !== '') expect(made.text).toMatch(/"(content|structuredContent)"/);
      }),
      runs(3000),
    );
  });

  it.each([
    ['"isError":true,"content":[]', true],
    ['"content":[{"isError":true}],"isError":false', false],
    ['"content":[],"isError":"true"', false],
    ['"content":[],"isError":false,"isError":true', true],
    ['"content":[]', false],
  ])('knows whether {%s} is an error of a tool', (members, isError) => {
    for (const size of [1, 9, 1000]) {
      const splicer = new ResponseSplicer(OPTIONS);
      const bytes = Buffer.from(`{"jsonrpc":"2.0","id":1,"result":{${members}}}`);
      for (let at = 0; at < bytes.length; at += size) splicer.feed(bytes.subarray(at, at + size));
      expect(splicer.isError).toBe(isError);
    }
  });

  it('adds the cache hints that are missing where the method has them', () => {
    const options = { ...OPTIONS, cache: { ttlMs: 5, cacheScope: 'private' } } as const;
    const result = (body: string): unknown =>
      (JSON.parse(flow(`{"jsonrpc":"2.0","id":1,"result":${body}}`, [3], options).text) as { result: unknown }).result;
    expect(result('{}')).toMatchObject({ ttlMs: 5, cacheScope: 'private' });
    expect(result('{"ttlMs":9,"contents":[],"cacheScope":"public"}')).toMatchObject({ ttlMs: 9, cacheScope: 'public' });
  });

  it('refuses the answer to another request', () => {
    const text = '{"jsonrpc":"2.0","id":7,"result":{}}';
    expect(flow(text, [4], { ...OPTIONS, expectedId: '8' }).problem).toMatch(/another id/);
    expect(flow(text, [4], { ...OPTIONS, expectedId: '7' }).problem).toBeUndefined();
    expect(flow(`{"jsonrpc":"2.0","id":"${'x'.repeat(1000)}","result":{}}`, [4], { ...OPTIONS, expectedId: '8' }).problem).toMatch(/id/);
  });

  it('passes 64 MB without copying them', () => {
    const splicer = new ResponseSplicer({ ...OPTIONS, maxHead: 64 });
    splicer.feed(Buffer.from('{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"'));
    const piece = Buffer.alloc(1 << 16, 'x');
    let flowed = 0;
    for (let i = 0; i < 1024; i++) {
      for (const bytes of splicer.feed(piece)) {
        flowed += bytes.length;
        if (i > 0) expect(bytes.buffer).toBe(piece.buffer);
      }
    }
    splicer.feed(Buffer.from('"}]}}'));
    splicer.end();
    expect(splicer.problem).toBeUndefined();
    expect(flowed).toBeGreaterThanOrEqual(64 * (1 << 20));
  });

  it('keeps every element of a large list apart from our members', () => {
    const items = Array.from({ length: 2000 }, (_, i) => `{"id":${i},"result":{"_meta":null,"resultType":"task"},"error":"\\"${i}"}`);
    const made = flow(`{"result":{"items":[${items.join(',')}]},"jsonrpc":"2.0","id":1}`, [997]);
    expect(made.problem).toBeUndefined();
    const result = memberOf(objectSpan(made.text), 'result');
    const list = memberOf(objectSpan(made.text, result?.start), 'items');
    expect(arrayItems(made.text, list?.start)).toEqual(items);
  });
});
