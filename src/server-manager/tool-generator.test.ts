import { describe, expect, it } from 'vitest';
import { FACTS, object, route } from './test-support.ts';
import { generateTool } from './tool-generator.ts';

const invalid = (text: string) =>
  expect.objectContaining({ code: 'route_invalid', message: expect.stringContaining(text) as string }) as Error;

const order = route({
  params: object({ id: { type: 'string' } }, ['id']),
  query: object({ limit: { type: 'integer', default: 10 } }),
  body: object({ qty: { type: 'string' }, note: { type: 'string' } }, ['qty']),
});

describe('generateTool', () => {
  it('is nothing without mcp facts', () => {
    const { mcp: _facts, ...plain } = route();
    expect(generateTool(plain)).toBeUndefined();
  });

  it('makes the definition from the route: there is no second one', () => {
    expect(generateTool(order)?.definition).toEqual({
      name: 'get_it',
      title: 'Title',
      description: 'Long.',
      inputSchema: {
        type: 'object',
        properties: { id: { type: 'string' }, limit: { type: 'integer', default: 10 }, qty: { type: 'string' }, note: { type: 'string' } },
        required: ['id', 'qty'],
        additionalProperties: false,
      },
      outputSchema: { type: 'object', properties: { data: {} }, required: [] },
      annotations: { title: 'Title', ...FACTS.annotations },
    });
    expect(generateTool(route())?.definition.inputSchema).toEqual({ type: 'object', properties: {}, additionalProperties: false });
  });

  it('leaves symbols and undefined members of schema libraries behind', () => {
    const schema = { ...object({ a: { type: 'string', description: undefined, [Symbol('kind')]: 1 } }) };
    expect(JSON.stringify(generateTool(route({ query: schema }))?.definition.inputSchema)).toBe(
      '{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false}',
    );
  });

  it('puts each argument where the route takes it', () => {
    const tool = generateTool(order);
    expect(tool?.input({ id: 'x', limit: 5, qty: '1' })).toEqual({ params: { id: 'x' }, query: { limit: 5 }, body: { qty: '1' } });
    expect(tool?.input({ constructor: 1, unknown: 2 })).toEqual({ params: {}, query: {}, body: {} });
  });

  it('prepares arguments: defaults filled in, optional nulls dropped, unknown and missing ones named', () => {
    const tool = generateTool(order);
    expect(tool?.prepare({ id: 'x', qty: '1', limit: null, note: null })).toEqual({ ok: true, value: { id: 'x', qty: '1', limit: 10 } });
    expect(tool?.prepare({ id: 'x', qty: null })).toMatchObject({ ok: false, violations: [{ path: '/qty' }] });
    expect(tool?.prepare({ id: 'x' })).toMatchObject({ ok: false, violations: [{ message: 'needs the property "qty"' }] });
    expect(tool?.prepare({ id: 'x', qty: '1', more: 1 })).toMatchObject({ ok: false, violations: [{ message: 'has no property "more"' }] });
  });

  it.each([
    ['params and query', { params: object({ a: {} }), query: object({ a: {} }) }],
    ['params and body', { params: object({ a: {} }), body: object({ a: {} }) }],
    ['query and body', { query: object({ a: {} }), body: object({ a: {} }) }],
  ])('refuses one name in %s', (_where, places) => {
    expect(() => generateTool(route(places))).toThrow(invalid('cannot be both'));
  });

  it('refuses schemas whose arguments it would lose, and answers that are no objects', () => {
    expect(() => generateTool(route({ body: { anyOf: [object({ a: {} })] } }))).toThrow(invalid('body'));
    expect(() => generateTool(route({ query: { type: 'array' } }))).toThrow(invalid('query'));
    expect(() => generateTool(route({ response: { type: 'array' } }))).toThrow(invalid('answer with an object'));
    expect(() => generateTool(route({ response: { anyOf: [] } }))).toThrow(invalid('answer with an object'));
  });
});
