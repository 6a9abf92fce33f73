import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SchemaCompiler, type JsonObject } from '../../protocol/index.ts';
import { mergeSchemas } from './merge.ts';
import { api, inputOf, outputOf, readOne, runs } from './openapi-kit.ts';
import { readApi, readApiInTurns } from './read-api.ts';

/** The schema as a query parameter's. */
const read = (schema: unknown, schemas: JsonObject = {}): JsonObject =>
  inputOf(readOne({ parameters: [{ name: 'q', in: 'query', schema }] }, { more: { components: { schemas } } })).properties.q ?? {};
const ref = (name: string): JsonObject => ({ $ref: `#/components/schemas/${name}` });

describe('keywords', () => {
  it.each<[string, unknown, unknown]>([
    ['nullable with a type', { type: 'string', nullable: true, enum: ['a'] }, { type: ['string', 'null'], enum: ['a', null] }],
    ['nullable beside a reference', { ...ref('A'), nullable: true }, { type: ['string', 'null'] }],
    [
      'nullable beside oneOf',
      { nullable: true, oneOf: [{ type: 'string' }] },
      { anyOf: [{ oneOf: [{ type: 'string' }] }, { type: 'null' }] },
    ],
    ['nullable beside anyOf', { nullable: true, anyOf: [{ type: 'string' }] }, { anyOf: [{ type: 'string' }, { type: 'null' }] }],
    ['nullable alone', { nullable: true }, {}],
    ['bounds of 3.0', { maximum: 5, exclusiveMaximum: true, minimum: 1, exclusiveMinimum: false }, { minimum: 1, exclusiveMaximum: 5 }],
    ['bounds of 3.1', { exclusiveMaximum: 5 }, { exclusiveMaximum: 5 }],
    ['an example', { type: 'integer', example: 0 }, { type: 'integer', examples: [0] }],
    ['named examples', { examples: { one: { value: 'x' } } }, { examples: ['x'] }],
    ['a file', { type: 'file', format: 'date-time' }, { type: 'string', format: 'date-time' }],
    ['what is malformed', { type: 'strin', required: 'x', properties: 5, pattern: '(', minLength: -1, enum: 'a', title: 7, items: 3 }, {}],
    ['what a host does not know', { type: 'string', $id: 'http://x', $defs: {}, xml: {}, 'x-y': 1, $anchor: 'a' }, { type: 'string' }],
    ['true and false', { type: 'object', properties: { a: true, b: false } }, { type: 'object', properties: { a: {}, b: { not: {} } } }],
    [
      'a tuple',
      { type: 'array', prefixItems: [ref('A')], items: false },
      { type: 'array', prefixItems: [{ type: 'string' }], items: false },
    ],
    ['a map', { type: 'object', additionalProperties: ref('A') }, { type: 'object', additionalProperties: { type: 'string' } }],
    ['a description beside a reference', { ...ref('A'), description: 'Why.' }, { type: 'string', description: 'Why.' }],
    ['a keyword beside a reference', { ...ref('A'), maxLength: 3 }, { type: 'string', maxLength: 3 }],
    ['a reference with an escape', { $ref: '#/components/schemas/a~1b%20c' }, { type: 'boolean' }],
    ['a reference to an inherited name', { $ref: '#/components/schemas/constructor' }, { description: 'Described in another document.' }],
    ['a reference to itself', ref('Loop'), { description: 'Again a Loop, as above.' }],
  ])('reads %s', (_name, schema, expected) => {
    expect(read(schema, { A: { type: 'string' }, 'a/b c': { type: 'boolean' }, Loop: ref('Loop') })).toEqual(expected);
  });

  it('keeps a property called __proto__', () => {
    const properties = JSON.parse('{"__proto__":{"type":"string"}}') as JsonObject;
    expect(JSON.stringify(read({ type: 'object', properties }))).toBe('{"type":"object","properties":{"__proto__":{"type":"string"}}}');
  });
});

