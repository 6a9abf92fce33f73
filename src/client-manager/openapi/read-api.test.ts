import { stringify } from 'yaml';
import { describe, expect, it } from 'vitest';
import { SchemaCompiler, type JsonObject } from '../../protocol/index.ts';
import { apiCatalogue } from './catalogue.ts';
import { api, inputOf, outputOf, readOne, toolOf } from './openapi-kit.ts';
import { readApi } from './read-api.ts';

const ref = (name: string): JsonObject => ({ $ref: `#/components/schemas/${name}` });
const answer = (schema: JsonObject, status = '200'): JsonObject => ({
  responses: { [status]: { description: 'ok', content: { 'application/json': { schema } } } },
});
const taking = (schema: JsonObject, required = true): JsonObject => ({
  requestBody: { required, content: { 'application/json': { schema } } },
});

/** In the manner of hand-written 3.0 documents: nullable, circles, allOf with readOnly members, boolean bounds. */
const OLD = `
openapi: 3.0.3
info: { title: Library, version: 2.1, description: Books and who wrote them. }
servers: [{ url: 'https://{region}.books.test/api/', variables: { region: { default: eu } } }]
security: [{ key: [] }]
paths:
  /books/{id}:
    parameters:
      - { name: id, in: path, required: true, schema: { type: string }, example: b-1 }
      - { name: X-Api-Key, in: header, schema: { type: string } }
    get:
      operationId: getBook
      summary: One book
      tags: [books]
      responses: { '200': { description: ok, content: { application/json: { schema: { $ref: '#/components/schemas/Book' } } } } }
    put:
      operationId: replaceBook
      requestBody: { $ref: '#/components/requestBodies/Book' }
      responses: { '204': { description: done } }
    delete: { operationId: deleteBook, responses: { '204': { description: gone } } }
  /covers:
    post:
      operationId: uploadCover
      requestBody: { required: true, content: { multipart/form-data: { schema: { type: object } } } }
      responses: { '200': { description: ok } }
components:
  securitySchemes: { key: { type: apiKey, in: header, name: X-API-Key } }
  requestBodies:
    Book: { required: true, content: { application/json: { schema: { $ref: '#/components/schemas/Book' } } } }
  schemas:
    Entity: { type: object, required: [id], properties: { id: { type: string, readOnly: true }, version: { type: integer } } }
    Book:
      allOf:
        - $ref: '#/components/schemas/Entity'
        - type: object
          required: [title]
          properties:
            title: { type: string, nullable: true }
            price: { type: number, minimum: 0, exclusiveMinimum: true, nullable: true, enum: [1, 2] }
            secret: { type: string, writeOnly: true }
            author: { $ref: '#/components/schemas/Author' }
            series: { nullable: true, allOf: [{ $ref: '#/components/schemas/Series' }] }
    Author: { type: object, properties: { name: { type: string }, books: { type: array, items: { $ref: '#/components/schemas/Book' } } } }
    Series: { type: object, properties: { name: { type: string, example: Tales } } }
`;

