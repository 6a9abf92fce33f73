import { describe, expect, it } from 'vitest';
import { resolvePointer, withoutOptionalNulls } from './optional-nulls.ts';

describe('resolvePointer', () => {
  const root = { $defs: { 'a/b': { '~': [1, { c: 2 }] } }, x: null };

  it.each([
    ['#', root],
    ['#/$defs/a~1b/~0/1/c', 2],
    ['#/x', null],
    ['#/x/y', undefined],
    ['#/none', undefined],
    ['#/constructor', undefined],
    ['#/$defs/__proto__', undefined],
    ['other#/x', undefined],
    ['', undefined],
  ])('%s', (ref, expected) => {
    expect(resolvePointer(root, ref)).toEqual(expected);
  });
});

describe('withoutOptionalNulls (PROTOCOL A7)', () => {
  it('gives the same object where there is nothing to take', () => {
    const value = { a: 1, b: [{ c: 2 }], d: { e: null } };
    expect(withoutOptionalNulls(value, { properties: { a: {}, b: { items: { properties: { c: {} } } }, d: {} } })).toBe(value);
    expect(withoutOptionalNulls(value, true)).toBe(value);
    expect(withoutOptionalNulls(null, { properties: {} })).toBe(null);
  });

  it('looks through properties, items and local references, and changes a copy only', () => {
    const filter = { properties: { op: { type: 'string' }, value: {} }, required: ['value'] };
    const schema = {
      $defs: { filter, self: { $ref: '#/$defs/filter' } },
      properties: { filters: { items: { $ref: '#/$defs/self' } }, one: filter },
    };
    const value = {
      filters: [
        { op: null, value: null },
        { op: '<', value: 1 },
      ],
      one: { op: null, value: 1 },
    };
    const before = structuredClone(value);
    expect(withoutOptionalNulls(value, schema)).toEqual({ filters: [{ value: null }, { op: '<', value: 1 }], one: { value: 1 } });
    expect(value).toEqual(before);
  });

  it('leaves nulls that are elements, unknown members or required', () => {
    const value = { list: [null], more: null, need: null };
    expect(withoutOptionalNulls(value, { properties: { list: { items: { type: 'string' } }, need: {} }, required: ['need'] })).toBe(value);
  });

  it('ends on references in a circle and takes inherited names for what they are', () => {
    expect(withoutOptionalNulls({ a: null }, { $ref: '#/$defs/x', $defs: { x: { $ref: '#/$defs/x' } } })).toEqual({ a: null });
    const odd = JSON.parse('{"__proto__":null,"constructor":null,"a":{"__proto__":{"b":null}}}') as object;
    expect(withoutOptionalNulls(odd, { properties: { a: { properties: { b: {} } } } })).toBe(odd);
    const schema = JSON.parse('{"properties":{"__proto__":{"properties":{"b":{}}}}}') as object;
    const pruned = withoutOptionalNulls(JSON.parse('{"__proto__":{"b":null,"c":1}}'), schema) as object;
    expect(JSON.stringify(pruned)).toBe('{"__proto__":{"c":1}}');
    expect(Object.getPrototypeOf(pruned)).toBe(Object.prototype);
  });
});
