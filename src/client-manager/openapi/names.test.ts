import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArgumentNames, toolNames, type Named } from './naming.ts';
import { matches } from './select.ts';

const named = (operationId: string | undefined, key: string): Named => ({ operationId, key });

describe('toolNames', () => {
  it('takes the operationId, else method and path', () => {
    const names = toolNames([named('repos/list-for-user', 'GET /a'), named(undefined, 'GET /users/{id}/posts'), named('ключ', 'POST /b')]);
    expect([...names.values()]).toEqual(['repos_list-for-user', 'get_users_id_posts', 'post_b']);
  });

  it('gives all that would have the same name a tail of their own', () => {
    const names = [...toolNames([named('a b', 'GET /a'), named('a/b', 'GET /b'), named('c', 'GET /c')]).values()];
    expect(names[0]).toMatch(/^a_b-[0-9a-f]{8}$/);
    expect(names[1]).toMatch(/^a_b-[0-9a-f]{8}$/);
    expect(new Set(names).size).toBe(3);
  });

  it('is valid, distinct and the same in any order', () => {
    const id = fc.option(fc.oneof(fc.constantFrom('a', 'a.b', 'a b', 'x'.repeat(80), `${'x'.repeat(80)}y`), fc.string()), {
      nil: undefined,
    });
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(id, fc.string()), { selector: ([, key]) => key, maxLength: 30 }), (list) => {
        const operations = list.map(([operationId, key]) => named(operationId, key));
        const names = toolNames(operations);
        expect(new Set(names.values()).size).toBe(operations.length);
        for (const name of names.values()) expect(name).toMatch(/^[A-Za-z0-9_.-]{1,64}$/);
        const again = toolNames(operations.toReversed());
        for (const { key } of operations) expect(again.get(key)).toBe(names.get(key));
      }),
    );
  });
});

describe('ArgumentNames', () => {
  it('gives each a plain name that no other has', () => {
    const names = new ArgumentNames();
    const given = ['id', 'id', 'id', 'filter[name]', '$top', 'ключ'].map((name) => names.take(name, 'query'));
    expect(given).toEqual(['id', 'query_id', 'id_2', 'filter_name', 'top', 'query']);
  });
});

describe('matches', () => {
  it.each([
    ['a*c', 'abc', true],
    ['a*c', 'ac', true],
    ['a*ca', 'aca', true],
    ['aa*aa', 'aaa', false],
    ['*', '', true],
    ['GET /v2/*/{id}', 'GET /v2/things/{id}', true],
    ['a.c', 'abc', false],
    ['*b*', 'ab', true],
    ['a**b', 'ab', true],
  ])('%s on %s', (pattern, text, expected) => {
    expect(matches(pattern, text)).toBe(expected);
  });

  it('finds any text that a star stands for, and takes no time for many stars', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { minLength: 1 }), fc.array(fc.string()), (parts, fill) => {
        const plain = parts.map((part) => part.replaceAll('*', ''));
        expect(matches(plain.join('*'), plain.map((part, i) => part + (i === plain.length - 1 ? '' : (fill[i] ?? ''))).join(''))).toBe(
          true,
        );
      }),
    );
    expect(matches('*a'.repeat(2_000), 'a'.repeat(1_999))).toBe(false);
  });
});