describe('a 3.0 document', () => {
  const reading = readApi(OLD, { documentUrl: 'https://eu.books.test/openapi.yaml' });

  it('gives the facts of the API', () => {
    expect(reading.facts).toEqual({
      openapi: '3.0.3',
      dialect: undefined,
      title: 'Library',
      version: '2.1',
      description: 'Books and who wrote them.',
      baseUrl: 'https://eu.books.test/api',
    });
    expect(reading.warnings).toEqual(['POST /covers is left out: it takes a body of multipart/form-data, which is not supported.']);
  });

  it('names tools by their operationId and tells what HTTP says of their methods', () => {
    expect(reading.operations.map(({ name, definition, sideEffect }) => [name, definition.annotations, sideEffect])).toEqual([
      ['getBook', { readOnlyHint: true, openWorldHint: true }, 'read'],
      ['replaceBook', { readOnlyHint: false, idempotentHint: true, openWorldHint: true }, 'write'],
      ['deleteBook', { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: true }, 'write'],
    ]);
  });

  it('leaves credentials out of the arguments, whatever their case', () => {
    expect(inputOf(toolOf(reading, 'getBook'))).toMatchObject({
      type: 'object',
      properties: { id: { type: 'string', examples: ['b-1'] } },
      required: ['id'],
      additionalProperties: false,
    });
    expect(Object.keys(inputOf(toolOf(reading, 'getBook')).properties)).toEqual(['id']);
  });

  it('merges allOf, makes body members arguments and drops what only answers have', () => {
    const { properties, required } = inputOf(toolOf(reading, 'replaceBook'));
    expect(Object.keys(properties)).toEqual(['id', 'version', 'title', 'price', 'secret', 'author', 'series']);
    expect(required).toEqual(['id', 'title']);
    expect(properties.title).toEqual({ type: ['string', 'null'] });
    expect(properties.price).toEqual({ type: ['number', 'null'], exclusiveMinimum: 0, enum: [1, 2, null] });
    expect(properties.series).toEqual({ type: ['object', 'null'], properties: { name: { type: 'string', examples: ['Tales'] } } });
  });

  it('cuts a circle where it begins again and drops what only requests have', () => {
    const { properties, required } = outputOf(toolOf(reading, 'getBook'));
    expect(required).toEqual(['id', 'title']);
    expect(properties.secret).toBeUndefined();
    expect(properties.author?.properties).toEqual({
      name: { type: 'string' },
      books: { type: 'array', items: { description: 'Again a Book, as above.' } },
    });
    const check = new SchemaCompiler().compile(toolOf(reading, 'getBook').definition.outputSchema as JsonObject);
    const book = { id: 'b', title: null, author: { name: 'A', books: [{ id: 'c', title: 't', author: { books: 5 } }] }, series: null };
    expect(check.ok && check.validate(book)).toBeUndefined();
    expect(check.ok && check.validate({ ...book, author: { name: 1 } })).toHaveLength(1);
  });

  it('is the same from JSON text, from YAML text and from a value', () => {
    const value = JSON.parse(JSON.stringify(api({ '/a': { get: { operationId: 'a', ...answer({ type: 'object' }) } } }))) as JsonObject;
    const readings = [value, JSON.stringify(value), stringify(value)].map((source) => readApi(source));
    expect(readings[1]).toEqual(readings[0]);
    expect(readings[2]).toEqual(readings[0]);
    expect(readings[0]?.operations).toHaveLength(1);
  });
});

/** As FastAPI writes it: 3.1, anyOf with null, titles everywhere, long operationIds, 422 answers. */
const FAST: JsonObject = {
  openapi: '3.1.0',
  info: { title: 'FastAPI', version: '0.1.0' },
  jsonSchemaDialect: 'https://json-schema.org/draft/2020-12/schema',
  paths: {
    '/items/{item_id}': {
      put: {
        tags: ['items'],
        summary: 'Update Item',
        operationId: 'update_item_items__item_id__put',
        parameters: [
          { name: 'item_id', in: 'path', required: true, schema: { type: 'integer', title: 'Item Id' } },
          {
            name: 'tags',
            in: 'query',
            required: false,
            schema: { anyOf: [{ type: 'array', items: { type: 'string' } }, { type: 'null' }], title: 'Tags' },
          },
          { name: 'x-token', in: 'header', required: true, schema: { type: 'string', title: 'X-Token' } },
          { name: 'ads_id', in: 'cookie', schema: { type: ['string', 'null'], title: 'Ads Id' } },
        ],
        ...taking(ref('Item')),
        responses: {
          '200': { description: 'Successful Response', content: { 'application/json': { schema: ref('Item') } } },
          '422': { description: 'Validation Error', content: { 'application/json': { schema: ref('HTTPValidationError') } } },
        },
      },
    },
    '/items/': {
      get: { summary: 'List', operationId: 'list_items_items__get', ...answer({ type: 'array', items: ref('Item'), title: 'Items' }) },
    },
  },
  components: {
    schemas: {
      Item: {
        type: 'object',
        title: 'Item',
        required: ['name', 'kind'],
        properties: {
          name: { type: 'string', title: 'Name', maxLength: 10, examples: ['a'] },
          price: { anyOf: [{ type: 'number', exclusiveMinimum: 0 }, { type: 'null' }], title: 'Price' },
          kind: ref('Kind'),
          part: { anyOf: [ref('Item'), { type: 'null' }] },
        },
      },
      Kind: { type: 'string', enum: ['a', 'b'], title: 'Kind' },
      HTTPValidationError: { type: 'object' },
    },
  },
};

