import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { itemFor, resultFor, toolFor } from './down-results.ts';
import { META, type JsonObject } from './meta.ts';
import { stampResult } from './results.ts';
import { LEGACY_REVISIONS, type LegacyRevision } from './revisions.ts';
import { SchemaCompiler } from './schema.ts';
import { objectSource, runs, textOf } from './test-support.ts';
import { readTools, type ToolDefinition } from './tools.ts';

const [R2024, R2503, R2506, R2511] = LEGACY_REVISIONS;
const down = (text: string, revision: LegacyRevision, method = 'tools/call'): unknown =>
  JSON.parse(resultFor(textOf(text), method, revision));
const block = (text: string, revision: LegacyRevision): unknown =>
  (down(`{"content":[${text}]}`, revision) as { content: unknown[] }).content[0];

describe('resultFor: the era (PROTOCOL A5, C14)', () => {
  it.each(['ping', 'logging/setLevel', 'resources/subscribe', 'resources/unsubscribe'])('%s answers exactly {}', (method) => {
    expect(resultFor(textOf('{"resultType":"complete","_meta":{"a":1},"x":1}'), method, R2511)).toBe('{}');
  });

  it('takes the modern members off, and a _meta that holds nothing else', () => {
    const call = `{"resultType":"complete","content":[],"_meta":{"${META.serverInfo}":{}}}`;
    expect(resultFor(textOf(call), 'tools/call', R2511)).toBe('{"content":[]}');
    const list = `{"tools":[ 1.0 ],"ttlMs":1,"cacheScope":"public","_meta":{"${META.subscriptionId}":1,"k":1.0}}`;
    expect(resultFor(textOf(list), 'tools/list', R2511)).toBe('{"tools":[ 1.0 ],"_meta":{"k":1.0}}');
  });

  it('cache hints mean nothing in the result of a call and stay', () => {
    const text = '{"content":[],"ttlMs":1}';
    expect(resultFor(textOf(text), 'tools/call', R2511)).toBe(text);
  });

  it.each(LEGACY_REVISIONS)('leaves what %s knows as it was, to the byte', (revision) => {
    const text = ' { "content" : [ {"type":"text","n":12345678901234567890} ], "_meta":{"k":1} } ';
    expect(resultFor(textOf(text), 'tools/call', revision)).toBe(text);
  });

  it.each(LEGACY_REVISIONS)('undoes a stamp in %s', (revision) => {
    const stamp = { serverInfo: { name: 'gw', version: '1' }, cache: { ttlMs: 1, cacheScope: 'private' } } as const;
    for (const method of ['tools/list', 'prompts/list', 'resources/list', 'resources/templates/list', 'resources/read'])
      expect(resultFor(textOf(stampResult(textOf('{"x":[]}'), stamp)), method, revision)).toBe('{"x":[]}');
  });
});

const toolOf = (text: string): ToolDefinition => {
  const reading = readTools(textOf(`{"tools":[${text}]}`))[0];
  if (reading?.ok !== true) throw new Error(JSON.stringify(reading));
  return reading.tool;
};

const toolWith = (schema: string): ToolDefinition => toolOf(`{"name":"a","inputSchema":{"type":"object"},"outputSchema":${schema}}`);