describe('choices', () => {
  it('keeps oneOf, and turns it into anyOf where a choice was loosened', () => {
    expect(read({ oneOf: [{ type: 'string' }, { type: 'integer' }] })).toEqual({ oneOf: [{ type: 'string' }, { type: 'integer' }] });
    const tree = { oneOf: [{ type: 'string' }, { type: 'array', items: ref('Tree') }] };
    expect(read(ref('Tree'), { Tree: tree })).toEqual({
      anyOf: [{ type: 'string' }, { type: 'array', items: { description: 'Again a Tree, as above.' } }],
    });
    expect(read({ oneOf: [{ type: 'string' }], discriminator: { propertyName: 't' } })).toEqual({ anyOf: [{ type: 'string' }] });
  });

  it('drops a condition that is not exact any more', () => {
    expect(read({ not: { type: 'string' } })).toEqual({ not: { type: 'string' } });
    expect(read({ type: 'integer', not: { pattern: '(' } })).toEqual({ type: 'integer' });
    const conditional = (condition: string): unknown => JSON.parse(`{"if":${condition},"then":{"type":"string"}}`);
    expect(read(conditional('{"minLength":1}'))).toEqual(conditional('{"minLength":1}'));
    expect(read(conditional('{"$ref":"#/gone"}'))).toEqual({});
  });
});

describe('allOf', () => {
  it('is one schema where that is simple', () => {
    expect(
      read({
        description: 'Mine.',
        allOf: [
          { type: 'object', description: 'Theirs.', required: ['a'], properties: { a: { type: 'number', minimum: 1 } } },
          { required: ['a', 'b'], properties: { a: { type: 'integer', minimum: 3 }, b: { enum: ['x', 'y'] } } },
          { properties: { b: { enum: ['y', 'z'] } } },
        ],
      }),
    ).toEqual({
      description: 'Mine.',
      type: 'object',
      required: ['a', 'b'],
      properties: { a: { type: 'integer', minimum: 3 }, b: { enum: ['y'] } },
    });
  });

  it('is kept where it is not', () => {
    const closed = { type: 'object', properties: { a: {} }, additionalProperties: false };
    expect(read({ allOf: [closed, { properties: { b: {} } }] })).toEqual({ allOf: [closed, { properties: { b: {} } }] });
    expect(read({ allOf: [{ type: 'string' }, { type: 'object' }] })).toEqual({ allOf: [{ type: 'string' }, { type: 'object' }] });
    expect(read({ allOf: [{ pattern: 'a' }, { pattern: 'b' }] })).toEqual({ allOf: [{ pattern: 'a' }, { pattern: 'b' }] });
  });

  it('forgets what is hidden in any member', () => {
    const operation = readOne(
      {
        requestBody: {
          required: true,
          content: {
            'application/json': {
              schema: {
                allOf: [{ required: ['id', 'name'] }, { type: 'object', properties: { id: { readOnly: true }, name: { type: 'string' } } }],
              },
            },
          },
        },
      },
      { method: 'post' },
    );
    expect(inputOf(operation)).toMatchObject({ properties: { name: { type: 'string' } }, required: ['name'] });
    expect(Object.keys(inputOf(operation).properties)).toEqual(['name']);
  });

  it('never allows less than both schemas do, merged', () => {
    const leaf = fc.record(
      {
        type: fc.constantFrom('string', 'integer', 'number', ['string', 'null'], ['integer', 'string']),
        enum: fc.uniqueArray(fc.constantFrom(1, 2.5, 'a', 'bb', null), { minLength: 1 }),
        minimum: fc.integer({ min: 0, max: 3 }),
        maxLength: fc.integer({ min: 0, max: 3 }),
      },
      { requiredKeys: [] },
    );
    const schema = fc.oneof(
      leaf,
      fc.record({ properties: fc.dictionary(fc.constantFrom('a', 'b'), leaf), required: fc.subarray(['a', 'b']) }, { requiredKeys: [] }),
    );
    const scalar = fc.constantFrom<unknown>(0, 1, 2, 2.5, 'a', 'bb', '', null, true);
    const value = fc.oneof(
      scalar,
      // A null there counts as absent.
      fc.dictionary(
        fc.constantFrom('a', 'b'),
        scalar.filter((item) => item !== null),
      ),
    );
    const compiler = new SchemaCompiler();
    fc.assert(
      fc.property(schema, schema, value, (one, other, sample) => {
        const merged = mergeSchemas(one, other);
        if (merged === undefined) return;
        const fits = (candidate: JsonObject): boolean => {
          const check = compiler.compile(candidate);
          return check.ok && check.validate(sample) === undefined;
        };
        expect(fits(merged)).toBe(fits(one) && fits(other));
      }),
      runs(200),
    );
  });
});

