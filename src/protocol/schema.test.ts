import { describe, expect, it } from 'vitest';
import type { JsonObject } from './meta.ts';
import { describeViolations, preparer, SCHEMA_BOUNDS, SchemaCompiler, type Validator } from './schema.ts';

const compile = (schema: JsonObject): Validator => new SchemaCompiler().compile(schema);

function check(schema: JsonObject, value: unknown, compiler = new SchemaCompiler()) {
  const validator = compiler.compile(schema);
  if (!validator.ok) throw new Error(validator.reason);
  return validator.validate(value);
}

const NO = [expect.objectContaining({ path: expect.any(String) as string })];
const refused = (text: string) => ({ ok: false, reason: expect.stringContaining(text) as string });

describe('dialects (S26 basic, "Schema Dialect")', () => {
  const prefix = { type: 'array', prefixItems: [{ type: 'string' }] };
  const tuple = { type: 'array', items: [{ type: 'string' }] };

  it('without $schema it is 2020-12', () => {
    verifies('basic-dialect');
    expect(check(prefix, [1])).toEqual(NO);
  });

  it.each(['https://json-schema.org/draft/2020-12/schema', 'https://json-schema.org/draft/2020-12/schema#'])('%s', ($schema) => {
    expect(check({ $schema, ...prefix }, [1])).toEqual(NO);
  });

  it.each([
    'http://json-schema.org/draft-07/schema#',
    'http://json-schema.org/draft-07/schema',
    'https://json-schema.org/draft-07/schema#',
  ])('%s', ($schema) => {
    expect(check({ $schema, ...tuple }, [1])).toEqual(NO);
    expect(check({ $schema, ...prefix }, [1])).toBeUndefined();
  });

  it.each([
    'http://json-schema.org/draft-04/schema#',
    'https://json-schema.org/draft/2019-09/schema',
    '',
    'constructor',
    '__proto__',
    7,
    null,
    {},
  ])('another is not supported, and that is said: %j', ($schema) => {
    verifies('basic-dialect-own');
    expect(compile({ $schema })).toEqual(refused('not supported'));
  });
});

describe('references (S26 basic, "$ref Resolution")', () => {
  it('leads to the schema itself, with a name and without, and each schema has anchors of its own', () => {
    const compiler = new SchemaCompiler();
    for (const kind of ['string', 'number', 'boolean'])
      for (const more of [{}, { $id: `https://example.com/${kind}` }]) {
        const anchored = { $anchor: 'leaf', type: kind };
        const tree = { ...more, type: 'object', $defs: { anchored }, properties: { child: { $ref: '#' }, leaf: { $ref: '#leaf' } } };
        const compiled = compiler.compile({ ...tree, additionalProperties: false });
        if (!compiled.ok) throw new Error(compiled.reason);
        const leaf = { string: 's', number: 1, boolean: true }[kind];
        expect(compiled.validate({ child: { child: { leaf } } })).toBeUndefined();
        expect(compiled.validate({ child: { child: { leaf: null, other: [] } } })).toMatchObject([{ path: '/child/child' }]);
        expect(compiled.validate({ child: { leaf: [] } })).toMatchObject([{ path: '/child/leaf' }]);
      }
  });

  it.each(['https://example.com/schema.json', 'http://127.0.0.1:1/x', 'other.json', '#/$defs/none', '#none', 'file:///etc/passwd'])(
    '%s is not resolved',
    ($ref) => {
      verifies('basic-ref', 'basic-ref-off');
      expect(compile({ type: 'object', properties: { a: { $ref } } })).toEqual(refused("can't resolve reference"));
    },
  );

  it.each(['constructor', '__proto__', 'toString', '#/constructor', '#/__proto__', '#/$defs/toString', '#/toString/name'])(
    'nor is %s, which every object inherits',
    ($ref) => {
      expect(compile({ type: 'object', $defs: {}, properties: { a: { $ref } } })).toEqual(refused("can't resolve reference"));
    },
  );

  it('local ones are, by pointer, by anchor, by name and by the schema’s own $id', () => {
    const $defs = { text: { type: 'string' }, constructor: { type: 'string' }, named: { $anchor: 'named', type: 'string' } };
    for (const $ref of ['#/$defs/text', '#named', '#/$defs/constructor', 'https://example.com/a#/$defs/text'])
      expect(check({ $id: 'https://example.com/a', $defs, properties: { a: { $ref } } }, { a: 1 })).toMatchObject([{ path: '/a' }]);
  });

  it('two tools with the same $id do not meet', () => {
    const compiler = new SchemaCompiler();
    const schema = (type: string): JsonObject => ({
      $id: 'https://example.com/tool',
      $defs: { v: { $id: 'https://example.com/v', type } },
      properties: { a: { $ref: 'https://example.com/v' }, b: { $ref: 'https://example.com/tool#/$defs/v' } },
    });
    const [first, second] = [compiler.compile(schema('string')), compiler.compile(schema('number'))];
    if (!first.ok || !second.ok) throw new Error('not compiled');
    expect([first.validate({ a: 'x', b: 'x' }), first.validate({ a: 1 }), first.validate({ b: 1 })]).toEqual([undefined, NO, NO]);
    expect([second.validate({ a: 1, b: 1 }), second.validate({ a: 'x' }), second.validate({ b: 'x' })]).toEqual([undefined, NO, NO]);
    expect(compiler.compile({ properties: { a: { $ref: 'https://example.com/tool' } } })).toEqual(refused("can't resolve"));
  });
});