describe('resultFor: structured content (PROTOCOL C14)', () => {
  it.each(['[1]', '"x"', '5', 'true', '{"a":1}'])('what a revision lacks becomes text if no text stands beside it: %s', (value) => {
    const text = `{"content":[],"structuredContent":${value}}`;
    const expected = { content: [{ type: 'text', text: value }] };
    expect(down(text, R2503)).toEqual(expected);
    expect(down(`{"structuredContent":${value}}`, R2503)).toEqual(expected);
    const wrapped = { ...expected, structuredContent: { result: JSON.parse(value) as unknown } };
    for (const revision of [R2506, R2511])
      if (value !== '{"a":1}') expect(down(text, revision)).toEqual(wrapped);
      else expect(resultFor(textOf(text), 'tools/call', revision)).toBe(text);
  });

  it('is wrapped to the digit beside a text, and left out where it is null', () => {
    const text = '{"content":[{"type":"text","text":"1"}],"structuredContent":[ 12345678901234567890, 1.0 ]}';
    expect(resultFor(textOf(text), 'tools/call', R2511)).toBe(
      '{"content":[{"type":"text","text":"1"}],"structuredContent":{"result":[ 12345678901234567890, 1.0 ]}}',
    );
    expect(down('{"content":[],"structuredContent":null}', R2511)).toEqual({ content: [] });
  });

  it('joins blocks that were changed or stay', () => {
    const image = '{"type":"image","data":"","mimeType":"image/png"}';
    expect(resultFor(textOf(`{"content":[ ${image} ],"structuredContent":[12345678901234567890]}`), 'tools/call', R2511)).toBe(
      `{"content":[ ${image},{"type":"text","text":"[12345678901234567890]"}],"structuredContent":{"result":[12345678901234567890]}}`,
    );
    expect(down('{"content":[{"type":"audio","data":"AAAA","mimeType":"audio/wav"}],"structuredContent":7}', R2024)).toEqual({
      content: [
        { type: 'text', text: '[Audio audio/wav, 3 bytes: not part of this protocol revision.]' },
        { type: 'text', text: '7' },
      ],
    });
  });

  it.each([
    ['no schema', undefined, '[1]', { result: [1] }],
    ['a list', '{"type":"array"}', '[1]', { result: [1] }],
    ['an object under a schema that is wrapped', '{"anyOf":[{"type":"object"},{"type":"array"}]}', '{"a":1}', { result: { a: 1 } }],
    ['null under a schema that has it', '{"type":["object","null"]}', 'null', { result: null }],
    ['an object under its schema', '{"type":"object"}', '{"a":1}', { a: 1 }],
    ['a list that its schema does not have (an error)', '{"type":"object"}', '[1]', undefined],
    ['a schema that cannot be moved', '{"type":"array","items":{"$recursiveRef":"#"}}', '[1]', undefined],
    ['a schema that cannot be moved, and an object', '{"items":{"$recursiveRef":"#"}}', '{"a":1}', undefined],
  ])('goes together with the schema of its tool: %s', (_name, schema, value, expected) => {
    const json = textOf(`{"content":[{"type":"text","text":"t"}],"structuredContent":${value}}`);
    const tool = schema === undefined ? undefined : toolWith(schema);
    for (const revision of [R2506, R2511])
      expect(JSON.parse(resultFor(json, 'tools/call', revision, tool))).toEqual({
        content: [{ type: 'text', text: 't' }],
        ...(expected === undefined ? {} : { structuredContent: expected }),
      });
  });
});

describe('resultFor: content blocks (PROTOCOL C14)', () => {
  const audio = '{"type":"audio","data":"AAAAAA==","mimeType":"audio/wav"}';
  const link =
    '{"type":"resource_link","uri":"file:///a","name":"n","title":"T","description":"D","mimeType":"text/plain","icons":[],"size":7}';

  it('audio is a note before 2025-03-26', () => {
    expect(block(audio, R2024)).toEqual({ type: 'text', text: '[Audio audio/wav, 4 bytes: not part of this protocol revision.]' });
    for (const revision of [R2503, R2506, R2511]) expect(block(audio, revision)).toEqual(JSON.parse(audio));
  });

  it('a resource link is a line with its URI before 2025-06-18, and has no icons before 2025-11-25', () => {
    for (const revision of [R2024, R2503])
      expect(block(link, revision)).toEqual({ type: 'text', text: '[Resource link] T <file:///a> (text/plain): D' });
    expect(block(link, R2506)).toEqual({ ...(JSON.parse(link) as object), icons: undefined });
    expect(block(link, R2511)).toEqual(JSON.parse(link));
    expect(block('{"type":"resource_link"}', R2024)).toEqual({ type: 'text', text: '[Resource link] <>' });
  });

  it('_meta and lastModified are unknown before 2025-06-18', () => {
    const text = '{"type":"text","text":"t","_meta":{"a":1},"annotations":{"priority":1.0,"lastModified":"x"}}';
    expect(resultFor(textOf(`{"content":[${text}]}`), 'tools/call', R2503)).toBe(
      '{"content":[{"type":"text","text":"t","annotations":{"priority":1.0}}]}',
    );
    expect(block('{"type":"text","text":"t","annotations":{"lastModified":"x"}}', R2024)).toEqual({ type: 'text', text: 't' });
    expect(block(text, R2506)).toEqual(JSON.parse(text));
    const embedded = '{"type":"resource","resource":{"uri":"u","text":"t","_meta":{}}}';
    expect(block(embedded, R2024)).toEqual({ type: 'resource', resource: { uri: 'u', text: 't' } });
    expect(block(embedded, R2506)).toEqual(JSON.parse(embedded));
  });

  it('holds for the messages of a prompt too', () => {
    const prompt = `{"messages":[{"role":"user","content":${audio},"n":1.0},{"role":"user"},7]}`;
    expect(down(prompt, R2024, 'prompts/get')).toEqual({
      messages: [{ role: 'user', content: block(audio, R2024), n: 1 }, { role: 'user' }, 7],
    });
    expect(resultFor(textOf(prompt), 'prompts/get', R2503)).toBe(prompt);
  });

  it('holds for the contents of a resource: _meta from 2025-06-18', () => {
    const text = '{"contents":[{"uri":"u","text":"t","_meta":{"a":1}},null]}';
    expect(resultFor(textOf(text), 'resources/read', R2503)).toBe('{"contents":[{"uri":"u","text":"t"},null]}');
    expect(resultFor(textOf(text), 'resources/read', R2506)).toBe(text);
  });

  it('never throws, whatever a server sends, and gives valid JSON', () => {
    const methods = ['tools/call', 'prompts/get', 'resources/read', 'tools/list', 'completion/complete'];
    const wild = fc
      .tuple(
        fc.constantFrom('content', 'messages', 'contents', 'structuredContent', '_meta'),
        fc.array(fc.oneof(objectSource(), fc.constantFrom(audio, link, 'null', '[]', '{"type":"resource","resource":[]}'))),
      )
      .map(([name, items]) => `{"${name}":[${items.join(',')}],"resultType":null}`);
    fc.assert(
      fc.property(
        fc.oneof(objectSource(), wild),
        fc.constantFrom(...methods),
        fc.constantFrom(...LEGACY_REVISIONS),
        (text, method, revision) => {
          const made = resultFor(textOf(text), method, revision);
          const parsed = JSON.parse(made) as Record<string, unknown>;
          expect(parsed.resultType).toBeUndefined();
          expect(resultFor(textOf(made), method, revision)).toBe(made);
        },
      ),
      runs(400),
    );
  });
});