describe('a 3.1 document as FastAPI writes it', () => {
  const reading = readApi(FAST, { documentUrl: 'http://127.0.0.1:8000/openapi.json' });

  it('is where it came from, and names its dialect', () => {
    expect(reading.facts).toMatchObject({ baseUrl: 'http://127.0.0.1:8000', dialect: 'https://json-schema.org/draft/2020-12/schema' });
    expect(reading.warnings).toEqual([]);
  });

  it('keeps anyOf, type lists and order; the arguments can be checked', () => {
    const tool = toolOf(reading, 'update_item_items__item_id__put');
    const { properties, required } = inputOf(tool);
    expect(Object.keys(properties)).toEqual(['item_id', 'tags', 'x-token', 'ads_id', 'name', 'price', 'kind', 'part']);
    expect(required).toEqual(['item_id', 'x-token', 'name', 'kind']);
    expect(properties.price).toEqual({ title: 'Price', anyOf: [{ type: 'number', exclusiveMinimum: 0 }, { type: 'null' }] });
    expect(properties.ads_id).toEqual({ title: 'Ads Id', type: ['string', 'null'] });
    expect(JSON.stringify(tool.definition)).not.toContain('$ref');
    const check = new SchemaCompiler().compile(tool.definition.inputSchema as JsonObject);
    expect(
      check.ok && check.validate({ item_id: 1, 'x-token': 't', name: 'n', kind: 'a', part: { name: 'p', kind: 'b' } }),
    ).toBeUndefined();
    expect(check.ok && check.validate({ item_id: 1, 'x-token': 't', name: 'n', kind: 'z' })).toHaveLength(1);
  });

  it('declares no outputSchema where the answer is a list', () => {
    expect(toolOf(reading, 'list_items_items__get').definition.outputSchema).toBeUndefined();
    expect(toolOf(reading, 'update_item_items__item_id__put').definition.outputSchema).toMatchObject({ type: 'object', title: 'Item' });
  });
});

/** Many operations over schemas that refer to each other, each with each: written out in full they would never end. */
function large(count: number): JsonObject {
  const schemas = Object.fromEntries(
    Array.from({ length: 60 }, (_, i) => [
      `S${i}`,
      {
        type: 'object',
        properties: {
          id: { type: 'string', description: 'An id. '.repeat(5) },
          ...Object.fromEntries(Array.from({ length: 8 }, (_unused, j) => [`p${j}`, ref(`S${(i * 7 + j * 13 + 1) % 60}`)])),
        },
      },
    ]),
  );
  const paths = Object.fromEntries(
    Array.from({ length: count }, (_, i) => [
      `/groups/{group}/things-${i}`,
      {
        get: { operationId: `things/list-${i}`, tags: [`t${i % 10}`], ...answer(ref(`S${i % 60}`)) },
        post: { operationId: `things/create-${i}`, ...taking(ref(`S${i % 60}`)), ...answer(ref(`S${i % 60}`), '201') },
      },
    ]),
  );
  return api(paths, { components: { schemas } });
}

