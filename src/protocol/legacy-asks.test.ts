import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inputRequestText } from './asks.ts';
import { legacyAsk, legacyOffers } from './legacy-asks.ts';
import { META, type JsonObject } from './meta.ts';
import { LEGACY_REVISIONS, type LegacyRevision } from './revisions.ts';
import type { Ask, AskMethod } from './target.ts';
import { objectSource, runs, textOf } from './test-support.ts';

const [R2024, R2503, R2506, R2511] = LEGACY_REVISIONS;
const ask = (method: AskMethod, params?: string): Ask => ({ method, params: params === undefined ? undefined : textOf(params) });
const down = (method: AskMethod, params: string, revision: LegacyRevision): unknown => {
  const made = legacyAsk(ask(method, params), revision, () => 'minted');
  if (made?.params !== undefined) expect(JSON.parse(made.params.text)).toEqual(made.params.value);
  return made && made.params?.value;
};

describe('legacyOffers (PROTOCOL A2)', () => {
  it.each<[LegacyRevision, JsonObject, JsonObject]>([
    [R2024, { elicitation: {}, sampling: { tools: {}, context: {} }, roots: { listChanged: true } }, { sampling: {}, roots: {} }],
    [R2503, { elicitation: { form: {}, url: {} } }, {}],
    [R2506, { elicitation: { form: {}, url: {} }, sampling: { tools: {} } }, { elicitation: {}, sampling: {} }],
    [R2506, { elicitation: { url: {} } }, {}],
    [R2506, { elicitation: { applyDefaults: true } }, { elicitation: {} }],
    [R2511, { elicitation: {} }, { elicitation: {} }],
    [R2511, { elicitation: { form: { x: 1 } } }, { elicitation: {} }],
    [R2511, { elicitation: { form: {}, url: {} } }, { elicitation: { form: {}, url: {} } }],
    [R2511, { elicitation: { url: {} } }, { elicitation: { url: {} } }],
    [R2511, { sampling: { tools: {}, context: {}, other: {} } }, { sampling: { tools: {}, context: {} } }],
    [R2511, { extensions: { a: {} }, tasks: {}, experimental: { x: {} } }, {}],
    [R2511, { elicitation: null, sampling: [], roots: true }, {}],
  ])('%s: of %j it offers %j', (revision, offers, expected) => {
    expect(legacyOffers(offers, revision)).toEqual(expected);
  });
});

describe('legacyAsk: elicitation (PROTOCOL C14)', () => {
  const url = '{"mode":"url","message":"m","url":"https://a.example/"}';
  const form = (properties: string, required = '[]'): string =>
    `{"mode":"form","message":"m","requestedSchema":{"$schema":"x","type":"object","properties":${properties},"required":${required}}}`;
  const field = (text: string, revision: LegacyRevision, required = '[]'): unknown => {
    const made = down('elicitation/create', form(`{"f":${text}}`, required), revision) as
      { requestedSchema: { properties: { f?: unknown } } } | undefined;
    return made === undefined ? 'none' : made.requestedSchema.properties.f;
  };

  it('does not exist before 2025-06-18', () => {
    for (const revision of [R2024, R2503])
      for (const params of [url, form('{}')]) expect(legacyAsk(ask('elicitation/create', params), revision, () => 'x')).toBeUndefined();
    expect(legacyAsk(ask('elicitation/create'), R2511, () => 'x')).toBeUndefined();
  });

  it('a URL gets an id from 2025-11-25 on, and has no words before', () => {
    expect(down('elicitation/create', url, R2506)).toBeUndefined();
    expect(down('elicitation/create', url, R2511)).toEqual({ ...(JSON.parse(url) as object), elicitationId: 'minted' });
    expect(down('elicitation/create', url.replace('}', ',"elicitationId":"own"}'), R2511)).toMatchObject({ elicitationId: 'own' });
  });

  it('a form stays as it is in 2025-11-25', () => {
    const text = form('{"a":{"type":"array","items":{"enum":["x"]}}, "b":{"default": 1.0}}', '["a"]');
    expect(legacyAsk(ask('elicitation/create', text), R2511, () => 'x')?.params?.text).toBe(text);
  });

  it('in 2025-06-18 a form has neither mode nor $schema', () => {
    expect(down('elicitation/create', form('{}'), R2506)).toEqual({
      message: 'm',
      requestedSchema: { type: 'object', properties: {}, required: [] },
    });
  });

  it.each([
    ['{"type":"string","format":"email","minLength":1.0}', '{"type":"string","format":"email","minLength":1.0}'],
    ['{"type":"string","default":"x"}', '{"type":"string"}'],
    ['{"type":"integer","default":1,"minimum":0}', '{"type":"integer","minimum":0}'],
    ['{"type":"boolean","default":true}', '{"type":"boolean","default":true}'],
    ['{"type":"string","enum":["a"],"default":"a"}', '{"type":"string","enum":["a"]}'],
    [
      '{"type":"string","title":"T","oneOf":[{"const":"a","title":"A"},{"const":"b"}],"default":"a"}',
      '{"type":"string","title":"T","enum":["a","b"],"enumNames":["A","b"]}',
    ],
    ['{"type":"string","oneOf":[{"const":7}]}', '{"type":"string","oneOf":[{"const":7}]}'],
    ['7', '7'],
  ])('in 2025-06-18 the field %s is %s', (text, expected) => {
    expect(field(text, R2506, '["f"]')).toEqual(JSON.parse(expected));
  });

  it('in 2025-06-18 a multi-select field is left out, and the form has no words if it is required', () => {
    const multi = '{"type":"array","items":{"type":"string","enum":["a"]}}';
    expect(field(multi, R2506)).toBeUndefined();
    expect(field(multi, R2506, '["f"]')).toBe('none');
    expect(field(multi, R2511, '["f"]')).toEqual(JSON.parse(multi));
  });
});

