import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isObject, type JsonObject } from '../../protocol/index.ts';
import { parseExact } from './exact.ts';
import { readOne, runs } from './openapi-kit.ts';
import { buildRequest, type ApiCredentials } from './request.ts';
import type { ApiRequest } from './fetch.ts';
import type { ApiOperation } from './types.ts';

const BASE = 'http://api.test/v1';
const build = (operation: ApiOperation, args: JsonObject, credentials: ApiCredentials = {}): ApiRequest | string => {
  const built = buildRequest(operation, args, BASE, credentials);
  return built.ok ? built.request : built.problem;
};
const urlOf = (operation: ApiOperation, args: JsonObject, credentials: ApiCredentials = {}): string => {
  const request = build(operation, args, credentials);
  return typeof request === 'string' ? request : request.url.slice(BASE.length);
};
const query = (name: string, more: JsonObject = {}): ApiOperation => readOne({ parameters: [{ name, in: 'query', schema: {}, ...more }] });
const HOSTILE = [
  '..',
  '.',
  '/',
  '\\',
  '?',
  '#',
  '%',
  '%2e',
  '%2F',
  ';',
  '&',
  '=',
  '+',
  ' ',
  ':',
  '@',
  '\0',
  '\r\n',
  '\u202e',
  'ключ',
  '😀',
  '\ud800',
];
/** Texts in which what means something in a URL is frequent. */
const hostile = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.array(fc.constantFrom(...HOSTILE, 'a', '0'), { maxLength: 5 }).map((parts) => parts.join('')),
);

describe('a path', () => {
  const item = readOne({}, { path: '/items/{id}/parts.{part}' });

  it('holds each value in its own place, or is refused', () => {
    fc.assert(
      fc.property(hostile, hostile, (id, part) => {
        const request = build(item, { id, part });
        if (typeof request === 'string') {
          expect(request).toMatch(/^(needs a value for|cannot have "\." or "\.\."|makes|cannot send a text)/);
          return;
        }
        const url = new URL(request.url);
        const [, version, items, first, second = '', ...more] = url.pathname.split('/');
        expect([url.origin, version, items, more, url.search, url.hash]).toEqual(['http://api.test', 'v1', 'items', [], '', '']);
        expect(decodeURIComponent(first ?? '')).toBe(id);
        expect(decodeURIComponent(second)).toBe(`parts.${part}`);
      }),
      runs(500),
    );
  });

  it.each(['..', '.', 'a/../b', '..\\x', '%2e%2e', '%252e%252E', 'x/%2e%2e/', '%2e%2e%2fadmin', ''])('refuses %j', (id) => {
    expect(build(item, { id, part: 'x' })).toMatch(/^(cannot have|needs a value)/);
  });

  it('refuses what becomes dots together with its template', () => {
    expect(build(readOne({}, { path: '/a/.{ext}' }), { ext: '.' })).toBe('cannot have "." or ".." as a part of "ext"');
    expect(build(readOne({}, { path: '/a/{x}{y}' }), { x: '%2', y: 'e' })).toMatchObject({ url: `${BASE}/a/%252e` });
    expect(build(item, {})).toBe('needs "id"');
  });

  it('keeps dots inside names, and writes lists and objects', () => {
    expect(urlOf(item, { id: 'a..b', part: '...' })).toBe('/items/a..b/parts....');
    expect(urlOf(item, { id: ['a,b', 1, true], part: { x: 1, y: 'z' } })).toBe('/items/a%2Cb,1,true/parts.x,1,y,z');
    const exploded = readOne({ parameters: [{ name: 'id', in: 'path', explode: true }] }, { path: '/i/{id}' });
    expect(urlOf(exploded, { id: { x: 1, y: 'z' } })).toBe('/i/x=1,y=z');
  });
});