describe('a large document', () => {
  it('becomes thousands of tools, each within its bounds', () => {
    const reading = readApi(JSON.stringify(large(1_000)), { limits: { readMs: 600_000 } });
    expect(reading.operations).toHaveLength(2_000);
    expect(reading.warnings).toEqual([]);
    for (const { definition, name } of reading.operations) {
      expect(name).toMatch(/^[A-Za-z0-9_.-]{1,64}$/);
      expect(JSON.stringify(definition.inputSchema).length).toBeLessThanOrEqual(48 * 1024);
    }
    const compiler = new SchemaCompiler();
    for (const { definition } of reading.operations.slice(0, 4))
      expect(compiler.compile(definition.inputSchema as JsonObject).ok).toBe(true);
    const catalogue = apiCatalogue(reading, ['news:read']);
    expect(catalogue.tools).toHaveLength(2_000);
    expect(catalogue.tools[0]).toMatchObject({ sideEffect: 'read', scopes: ['news:read'] });
  });

  it('is cut by number, by size and by time, and says so', () => {
    const cut = (limits: object): readonly [number, string | undefined] => {
      const { operations, warnings } = readApi(large(20), { limits });
      return [operations.length, warnings[0]];
    };
    const hint = 'Set "include" or "exclude" in the configuration.';
    expect(cut({ operations: 7 })).toEqual([7, `33 operations are left out: more than 7 operations. ${hint}`]);
    expect(cut({ totalBytes: 1 })).toEqual([1, `39 operations are left out: more than 1 bytes of definitions. ${hint}`]);
    expect(cut({ readMs: -1 })).toEqual([0, `40 operations are left out: reading took more than -1 ms. ${hint}`]);
    expect(readApi(JSON.stringify(large(20)), { limits: { documentBytes: 100 } }).warnings).toEqual([
      'The document is larger than 100 bytes and was not read.',
    ]);
  });
});

describe('a bad document', () => {
  it.each([
    ['nothing', undefined, 'neither JSON nor YAML'],
    ['a list', '[1]', 'neither JSON nor YAML'],
    ['broken text', '{"openapi": "3.0.0", "paths": {', 'neither JSON nor YAML'],
    [
      'a bomb of aliases',
      `a: &a [x,x,x,x,x,x,x,x,x]\n${Array.from({ length: 12 }, (_, i) => `b${i}: &b${i} [${`*${i === 0 ? 'a' : `b${i - 1}`},`.repeat(9)}]`).join('\n')}`,
      'neither JSON nor YAML',
    ],
    ['Swagger 2', { swagger: '2.0', paths: {} }, 'Swagger 2.0'],
    ['another version', { openapi: '4.0.0', paths: {} }, 'no version 3'],
    ['no paths', { openapi: '3.0.0' }, 'no paths'],
    ['no operations', { openapi: '3.0.0', paths: { '/a': null, '/b': { get: 5 } } }, 'no operation'],
  ])('is a warning: %s', (_name, source, expected) => {
    const { operations, warnings } = readApi(source, { baseUrl: 'http://a.test' });
    expect(operations).toEqual([]);
    expect(warnings.join()).toContain(expected);
  });

  it('loses only the operations that are bad, or on another server', () => {
    const { operations, warnings } = readApi(
      api({
        '/good': {
          get: { parameters: [5, null, { name: 'a' }, { $ref: '#/nowhere' }, { name: 'q', in: 'query', schema: 'x' }], responses: 7 },
        },
        '/../up': { get: {} },
        '/a?b=c': { get: {} },
        '/matrix/{id}': { get: { parameters: [{ name: 'id', in: 'path', style: 'matrix' }] } },
        '/else': { get: { servers: [{ url: 'https://files.test' }] }, servers: [] },
        '/same': { get: { servers: [{ url: 'http://api.test/v1/' }] } },
        '/lost': { post: taking({ $ref: 'https://evil.test/schema.json' }) },
      }),
    );
    expect(operations.map(({ name }) => name)).toEqual(['get_good', 'get_same', 'post_lost']);
    expect(warnings).toEqual([
      'GET /../up is left out: its path is not one that can be called.',
      'GET /a?b=c is left out: its path is not one that can be called.',
      'GET /matrix/{id} is left out: its parameter "id" has the style "matrix".',
      'GET /else is left out: it is on another server than the API.',
      'The reference https://evil.test/schema.json leads nowhere in the document: anything is allowed there.',
    ]);
  });

  it('does not hang on a value that holds itself', () => {
    const schema: Record<string, unknown> = { type: 'object', properties: {} };
    (schema.properties as Record<string, unknown>).self = schema;
    const { properties } = inputOf(readOne(taking(schema), { method: 'post' }));
    expect(properties.self).toEqual({ description: 'The same again, as above.' });
  });
});