describe('definitions (PROTOCOL C14)', () => {
  const TOOL =
    '{"name":"a","title":"T","icons":[],"description":"d","inputSchema":{"type":"object","title":"stays","n":1.0},"outputSchema":{"type":"object"},"annotations":{"title":"t"},"execution":{"taskSupport":"optional"},"_meta":{"k":1}}';
  const members = (text: string): string[] => Object.keys(JSON.parse(text) as object);

  it.each<[LegacyRevision, string[]]>([
    [R2024, ['name', 'description', 'inputSchema']],
    [R2503, ['name', 'description', 'inputSchema', 'annotations']],
    [R2506, ['name', 'title', 'description', 'inputSchema', 'outputSchema', 'annotations', '_meta']],
    [R2511, ['name', 'title', 'icons', 'description', 'inputSchema', 'outputSchema', 'annotations', '_meta']],
  ])('a tool of %s has what that revision knows', (revision, expected) => {
    const made = toolFor(toolOf(TOOL), TOOL.replace('"a"', '"srv__a"'), revision);
    expect(members(made)).toEqual(expected);
    expect(made).toContain('"srv__a"');
    expect(made).toContain('"inputSchema":{"type":"object","title":"stays","n":1.0}');
  });

  const outputSchema = (schema: string, revision: LegacyRevision = R2511): unknown => {
    const tool = toolWith(schema);
    return (JSON.parse(toolFor(tool, tool.text, revision)) as Record<string, unknown>).outputSchema;
  };
  const inResult = (schema: unknown): unknown => ({ type: 'object', properties: { result: schema }, required: ['result'] });

  it.each(['{"type":"array"}', '{}', '{"type":["object","null"]}', '{"anyOf":[{"type":"object"}]}'])(
    'an outputSchema %s is wrapped',
    (schema) => {
      for (const revision of [R2506, R2511]) expect(outputSchema(schema, revision)).toEqual(inResult(JSON.parse(schema)));
      expect(outputSchema(schema, R2503)).toBeUndefined();
      expect(outputSchema('{"type":"object"}')).toEqual({ type: 'object' });
    },
  );

  it('a wrapped schema keeps its text, and its dialect stands in front', () => {
    const tool = toolWith('{ "type":"array", "maxItems":1.0 }');
    expect(toolFor(tool, tool.text, R2511)).toContain('"properties":{"result":{ "type":"array", "maxItems":1.0 }}');
    const $schema = 'http://json-schema.org/draft-07/schema#';
    expect(outputSchema(`{"$schema":"${$schema}","type":"array"}`)).toEqual({ $schema, ...(inResult({ type: 'array' }) as object) });
  });

  it('references into the root of a schema go where the root went', () => {
    const schema = {
      type: 'array',
      items: { $ref: '#/$defs/node' },
      $defs: {
        node: { properties: { children: { $ref: '#' }, $ref: { $ref: '#/$defs/name' }, default: { $ref: '#/$defs/name' } } },
        name: { type: 'string', $anchor: 'name', default: { $ref: '#/x' } },
        byName: { $ref: '#name' },
        own: { $id: 'https://own.example/s', $defs: { a: {} }, $ref: '#/$defs/a' },
        far: { $ref: 'https://own.example/s#/$defs/a' },
        dynamic: { $dynamicRef: '#/$defs/name' },
      },
    };
    const name = { $ref: '#/properties/result/$defs/name' };
    expect(outputSchema(JSON.stringify(schema))).toEqual(
      inResult({
        ...schema,
        items: { $ref: '#/properties/result/$defs/node' },
        $defs: {
          ...schema.$defs,
          node: { properties: { children: { $ref: '#/properties/result' }, $ref: name, default: name } },
          dynamic: { $dynamicRef: '#/properties/result/$defs/name' },
        },
      }),
    );
    const own = '{"$id":"https://own.example/s","type":"array","items":{"$ref":"#/$defs/a"},"$defs":{"a":{"type":"number"}}}';
    expect(outputSchema(own)).toEqual(inResult(JSON.parse(own)));
    expect(outputSchema('{"type":"array","items":{"$recursiveRef":"#"}}')).toBeUndefined();
  });

  it.each([
    '{"type":"array","items":{"$ref":"#/$defs/tree"},"$defs":{"tree":{"type":"object","properties":{"n":{"$ref":"#/$defs/n"},"all":{"type":"array","items":{"$ref":"#/$defs/tree"}}}},"n":{"type":"integer"}}}',
    '{"$id":"https://own.example/s","type":"array","items":{"$ref":"#/$defs/tree"},"$defs":{"tree":{"properties":{"n":{"type":"integer"},"all":{"$ref":"#"}}}}}',
    '{"$schema":"http://json-schema.org/draft-07/schema#","type":"array","items":{"$ref":"#/definitions/t"},"definitions":{"t":{"properties":{"n":{"type":"integer"},"all":{"type":"array","items":{"$ref":"#/definitions/t"}}}}}}',
  ])('a value fits the wrapped schema as it fitted the schema: %s', (schema) => {
    const natural = new SchemaCompiler().compile(JSON.parse(schema) as JsonObject);
    const wrapped = new SchemaCompiler().compile(outputSchema(schema) as JsonObject);
    if (!natural.ok || !wrapped.ok) throw new Error(JSON.stringify([natural, wrapped]));
    for (const value of [[], [{ n: 1 }], [{ n: 'x' }], [{ all: [{ n: 1 }] }], [{ all: [{ n: 'x' }] }], [{ all: {} }], 7, {}])
      expect(wrapped.validate({ result: value }) === undefined, JSON.stringify(value)).toBe(natural.validate(value) === undefined);
    expect(wrapped.validate({})).toBeDefined();
  });

  it('a tool that fits stays to the byte', () => {
    const text = '{ "name":"a" , "inputSchema":{"type":"object"}, "x-own":1.0 }';
    for (const revision of LEGACY_REVISIONS) expect(toolFor(toolOf(text), text, revision)).toBe(text);
  });

  it.each<[LegacyRevision, string]>([
    [R2024, '{"name":"p","size":1.0,"arguments":[{"name":"x"}, 7]}'],
    [R2503, '{"name":"p","size":1.0,"arguments":[{"name":"x"}, 7]}'],
    [
      R2506,
      '{"name":"p","title":"T","size":1.0,"arguments":[{"name":"x","title":"X"}, 7],"annotations":{"lastModified":"x"},"_meta":{"a":1}}',
    ],
  ])('an item of %s has what that revision knows', (revision, expected) => {
    const text =
      '{"name":"p","title":"T","icons":[],"size":1.0,"arguments":[{"name":"x","title":"X"}, 7],"annotations":{"lastModified":"x"},"_meta":{"a":1}}';
    expect(JSON.parse(itemFor(textOf(text), revision))).toEqual(JSON.parse(expected));
    expect(itemFor(textOf(text), revision)).toContain('"size":1.0');
    expect(itemFor(textOf(text), R2511)).toBe(text);
  });

  it('items of any form do not throw', () => {
    fc.assert(
      fc.property(objectSource(), fc.constantFrom(...LEGACY_REVISIONS), (text, revision) => {
        expect(itemFor(textOf(text), revision)).toBeTypeOf('string');
      }),
      runs(200),
    );
  });
});
