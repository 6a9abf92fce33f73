import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AppError } from '../shared/index.ts';
import { arrayItems, duplicateKey, jsonText, memberOf, objectSpan, spliceObject } from './json-text.ts';
import { AWKWARD, jsonSource, key, objectSource, runs } from './test-support.ts';

const parsed = (text: string): unknown => JSON.parse(text);

describe('objectSpan', () => {
  it('finds the members that JSON.parse finds, with the bytes of their values', () => {
    fc.assert(
      fc.property(objectSource(), fc.stringMatching(/^[ \n\t\r]{0,3}$/), (text, pad) => {
        const source = pad + text;
        const span = objectSpan(source);
        const value = parsed(source) as Record<string, unknown>;
        expect(source.slice(span.start, span.end)).toBe(text);
        expect(span.members.map((member) => member.key).sort()).toEqual(Object.keys(value).sort());
        for (const { key: name, start, end } of span.members) expect(parsed(source.slice(start, end))).toEqual(value[name]);
      }),
      runs(500),
    );
  });

  it('decodes the escapes of keys', () => {
    const keys = ['\\', '"', '\n', '\\u0041', 'é', '\ud83d\ude00', '\u2028'];
    const text = `{${keys.map((name) => `${JSON.stringify(name)}:1`).join(',')},"\\u0041\\ud83d\\ude00\\/":2}`;
    expect(objectSpan(text).members.map((member) => member.key)).toEqual([...keys, 'A\ud83d\ude00/']);
  });

  it('keeps the text of numbers that a parse would change', () => {
    const text = '{"a":12345678901234567890,"b":-0,"c":1e400,"d":1.10}';
    expect(objectSpan(text).members.map(({ start, end }) => text.slice(start, end))).toEqual([
      '12345678901234567890',
      '-0',
      '1e400',
      '1.10',
    ]);
  });

  it('refuses what is nested deeper than it was told, and takes what is not', () => {
    const nested = (levels: number): string => `{"a":${'['.repeat(levels)}${']'.repeat(levels)}}`;
    expect(objectSpan(nested(5), 0, 5).members).toHaveLength(1);
    expect(() => objectSpan(nested(6), 0, 5)).toThrowError(expect.objectContaining({ code: 'json_too_deep' }));
  });

  it('ends on texts that are cut off or are no JSON at all', () => {
    const ends = (text: string): void => {
      for (const read of [() => objectSpan(text), () => arrayItems(text)])
        try {
          read();
        } catch (error) {
          expect(error instanceof AppError ? error.code : error).toEqual(
            error instanceof SyntaxError ? error : expect.stringMatching(/^json_/),
          );
        }
    };
    fc.assert(
      fc.property(jsonSource(), fc.nat(200), (text, cut) => ends(text.slice(0, cut % (text.length + 1)))),
      runs(500),
    );
    fc.assert(fc.property(fc.stringMatching(/^[[\]{},:"\\a1 ]{0,20}$/), ends), runs(500));
  });
});

describe('arrayItems', () => {
  it('gives the bytes of the elements, as JSON.parse sees them', () => {
    fc.assert(
      fc.property(fc.array(jsonSource(2), { maxLength: 5 }), (texts) => {
        const items = arrayItems(` [ ${texts.join(' ,\n')} ] `);
        expect(items).toEqual(texts);
      }),
      runs(300),
    );
  });
});

describe('memberOf and duplicateKey', () => {
  it('takes the last of two members, which is the one that JSON.parse keeps', () => {
    const text = '{"a":1,"b":2,"\\u0061":3}';
    const span = objectSpan(text);
    const member = memberOf(span, 'a');
    expect(member && text.slice(member.start, member.end)).toBe('3');
    expect(duplicateKey(span)).toBe('a');
  });

  it('finds no member under an inherited name', () => {
    for (const name of AWKWARD) expect(memberOf(objectSpan('{"x":1}'), name)).toBeUndefined();
  });

  it('agrees with a plain count for few and for many members', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...AWKWARD, 'a', 'b', ...Array.from({ length: 60 }, (_, i) => `k${i}`)), { maxLength: 60 }),
        (keys) => {
          const span = objectSpan(`{${keys.map((name) => `${JSON.stringify(name)}:1`).join(',')}}`);
          expect(duplicateKey(span) !== undefined).toBe(new Set(keys).size !== keys.length);
        },
      ),
      runs(300),
    );
  });
});

describe('spliceObject', () => {
  it('changes what the edits name and nothing else, whatever the keys are called', () => {
    fc.assert(
      fc.property(
        objectSource(),
        fc.uniqueArray(fc.tuple(key(), fc.option(jsonSource(1))), { maxLength: 4, selector: ([name]) => name }),
        (text, edits) => {
          const spliced = spliceObject(text, objectSpan(text), Object.fromEntries(edits));
          const expected = new Map(Object.entries(parsed(text) as object) as [string, unknown][]);
          for (const [name, json] of edits) {
            if (json === null) expected.delete(name);
            else expected.set(name, parsed(json));
          }
          const result = parsed(spliced) as object;
          expect(new Map(Object.entries(result))).toEqual(expected);
          const changed = new Set(edits.map(([name]) => name));
          for (const { key: name, keyStart, end } of objectSpan(text).members)
            if (!changed.has(name)) expect(spliced).toContain(text.slice(keyStart, end));
        },
      ),
      runs(500),
    );
  });

  it('leaves a member with an inherited name alone', () => {
    const text = '{"__proto__":1,"constructor":2,"toString":[3]}';
    expect(spliceObject(text, objectSpan(text), { name: '"n"' })).toBe('{"__proto__":1,"constructor":2,"toString":[3],"name":"n"}');
    expect(spliceObject(text, objectSpan(text), { constructor: null })).toBe('{"__proto__":1,"toString":[3]}');
  });

  it('replaces both of two members, so that no reader sees the old one', () => {
    const text = '{"a":1,"a":2}';
    expect(spliceObject(text, objectSpan(text), { a: '3' })).toBe('{"a":3,"a":3}');
    expect(spliceObject(text, objectSpan(text), { a: null })).toBe('{}');
  });
});

describe('jsonText', () => {
  it('is the text and the value', () => {
    expect(jsonText({ a: [1] })).toEqual({ text: '{"a":[1]}', value: { a: [1] } });
  });
});