describe('curation', () => {
  const paths = {
    '/quotes/{symbol}': { get: { operationId: 'getQuote', tags: ['market'] } },
    '/orders': { get: { operationId: 'listOrders', tags: ['trading'] }, post: { operationId: 'placeOrder', tags: ['trading'] } },
    '/admin/keys': { get: { operationId: 'listKeys', tags: ['admin'] } },
  };
  const names = (options: object): string[] => readApi(api(paths), options).operations.map(({ name }) => name);

  it('includes and excludes by operationId, route and tag', () => {
    expect(names({ include: ['market', 'POST /orders'] })).toEqual(['getQuote', 'placeOrder']);
    expect(names({ include: ['GET /*'], exclude: ['list*', 'admin'] })).toEqual(['getQuote']);
    expect(names({ exclude: ['* /admin/*'] })).toEqual(['getQuote', 'listOrders', 'placeOrder']);
  });

  it('renames, describes, hides and classifies', () => {
    const { operations, warnings } = readApi(api(paths), {
      tools: {
        getQuote: { rename: 'quote', description: 'The price now.', sideEffect: 'read' },
        listOrders: { rename: 'placeOrder' },
        placeOrder: { sideEffect: 'idempotent_write' },
        listKeys: { hidden: true },
        nobody: {},
      },
    });
    expect(operations.map(({ name, sideEffect }) => [name, sideEffect])).toEqual([
      ['quote', 'read'],
      ['listOrders', 'read'],
      ['placeOrder', 'idempotent_write'],
    ]);
    expect(operations[0]?.definition).toMatchObject({ name: 'quote', description: 'The price now.' });
    expect(operations[2]?.definition.annotations).toMatchObject({ readOnlyHint: false, idempotentHint: true });
    expect(warnings).toEqual([
      'Tool listOrders keeps its name: it cannot be renamed to "placeOrder", since another tool has that name.',
      'There are settings for "nobody", which is no tool of this API.',
    ]);
  });

  it('takes the facts of x-mcp, and then only operations that have some', () => {
    const facts = {
      title: 'Quote',
      scope: 'market:read',
      annotations: { readOnlyHint: true, idempotentHint: true, destructiveHint: false, openWorldHint: false, extra: 1 },
      caps: { rows: 10, maxRows: 100, softBytes: 1_000, hardBytes: 2_000 },
    };
    const { operations } = readApi(
      api({ '/a': { get: { operationId: 'a', 'x-mcp': facts }, post: { operationId: 'b' } }, '/c': { get: { 'x-mcp': false } } }),
    );
    expect(operations).toHaveLength(1);
    expect(operations[0]).toMatchObject({
      name: 'a',
      scope: 'market:read',
      softBytes: 1_000,
      hardBytes: 2_000,
      definition: { title: 'Quote' },
    });
    expect(operations[0]?.definition.annotations).toEqual({
      readOnlyHint: true,
      idempotentHint: true,
      destructiveHint: false,
      openWorldHint: false,
    });
    const catalogue = apiCatalogue({ ...readApi(api({})), operations }, ['all']);
    expect(catalogue.tools[0]?.scopes).toEqual(['all', 'market:read']);
  });
});

describe('where the API is', () => {
  const base = (servers: unknown, options: object = {}): readonly [string | undefined, string | undefined] => {
    const { facts, warnings } = readApi(api({ '/a': { get: {} } }, { servers }), options);
    return [facts.baseUrl, warnings[0]];
  };

  it('is what the configuration says, else the first server', () => {
    expect(base([{ url: 'https://a.test/x/' }], { baseUrl: 'http://b.test/y/?z#w' })).toEqual(['http://b.test/y', undefined]);
    expect(base([{ url: '/v2' }], { documentUrl: 'https://a.test/docs/openapi.json' })).toEqual(['https://a.test/v2', undefined]);
    expect(base([{ url: 'https://{h}.test', variables: { h: { default: 'a' } } }], { variables: { h: 'b' } })[0]).toBe('https://b.test');
    expect(base([{ url: 'https://other.test' }], { documentUrl: 'https://a.test/openapi.json' })[1]).toContain('https://other.test');
  });

  it('is unknown without one that can be used', () => {
    for (const url of ['/v2', 'ftp://a.test', 'https://{h}.test', 'https://user:pw@a.test'])
      expect(base([{ url }])).toEqual([undefined, 'The document does not say where the API is: set "url" in the configuration.']);
  });
});
