import { describe, expect, it } from 'vitest';
import { headerParamsOf, withoutHeaderParams } from './header-params.ts';
import type { JsonObject } from './meta.ts';

const H = (name: unknown, type: unknown = 'string') => ({ type, 'x-mcp-header': name });
const of = (properties: JsonObject, more: JsonObject = {}) => headerParamsOf({ type: 'object', properties, ...more });
const refused = (text: string) => ({ ok: false, reason: expect.stringContaining(text) as string });

describe('headerParamsOf (S26 Streamable HTTP, "Schema Extension")', () => {
  it('finds annotations at any depth of properties, in order', () => {
    expect(of({ a: H('A'), b: { type: 'object', properties: { c: H('C', 'integer'), d: H('D', 'boolean') } } })).toEqual({
      ok: true,
      params: [
        { header: 'A', path: ['a'], type: 'string' },
        { header: 'C', path: ['b', 'c'], type: 'integer' },
        { header: 'D', path: ['b', 'd'], type: 'boolean' },
      ],
    });
  });

  it.each<unknown>([[''], ['a b'], ['a:b'], ['a\r\nX: y'], ['é'], ['a/b'], ['a\u0000'], [7], [null], [{}], ['x,y']])(
    'refuses the name %j: not a token',
    (name) => {
      verifies('http-mirror-not-empty', 'http-mirror-token', 'http-mirror-control');
      expect(of({ a: H(name) })).toMatchObject(refused('token'));
    },
  );

  it('takes every character of a token', () => {
    expect(of({ a: H("!#$%&'*+-.^_`|~09azAZ") })).toMatchObject({ ok: true });
  });

  it.each(['number', 'array', 'object', 'null', undefined, ['string', 'null'], 'constructor'])('refuses the type %j', (type) => {
    verifies('http-mirror-primitive');
    expect(of({ a: { ...H('A'), type } })).toMatchObject(refused('not a string, integer or boolean'));
  });

  it('refuses a name that stands twice in any case', () => {
    verifies('http-mirror-unique');
    expect(of({ a: H('Region'), b: { properties: { c: H('REGION') } } })).toMatchObject(refused('twice'));
  });

  it('takes names that objects inherit', () => {
    expect(of({ a: H('constructor'), b: H('__proto__') })).toMatchObject({ ok: true });
  });

  it.each([
    ['the root', { 'x-mcp-header': 'A' }],
    ['items', { properties: { a: { type: 'array', items: H('A') } } }],
    ['properties of items', { properties: { a: { type: 'array', items: { properties: { b: H('A') } } } } }],
    ['prefixItems', { properties: { a: { prefixItems: [H('A')] } } }],
    ['oneOf', { properties: { a: { oneOf: [H('A')] } } }],
    ['properties of an anyOf', { anyOf: [{ properties: { a: H('A') } }] }],
    ['allOf', { allOf: [{ properties: { a: H('A') } }] }],
    ['not', { not: { properties: { a: H('A') } } }],
    ['else', { else: { properties: { a: H('A') } } }],
    ['$defs', { $defs: { a: H('A') } }],
    ['properties of $defs', { $defs: { a: { properties: { b: H('A') } } } }],
    ['definitions', { definitions: { a: H('A') } }],
    ['additionalProperties', { additionalProperties: H('A') }],
    ['patternProperties', { patternProperties: { '^a': H('A') } }],
    ['properties of patternProperties', { patternProperties: { '^a': { properties: { b: H('A') } } } }],
    ['dependentSchemas', { dependentSchemas: { a: { properties: { b: H('A') } } } }],
    ['properties of an additionalProperties', { properties: { a: { additionalProperties: { properties: { b: H('A') } } } } }],
    ['an unknown keyword', { 'x-more': { properties: { b: H('A') } } }],
  ])('refuses an annotation in %s: only properties lead to it', (_where, schema) => {
    verifies('http-mirror-reachable');
    expect(headerParamsOf({ type: 'object', ...schema })).toMatchObject(refused('not reachable'));
  });

  it('properties may have the names of keywords', () => {
    expect(
      of({ properties: H('A'), 'x-mcp-header': { type: 'string' }, items: H('B'), default: H('C'), $ref: { type: 'string' } }),
    ).toEqual({
      ok: true,
      params: [
        { header: 'A', path: ['properties'], type: 'string' },
        { header: 'B', path: ['items'], type: 'string' },
        { header: 'C', path: ['default'], type: 'string' },
      ],
    });
    const odd = JSON.parse(
      '{"properties":{"__proto__":{"type":"string","x-mcp-header":"P"},"constructor":{"type":"string"}}}',
    ) as JsonObject;
    expect(headerParamsOf(odd)).toEqual({ ok: true, params: [{ header: 'P', path: ['__proto__'], type: 'string' }] });
  });

  it('definitions may have the names of keywords', () => {
    expect(headerParamsOf({ $defs: { 'x-mcp-header': { type: 'string' }, properties: { type: 'string' } } })).toEqual({
      ok: true,
      params: [],
    });
  });

  it('data in the schema is no annotation', () => {
    const data = { 'x-mcp-header': 7 };
    expect(of({ a: { type: 'object', default: data, const: data, enum: [data], examples: [data] } })).toEqual({ ok: true, params: [] });
  });

  it('gives up on a schema that is very large or very deep, without an overflow', () => {
    const wide = Object.fromEntries(Array.from({ length: 30_000 }, (_, i) => [`p${i}`, { type: 'string' }]));
    expect(of(wide)).toMatchObject(refused('too large'));
    let deep: JsonObject = {};
    for (let i = 0; i < 100_000; i++) deep = { not: deep };
    expect(headerParamsOf(deep)).toMatchObject(refused('too large'));
    let items: unknown[] = [];
    for (let i = 0; i < 100_000; i++) items = [items];
    expect(headerParamsOf({ anyOf: items })).toMatchObject(refused('too large'));
  });
});

describe('withoutHeaderParams', () => {
  it('removes annotations everywhere, and properties of that name nowhere', () => {
    const data = { 'x-mcp-header': 'data' };
    const schema = {
      'x-mcp-header': 'R',
      properties: { a: H('A'), 'x-mcp-header': H('B'), b: { items: [H('C')], default: data } },
      $defs: { 'x-mcp-header': { type: 'string' } },
      required: ['x-mcp-header'],
    };
    expect(withoutHeaderParams(schema)).toEqual({
      properties: { a: { type: 'string' }, 'x-mcp-header': { type: 'string' }, b: { items: [{ type: 'string' }], default: data } },
      $defs: { 'x-mcp-header': { type: 'string' } },
      required: ['x-mcp-header'],
    });
    expect(headerParamsOf(withoutHeaderParams(schema) as JsonObject)).toEqual({ ok: true, params: [] });
  });
});