describe('bounds', () => {
  const nested = (levels: number): JsonObject =>
    levels === 0 ? { type: 'string' } : { type: 'object', properties: { deeper: nested(levels - 1) } };

  it('leaves open what lies too deep', () => {
    const schema = read(nested(30));
    expect(JSON.stringify(schema).split('"deeper"')).toHaveLength(13);
    const check = new SchemaCompiler().compile(schema);
    expect(check.ok).toBe(true);
    expect(JSON.stringify(schema)).toContain('More is allowed here than can be shown.');
  });

  it('goes as deep as the parts that are allowed', () => {
    const wide = (levels: number): JsonObject => ({
      type: 'object',
      properties: Object.fromEntries(['a', 'b', 'c'].map((name) => [name, levels === 0 ? { type: 'string' } : wide(levels - 1)])),
    });
    const { operations } = readApi(api({ '/a': { post: { requestBody: { content: { 'application/json': { schema: wide(8) } } } } } }), {
      limits: { schemaNodes: 150 },
    });
    const text = JSON.stringify(operations[0]?.definition.inputSchema);
    expect(text.match(/"type"/g)?.length).toBeLessThan(150);
    expect(text.match(/"type"/g)?.length).toBeGreaterThan(40);
  });

  it('refuses an operation whose arguments do not fit at all, and only the outputSchema of an answer that does not', () => {
    const properties = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`p${i}`, { type: 'string' }]));
    const content = { 'application/json': { schema: { type: 'object', properties } } };
    const parameters = Object.keys(properties).map((name) => ({ name, in: 'query' }));
    const { operations, warnings } = readApi(api({ '/a': { get: { parameters } }, '/b': { get: { responses: { 200: { content } } } } }), {
      limits: { schemaNodes: 20 },
    });
    expect(warnings).toEqual(['GET /a is left out: the schema of its arguments is too large.']);
    expect(operations.map(({ definition }) => definition.outputSchema)).toEqual([
      { type: 'object', description: 'More is allowed here than can be shown.' },
    ]);
  });

  it('makes schemas that can be used of anything, the same in turns', async () => {
    const part = fc.constantFrom(
      '$ref',
      'type',
      'properties',
      'allOf',
      'oneOf',
      'items',
      'required',
      'enum',
      'nullable',
      'not',
      '__proto__',
    );
    const leaf = fc.constantFrom<unknown>(null, true, 0, 'object', 'array', '#/paths/~1a', '#/components/schemas/A', '#', []);
    const { schema } = fc.letrec<{ schema: unknown }>((tie) => ({
      schema: fc.oneof(
        { maxDepth: 5 },
        leaf,
        fc.dictionary(part, tie('schema'), { maxKeys: 4 }),
        fc.array(tie('schema'), { maxLength: 3 }),
      ),
    }));
    await fc.assert(
      fc.asyncProperty(schema, schema, async (one, other) => {
        const document = api(
          { '/a': { post: { parameters: one, requestBody: { content: { 'application/json': { schema: other } } }, responses: one } } },
          { components: { schemas: { A: other } } },
        );
        const reading = readApi(document);
        expect(reading.warnings.join()).not.toContain('could not be read');
        for (const { definition } of reading.operations)
          expect(new SchemaCompiler().compile(definition.inputSchema as JsonObject)).toMatchObject({ ok: true });
        expect(await readApiInTurns(document)).toEqual(reading);
      }),
      runs(150),
    );
  });
});

describe('answers', () => {
  it('have an outputSchema where 200 or 201 is a JSON object', () => {
    const of = (responses: JsonObject): unknown => readOne({ responses }).definition.outputSchema;
    const content = { 'application/hal+json; charset=utf-8': { schema: { properties: { a: {} } } } };
    expect(of({ 201: { content } })).toEqual({ type: 'object', properties: { a: {} } });
    expect(of({ default: { content } })).toBeUndefined();
    expect(of({ 200: { content: { 'text/plain': { schema: { type: 'string' } } } } })).toBeUndefined();
    expect(of({ 200: { content: { 'application/json': { schema: { type: ['object', 'null'] } } } } })).toBeUndefined();
    expect(readOne({ responses: { 200: { content } } }).accept).toBe('application/hal+json, application/json, text/*;q=0.8, */*;q=0.5');
    expect(outputOf(readOne({ responses: { 200: { content } } })).properties).toEqual({ a: {} });
  });
});