describe('bounds (S26 basic, "Composition-Keyword Resource Use")', () => {
  const nested = (levels: number): JsonObject => (levels === 0 ? { type: 'string' } : { not: nested(levels - 1) });

  it('depth, parts and bytes', () => {
    expect(compile(nested(SCHEMA_BOUNDS.depth))).toMatchObject({ ok: true });
    expect(compile(nested(SCHEMA_BOUNDS.depth + 1))).toEqual(refused('nested deeper'));
    expect(compile({ anyOf: Array.from({ length: SCHEMA_BOUNDS.nodes }, () => ({})) })).toEqual(refused('parts'));
    expect(compile({ description: 'x'.repeat(SCHEMA_BOUNDS.bytes) })).toEqual(refused('larger'));
  });

  it('a schema that doubles at each reference ends', () => {
    const $defs: Record<string, JsonObject> = { a0: { type: 'object' } };
    for (let i = 1; i < 60; i++) $defs[`a${i}`] = { allOf: [{ $ref: `#/$defs/a${i - 1}` }, { $ref: `#/$defs/a${i - 1}` }] };
    expect(check({ $defs, $ref: '#/$defs/a59' }, {})).toMatchObject([{ message: expect.stringContaining('too many steps') as string }]);
    expect(check({ $defs, $ref: '#/$defs/a3' }, {})).toBeUndefined();
  });

  it.each(['https://json-schema.org/draft/2020-12/schema', 'http://json-schema.org/draft-07/schema#'])(
    'one that doubles at each level of the value ends: %s',
    ($schema) => {
      const node = { properties: { c: { $ref: '#/$defs/n' } } };
      let value = {};
      for (let i = 0; i < 100; i++) value = { c: value };
      expect(check({ $schema, $defs: { n: { oneOf: [node, node] } }, allOf: [{ $ref: '#/$defs/n' }] }, value)).toEqual(NO);
    },
  );

  it('one whose loops multiply ends', () => {
    const schema = { items: { anyOf: Array.from({ length: 1000 }, (_, i) => ({ const: i })) } };
    expect(
      check(
        schema,
        Array.from({ length: 100_000 }, () => 999),
      ),
    ).toEqual(NO);
    expect(
      check(
        schema,
        Array.from({ length: 100 }, () => 999),
      ),
    ).toBeUndefined();
  });

  it('one that refers to itself in place ends', () => {
    const $defs = { a: { anyOf: [{ $ref: '#/$defs/b' }] }, b: { anyOf: [{ $ref: '#/$defs/a' }] } };
    expect(check({ $defs, allOf: [{ $ref: '#/$defs/a' }] }, {})).toEqual(NO);
  });

  it('a large definition with many uses is not copied into each', () => {
    const properties = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`p${i}`, { type: 'string' }]));
    const uses = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`r${i}`, { $ref: '#/$defs/big' }]));
    expect(check({ $defs: { big: { properties } }, properties: uses }, { r7: { p3: 1 } })).toMatchObject([{ path: '/r7/p3' }]);
  });

  it('a deep value against a recursive schema does not overflow', () => {
    let value: unknown = 0;
    for (let i = 0; i < 200_000; i++) value = [value];
    expect(() =>
      check({ $defs: { t: { anyOf: [{ type: 'number' }, { type: 'array', items: { $ref: '#/$defs/t' } }] } }, $ref: '#/$defs/t' }, value),
    ).not.toThrow();
  });

  it('uniqueItems is linear, and exact', () => {
    expect(
      check(
        { uniqueItems: true },
        Array.from({ length: 100_000 }, (_, i) => ({ i })),
      ),
    ).toBeUndefined();
    const unique = (items: unknown[]) => check({ uniqueItems: true }, items) === undefined;
    expect(unique([1, '1', true, 'true', null, 'null', [], {}, [1], { a: 1 }])).toBe(true);
    expect(
      [
        [1, 1],
        [0, -0],
        [
          { a: 1, b: [2] },
          { b: [2], a: 1 },
        ],
        [null, null],
        ['a', 'a'],
      ].map(unique),
    ).toEqual([false, false, false, false, false]);
    expect(
      unique([
        [1, 2],
        [2, 1],
      ]),
    ).toBe(true);
    expect(check({ uniqueItems: false }, [1, 1])).toBeUndefined();
  });
});