describe('a query', () => {
  it.each<[string, JsonObject, unknown, string]>([
    ['form', {}, ['a b', 2], '?q=a%20b&q=2'],
    ['form without explode', { explode: false }, ['a,b', 2], '?q=a%2Cb,2'],
    ['spaceDelimited', { style: 'spaceDelimited' }, ['a', 'b'], '?q=a%20b'],
    ['pipeDelimited', { style: 'pipeDelimited', explode: false }, ['a', 'b'], '?q=a%7Cb'],
    [
      'deepObject',
      { style: 'deepObject' },
      { a: 1, b: { c: ['x', 'y'] } },
      '?q%5Ba%5D=1&q%5Bb%5D%5Bc%5D%5B0%5D=x&q%5Bb%5D%5Bc%5D%5B1%5D=y',
    ],
    ['an object', {}, { a: 1, b: 'x&y' }, '?a=1&b=x%26y'],
    ['an object without explode', { explode: false }, { a: 1, b: 2 }, '?q=a,1,b,2'],
    ['JSON', { schema: undefined, content: { 'application/json': { schema: {} } } }, { a: [1] }, '?q=%7B%22a%22%3A%5B1%5D%7D'],
    ['an empty list', {}, [], ''],
    ['null', {}, null, ''],
    ['false', {}, false, '?q=false'],
    ['an empty text', {}, '', '?q='],
    ['an object in a list', {}, [{ a: 1 }], '?q=%7B%22a%22%3A1%7D'],
  ])('writes %s', (_name, more, value, expected) => {
    expect(urlOf(query('q', more), { q: value })).toBe(`/it${expected}`);
  });

  it('says exactly what was given, under names of any kind', () => {
    const text = hostile.filter((value) => value.isWellFormed());
    fc.assert(
      fc.property(
        text.filter((name) => name !== ''),
        fc.array(text),
        (name, values) => {
          const operation = query(name);
          const [arg = ''] = operation.parameters.map((parameter) => parameter.arg);
          const request = build(operation, { [arg]: values });
          if (typeof request === 'string') throw new Error(request);
          const url = new URL(request.url);
          expect([...url.searchParams]).toEqual(values.map((value) => [name, value]));
          expect(url.pathname + url.hash).toBe('/v1/it');
        },
      ),
      runs(300),
    );
  });

  it('is in the order of the document', () => {
    const operation = readOne({ parameters: ['b', 'a', 'c'].map((name) => ({ name, in: 'query' })) });
    expect(urlOf(operation, { a: 1, b: 2, c: [3, 4] })).toBe('/it?b=2&a=1&c=3&c=4');
  });

  it('cannot set or repeat what the credentials set', () => {
    const request = build(query('api_key'), { api_key: ['mine', 'other'] }, { query: { api_key: 'se&cret' } });
    expect(request).toMatchObject({ url: `${BASE}/it?api_key=se%26cret` });
    const deep = query('x', {});
    expect(urlOf(deep, { x: { api_key: 'mine', y: 1 } }, { query: { api_key: 's' } })).toBe('/it?y=1&api_key=s');
  });

  it('keeps the text of numbers that a parse would change', () => {
    const args = parseExact('{"q":[12345678901234567890,0.1234567890123456789,1]}') as JsonObject;
    expect(urlOf(query('q'), args)).toBe('/it?q=12345678901234567890&q=0.1234567890123456789&q=1');
  });
});