describe('legacyAsk: sampling (PROTOCOL C14)', () => {
  const params = (messages: string, more = ''): string => `{"messages":${messages},"maxTokens":5${more}}`;
  const messages = (text: string, revision: LegacyRevision): unknown =>
    (down('sampling/createMessage', params(text), revision) as { messages: unknown }).messages;
  const text = (value: string): JsonObject => ({ type: 'text', text: value });

  it('tools have words from 2025-11-25 on', () => {
    const tools = ',"tools":[{"name":"t","inputSchema":{},"outputSchema":{"type":"array"}}],"toolChoice":{}';
    expect(down('sampling/createMessage', params('[]', tools), R2506)).toBeUndefined();
    expect(down('sampling/createMessage', params('[]', tools), R2511)).toMatchObject({ tools: [{ name: 't', inputSchema: {} }] });
    expect(JSON.stringify(down('sampling/createMessage', params('[]', tools), R2511))).not.toContain('outputSchema');
    expect(down('sampling/createMessage', params('[]', ',"tools":[],"toolChoice":{}'), R2506)).toEqual({ messages: [], maxTokens: 5 });
  });

  it('a list of blocks becomes one message each before 2025-11-25', () => {
    const list =
      '[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}],"_meta":{}},{"role":"user","content":[]}]';
    expect(messages(list, R2506)).toEqual([
      { role: 'user', content: text('a') },
      { role: 'user', content: text('b') },
    ]);
    expect(messages(list, R2511)).toEqual(JSON.parse(list));
  });

  it('tools that were used are told as text before 2025-11-25', () => {
    const list =
      '[{"role":"assistant","content":{"type":"tool_use","id":"1","name":"t","input":{"n":12345678901234567890}}},{"role":"user","content":{"type":"tool_result","toolUseId":"1","content":[{"type":"text","text":"r"}]}}]';
    expect(messages(list, R2503)).toEqual([
      { role: 'assistant', content: text('[Call of the tool t: {"n":12345678901234567890}]') },
      { role: 'user', content: text('[Result of a tool: [{"type":"text","text":"r"}]]') },
    ]);
    expect(messages(list, R2511)).toEqual(JSON.parse(list));
  });

  it('audio is a note before 2025-03-26', () => {
    const list = '[{"role":"user","content":{"type":"audio","data":"AAAA","mimeType":"audio/wav"}},7,{"role":"user"}]';
    expect(messages(list, R2024)).toMatchObject([{ content: { type: 'text' } }, 7, { role: 'user' }]);
    expect(messages(list, R2503)).toEqual(JSON.parse(list));
  });

  it('a tool_result has structured content only as an object', () => {
    const list = (value: string): string =>
      `[{"role":"user","content":[{"type":"tool_result","toolUseId":"1","content":[],"structuredContent":${value}}]}]`;
    expect(JSON.stringify(messages(list('[1]'), R2511))).not.toContain('structuredContent');
    expect(messages(list('{"a":1}'), R2511)).toEqual(JSON.parse(list('{"a":1}')));
  });
});

describe('legacyAsk: any', () => {
  it('modern keys of _meta go, others stay', () => {
    expect(down('roots/list', `{"_meta":{"${META.logLevel}":"debug","k":1}}`, R2024)).toEqual({ _meta: { k: 1 } });
    expect(down('roots/list', `{"_meta":{"${META.protocolVersion}":"x"}}`, R2511)).toEqual({});
    expect(legacyAsk(ask('roots/list'), R2024, () => 'x')).toEqual(ask('roots/list'));
  });

  it('nothing of the request of another legacy server reaches the client', () => {
    const own =
      '{"message":"m","requestedSchema":{},"task":{"ttl":1},"_meta":{"progressToken":7,"io.modelcontextprotocol/related-task":{}}}';
    expect(down('elicitation/create', own, R2511)).toEqual({ message: 'm', requestedSchema: {} });
  });

  it('very many fields and blocks are no burden', () => {
    const fields = Array.from({ length: 50_000 }, (_, i) => `"f${i}":{"type":"string","default":""}`).join(',');
    const form = down('elicitation/create', `{"message":"m","requestedSchema":{"properties":{${fields}}}}`, R2506);
    expect(Object.keys((form as { requestedSchema: { properties: object } }).requestedSchema.properties)).toHaveLength(50_000);
    const blocks = Array.from({ length: 50_000 }, () => '{"type":"text","text":"x"}').join(',');
    const sample = `{"messages":[{"role":"user","content":[${blocks}],"x":"${'x'.repeat(100_000)}"}],"maxTokens":1}`;
    expect((down('sampling/createMessage', sample, R2506) as { messages: unknown[] }).messages).toHaveLength(50_000);
  });

  it('never throws, and an ask that is there goes back into modern words', () => {
    const methods = fc.constantFrom<AskMethod>('elicitation/create', 'sampling/createMessage', 'roots/list');
    const wild = fc
      .tuple(objectSource(), fc.constantFrom('messages', 'requestedSchema', 'properties', 'tools', 'mode'), objectSource())
      .map(([a, name, b]) => `{"requestedSchema":{"properties":${a},"required":[""]},"x":${a},"${name}":[${b},{"content":[${a}]}]}`);
    fc.assert(
      fc.property(methods, fc.oneof(objectSource(), wild), fc.constantFrom(...LEGACY_REVISIONS), (method, params, revision) => {
        const made = legacyAsk(ask(method, params), revision, () => 'x');
        if (made !== undefined) expect(JSON.parse(inputRequestText(made))).toMatchObject({ method });
      }),
      runs(300),
    );
  });
});