describe('untrusted keywords', () => {
  it('$async, which would make every check pass, means nothing', () => {
    expect(check({ $async: true, type: 'object', required: ['x'] }, {})).toEqual(NO);
    expect(check({ $async: true, type: 'object', required: ['x'] }, { x: 1 })).toBeUndefined();
    const inner = compile({ properties: { a: { $ref: '#/$defs/a' } }, $defs: { a: { $async: true, type: 'string' } } });
    expect(inner.ok && inner.validate({ a: 1 }) === undefined).toBe(false);
  });

  it('members that objects inherit are not given', () => {
    expect(check({ required: ['toString'] }, {})).toEqual(NO);
    expect(check({ properties: { constructor: { type: 'string' }, valueOf: { type: 'string' } } }, {})).toBeUndefined();
    expect(check({ properties: { constructor: { type: 'string' } } }, { constructor: 1 })).toMatchObject([{ path: '/constructor' }]);
  });

  it.each([{ type: 'nonsense' }, { required: 'x' }, { properties: 7 }, { minimum: 'a' }, { enum: [] }, { pattern: 7 }, { id: 'draft-04' }])(
    'an invalid schema is no validator: %j',
    (schema) => {
      verifies('basic-schema-valid');
      expect(compile(schema)).toMatchObject({ ok: false });
    },
  );

  it('unknown keywords and formats are ignored, known formats are not', () => {
    expect(check({ 'x-mcp-header': 'A', format: 'ticker', widget: {} }, 'x')).toBeUndefined();
    expect(check({ format: 'date' }, '2026-02-30')).toEqual(NO);
    expect(check({ format: 'date-time' }, '2026-02-28T10:00:00Z')).toBeUndefined();
    expect(check({ format: 'email' }, 'nobody')).toEqual(NO);
    expect(check({ format: 'url' }, `http://${':'.repeat(100_000)}`)).toEqual(NO);
    expect(check({ format: 'url' }, 'https://example.com/a?b=c')).toBeUndefined();
  });
});

describe('patterns', () => {
  it('each one counts by itself', () => {
    const compiler = new SchemaCompiler();
    const schema = {
      properties: { a: { pattern: '^a+$' }, b: { pattern: '^b+$' } },
      patternProperties: { '^x': { type: 'number' }, '^y': { type: 'string' } },
    };
    expect(check(schema, { a: 'aa', b: 'bb', x: 1, y: '' }, compiler)).toBeUndefined();
    for (const bad of [{ a: 'b' }, { b: 'a' }, { x: '' }, { y: 1 }]) expect(check(schema, bad, compiler)).toEqual(NO);
    expect(check({ pattern: '^c$' }, 'c', compiler)).toBeUndefined();
    expect(check({ pattern: '^c$' }, 'a', compiler)).toEqual(NO);
  });

  it.each(['(a*)*b', '(a|aa)+$', '^(a+)+$', '(.*a){12}b', '([a-z]+)*!'])('%s is linear', (pattern) => {
    expect(check({ pattern }, `${'a'.repeat(20_000)}?`)).toEqual(NO);
  });

  it.each(['(?=x)y', '(?!x)', '(?<=a)b', '(a)\\1', '[', 'a{1000}{1000}', '((a{100}){100}){100}'])(
    '%s is not supported, and that is a reason',
    (pattern) => {
      expect(compile({ pattern })).toMatchObject({ ok: false, reason: expect.stringMatching(/\S/) as string });
    },
  );

  it.each([
    ['^\\d{4}-\\d{2}$', '2026-01', '26-01'],
    ['^[\\w.-]+$', 'BRK.B', 'a b'],
    ['^\\p{Lu}+$', 'ÄÖ', 'äö'],
    ['\\u00e9', 'é', 'e'],
    ['^(?<year>\\d+)$', '1', 'x'],
    ['^\\/$', '/', 'x'],
    ['^.$', '😀', '😀😀'],
    ['b', 'abc', 'ac'],
  ])('%s fits %s and not %s', (pattern, yes, no) => {
    expect(check({ pattern }, yes)).toBeUndefined();
    expect(check({ pattern }, no)).toEqual(NO);
  });
});