describe('headers and cookies', () => {
  const operation = readOne({
    parameters: [
      { name: 'X-Trace', in: 'header', schema: {} },
      { name: 'Authorization', in: 'header', schema: {} },
      { name: 'Host', in: 'header', schema: {} },
      { name: 'X-Forwarded-For', in: 'header', schema: {} },
      { name: 'session', in: 'cookie', schema: {} },
    ],
  });

  it('are arguments, except those that are not for callers', () => {
    expect(operation.parameters.map(({ arg }) => arg)).toEqual(['X-Trace', 'session']);
    expect(
      build(operation, { 'X-Trace': [1, 'a'], session: 'a;b=c' }, { headers: { Cookie: 'k=v', Authorization: 'Bearer t' } }),
    ).toMatchObject({
      headers: {
        'x-trace': '1,a',
        cookie: 'session=a%3Bb%3Dc; k=v',
        authorization: 'Bearer t',
        accept: expect.stringContaining('application/json') as string,
      },
    });
  });

  it('cannot break a line, nor stand above the credentials', () => {
    expect(build(operation, { 'X-Trace': 'a\r\nHost: evil' })).toBe(
      'cannot send the value of "X-Trace" in a header: use one line of plain characters',
    );
    expect(build(operation, { 'X-Trace': 'mine' }, { headers: { 'x-trace': 'theirs' } })).toMatchObject({
      headers: { 'x-trace': 'theirs' },
    });
  });
});

describe('a body', () => {
  const posting = (
    schema: JsonObject,
    { type = 'application/json', required = true, more = {} as JsonObject, path = '/it' } = {},
  ): ApiOperation => readOne({ requestBody: { required, content: { [type]: { schema, ...more } } } }, { method: 'post', path });
  const bodyOf = (operation: ApiOperation, args: JsonObject): unknown => {
    const request = build(operation, args);
    return typeof request === 'string' ? request : [request.headers['content-type'], request.body];
  };
  const order = { type: 'object', properties: { id: { type: 'string' }, 'a b': {}, note: { type: ['string', 'null'] } }, required: ['id'] };

  it('is made of its members, under their own names; null only where it is a value', () => {
    const operation = posting(order);
    expect(bodyOf(operation, { id: 'x', a_b: 1, note: null })).toEqual(['application/json', '{"id":"x","a b":1,"note":null}']);
    expect(bodyOf(operation, { id: null })).toEqual(['application/json', '{}']);
    expect(bodyOf(posting(order, { required: false }), {})).toEqual([undefined, undefined]);
  });

  it('is one argument where a member has the name of a parameter, or its form is open', () => {
    const clash = posting(order, { path: '/it/{id}' });
    expect(clash.definition.inputSchema).toMatchObject({
      properties: { id: { type: 'string' }, body: { type: 'object' } },
      required: ['id', 'body'],
    });
    expect(build(clash, { id: '1', body: { id: '2' } })).toMatchObject({ url: `${BASE}/it/1`, body: '{"id":"2"}' });
    for (const schema of [{ ...order, additionalProperties: {} }, { type: 'array' }, { oneOf: [order] }, {}])
      expect(posting(schema).body).toMatchObject({ whole: 'body', members: [] });
  });

  it('may be a form or text', () => {
    const form = posting(
      { type: 'object', properties: { a: {}, b: { type: 'array' }, c: { type: 'object' }, d: { type: 'object' } } },
      { type: 'application/x-www-form-urlencoded', more: { encoding: { c: { style: 'deepObject', explode: true } } } },
    );
    expect(bodyOf(form, { a: 'x y', b: [1, 2], c: { k: 'v' }, d: { k: 1 } })).toEqual([
      'application/x-www-form-urlencoded',
      'a=x%20y&b=1&b=2&c%5Bk%5D=v&d=%7B%22k%22%3A1%7D',
    ]);
    expect(bodyOf(posting({}, { type: 'text/plain' }), { body: 'hello' })).toEqual(['text/plain', 'hello']);
  });

  it('is the JSON that was given', () => {
    const operation = posting({ description: 'anything' });
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        if (value === null) return;
        const request = build(operation, { body: value });
        expect(isObject(request) && JSON.parse(request.body as string)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
      runs(100),
    );
    const args = parseExact('{"body":{"n":12345678901234567890,"m":1e400}}') as JsonObject;
    expect(bodyOf(operation, args)).toEqual(['application/json', '{"n":12345678901234567890,"m":1e400}']);
  });
});
