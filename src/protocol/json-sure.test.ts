import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeMessage } from './envelope.ts';
import { surely, unsureKey } from './json-sure.ts';
import { objectSource, runs } from './test-support.ts';

describe('unsureKey', () => {
  it.each([
    ['{"a":{"b":1,"b":2}}', 'b'],
    ['{"a":{"b":1,"\\u0062":2}}', 'b'],
    ['[{"a":[{"x":{},"y":1,"x":[]}]}]', 'x'],
    ['{"__proto__":1,"__proto__":1}', '__proto__'],
    ['{"a":1,"a":2,"b":3}', 'a'],
    ['{"b":0,"a":1,"\\u0061":2,"c":["d"],"e":{}}', 'a'],
    ['{"a":{"x":1},"a":{"y":2}}', 'a'],
    ['{"x":{"a":1},"y":[{"a":"a","b":"\\"}{"},{"b":1,"a":1,"b":2}],"a":1}', 'b'],
  ])('finds the member that stands twice, at any depth: %s', (text, found) => {
    expect(unsureKey(text, JSON.parse(text))).toBe(found);
  });

  it('finds a member that the parsed value has under another name', () => {
    expect(unsureKey('{"k":1,"\\u006dode":2}', { k: 1, '\\u00': 2 })).toBe('mode');
    expect(unsureKey('{"k":[{"a":1}]}', { k: [{}] })).toBe('a');
    expect(unsureKey('{"k":{"a":1}}', { k: null })).toBe('a');
    expect(unsureKey('{"k":[{"a":1}]}', { k: 1 })).toBe('a');
  });
});

describe('surely', () => {
  it('gives the same object where it was read right, and what the text says where not', () => {
    const text = '{"k":[{"a":-0,"\\u006dode":[1,"\\n",null,true]}], "__proto__" : {"x":{}}}';
    const right = JSON.parse('{"k":[{"a":-0,"mode":[1,"\\n",null,true]}],"__proto__":{"x":{}}}') as unknown;
    expect(surely(text, right)).toBe(right);
    const read = surely<unknown>(text, { k: [{ a: -0, '\\u00': [1, '\n', null, true] }] });
    expect(JSON.stringify(read)).toBe(JSON.stringify(right));
    expect(Object.getPrototypeOf(read)).toBe(Object.prototype);
  });

  it('reads keys right after texts that lead V8 astray', () => {
    for (const [poison, text, key] of [
      ['{"k1":1,"\\\\":2}', '{"k1":1,"\\u0020":2}', ' '],
      ['{"k2":1,"\\\\":2}', '{"k2":1,"\\n":2}', '\n'],
      ['{"k3":1,"\\\\u00":2}', '{"k3":1,"\\u006dode":2}', 'mode'],
    ] as const) {
      for (let i = 0; i < 3; i++) JSON.parse(poison);
      expect(Object.keys(surely(text, JSON.parse(text) as object))[1]).toBe(key);
    }
  });

  it('reads what JSON.parse reads, of any object', () => {
    fc.assert(
      fc.property(objectSource(), (text) => {
        const parsed = JSON.parse(text) as unknown;
        expect(unsureKey(text, parsed)).toBeUndefined();
        const source = `{"\\\\":0,"o":${text}}`;
        const read = surely<unknown>(source, 'misread') as Record<string, unknown>;
        expect(Object.keys(read)).toEqual(['\\', 'o']);
        expect(read.o).toEqual(parsed);
        expect(JSON.stringify(read.o)).toBe(JSON.stringify(parsed));
      }),
      runs(300),
    );
  });
});

describe('decodeMessage', () => {
  const request = (args: string) =>
    decodeMessage(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"place_order","arguments":${args}}}`);

  it('checks the arguments that the upstream will read', () => {
    for (let i = 0; i < 3; i++) request('{"symbol":"A","\\\\u00":"live"}');
    expect(request('{"symbol":"A","\\u006dode":"live"}')).toMatchObject({
      kind: 'request',
      params: { value: { arguments: { mode: 'live' } } },
    });
  });

  it('refuses arguments that stand twice, at any depth', () => {
    expect(request('{"qty":"1","qty":"1000"}')).toMatchObject({
      kind: 'invalid',
      idText: '1',
      error: { code: -32600, message: expect.stringContaining('"qty"') as string },
    });
    expect(request('{"legs":[{"qty":"1","\\u0071ty":"1000"}]}')).toMatchObject({ kind: 'invalid', idText: '1' });
  });
});