describe('violations', () => {
  it('say where and what, in words for the sender', () => {
    const schema = {
      properties: { a: { enum: ['x', 'y'] }, c: { const: 1 }, d: { properties: { e: { type: 'string' } }, required: ['f'] } },
      required: ['r'],
      additionalProperties: false,
    };
    const text = (value: JsonObject) => describeViolations('arguments', check(schema, value) ?? []);
    expect(text({})).toBe('arguments needs the property "r"');
    expect(text({ r: 1 })).toBe('arguments has no property "r"');
    expect(text({ a: 'z' })).toContain('needs');
    const loose = (value: JsonObject) => describeViolations('arguments', check({ ...schema, required: [] }, value) ?? []);
    expect(loose({ a: 'z' })).toBe('arguments/a must be one of ["x","y"]');
    expect(loose({ c: 2 })).toBe('arguments/c must be 1');
    expect(loose({ d: { e: 1, f: 1 } })).toBe('arguments/d/e must be string');
    expect(loose({ zzz: 1 })).toBe('arguments has no property "zzz"');
  });

  it('are bounded, however large the schema', () => {
    const wide = check({ enum: Array.from({ length: 5000 }, (_, i) => `symbol-${i}`) }, 'x') ?? [];
    expect(describeViolations('a', wide).length).toBeLessThan(1000);
    const many = check({ anyOf: Array.from({ length: 2000 }, (_, i) => ({ const: i })) }, 'x') ?? [];
    expect(many.length).toBeLessThanOrEqual(20);
  });
});

describe('optional nulls (PROTOCOL A7)', () => {
  const schema = {
    properties: { a: { type: 'string' }, r: { type: 'string' }, n: { properties: { b: { type: 'number' } } } },
    required: ['r'],
  };

  it('count as absent where the property is not required', () => {
    expect(check(schema, { r: 'x', a: null })).toBeUndefined();
    expect(check(schema, { r: 'x', n: { b: null } })).toBeUndefined();
    expect(check(schema, { r: null })).toMatchObject([{ path: '/r' }]);
    expect(check({ ...schema, additionalProperties: false }, { r: 'x', unknown: null })).toEqual(NO);
  });

  it('do not hide another violation', () => {
    expect(check(schema, { r: 'x', a: null, n: 7, b: 1 })).toBeUndefined();
    expect(check({ ...schema, properties: { ...schema.properties, c: { type: 'number' } } }, { r: 'x', a: null, c: 'no' })).toEqual(NO);
  });

  it('a null that the schema allows is fine as it is', () => {
    expect(check({ properties: { a: { type: ['string', 'null'] } }, minProperties: 1 }, { a: null })).toBeUndefined();
  });
});

describe('preparer', () => {
  const schema = {
    type: 'object',
    properties: {
      limit: { type: 'integer', default: 10 },
      sort: { type: 'object', properties: { by: { type: 'string', default: 'name' } }, default: {} },
      tags: { type: 'array', items: { type: 'string' }, default: ['a'] },
      need: { type: 'string' },
    },
    required: ['need'],
    additionalProperties: false,
  };

  it('fills in defaults at every depth, in a copy', () => {
    const prepare = preparer(schema);
    const input = { need: 'x', sort: {} };
    expect(prepare(input)).toEqual({ ok: true, value: { need: 'x', limit: 10, sort: { by: 'name' }, tags: ['a'] } });
    expect(input).toEqual({ need: 'x', sort: {} });
    expect(prepare({ need: 'x' })).toMatchObject({ ok: true, value: { sort: { by: 'name' } } });
  });

  it('gives each caller defaults of its own', () => {
    const prepare = preparer(schema);
    const first = prepare({ need: 'x' });
    if (first.ok) (first.value.tags as string[]).push('changed');
    expect(prepare({ need: 'x' })).toMatchObject({ ok: true, value: { tags: ['a'] } });
  });

  it('takes optional nulls for absent, so that their default holds', () => {
    expect(preparer(schema)({ need: 'x', limit: null, sort: { by: null } })).toMatchObject({
      ok: true,
      value: { limit: 10, sort: { by: 'name' } },
    });
  });

  it('says what is wrong, each time anew', () => {
    const prepare = preparer(schema);
    expect(prepare({})).toMatchObject({ ok: false, violations: [{ message: 'needs the property "need"' }] });
    expect(prepare({ need: 'x', more: 1 })).toMatchObject({ ok: false, violations: [{ message: 'has no property "more"' }] });
    expect(prepare({ need: 'x' })).toMatchObject({ ok: true });
  });

  it('throws for a schema of ours that is broken', () => {
    expect(() => preparer({ type: 'nonsense' })).toThrow();
  });
});
