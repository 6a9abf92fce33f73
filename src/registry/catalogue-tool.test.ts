import { describe, expect, it } from 'vitest';
import { jsonText, readTools, type JsonObject } from '../protocol/index.ts';
import { catalogueTools, type CatalogueOptions } from './catalogue-tool.ts';

const tool = (name: string, more: JsonObject = {}): JsonObject => ({ name, inputSchema: { type: 'object' }, ...more });
const read = (tools: readonly JsonObject[], options: Partial<CatalogueOptions> = {}) =>
  catalogueTools(readTools(jsonText({ tools })), { strictHeaders: true, maxTools: 10, ...options });
const names = ({ tools }: ReturnType<typeof read>): string[] => tools.map(({ definition }) => definition.name);

describe('catalogueTools', () => {
  it('keeps the order, and takes what it does not know for a write', () => {
    const reading = read([tool('b'), tool('a'), tool('__proto__')]);
    expect(names(reading)).toEqual(['b', 'a', '__proto__']);
    expect(reading.tools[0]).toMatchObject({ sideEffect: 'write', scopes: [], headerParams: [], result: undefined });
    expect(reading.warnings).toEqual([]);
  });

  it('asks for the traits of each tool', () => {
    const reading = read([tool('r'), tool('w')], {
      traits: ({ name }) => ({ sideEffect: name === 'r' ? 'read' : 'write', scopes: [name] }),
    });
    expect(reading.tools.map(({ sideEffect, scopes }) => [sideEffect, scopes])).toEqual([
      ['read', ['r']],
      ['write', ['w']],
    ]);
  });

  it('leaves out what cannot be used, with a warning each, and keeps the rest', () => {
    const reading = read([tool('a'), { name: 'bad' }, tool('a', { title: 'second' }), tool('b')]);
    expect(names(reading)).toEqual(['a', 'b']);
    expect(reading.tools[0]?.definition.value.title).toBeUndefined();
    expect(reading.warnings).toEqual([
      'tool bad is left out: its inputSchema is not an object',
      'tool a is left out: the server lists the name twice',
    ]);
  });

  it('takes no more than maxTools, and no more warnings than a person reads', () => {
    const reading = read(
      Array.from({ length: 1000 }, (_, i) => tool(`t${i}`)),
      { maxTools: 3 },
    );
    expect(names(reading)).toEqual(['t0', 't1', 't2']);
    expect(reading.warnings[0]).toBe('tool t3 is left out: more than 3 tools');
    expect(reading.warnings).toHaveLength(101);
    expect(reading.warnings.at(-1)).toBe('897 more tools are left out');
  });

  it('an invalid x-mcp-header costs the tool over modern HTTP, and the annotation elsewhere (PROTOCOL C3)', () => {
    const bad = tool('bad', { inputSchema: { type: 'object', properties: { n: { type: 'number', 'x-mcp-header': 'N' } } } });
    const good = tool('good', { inputSchema: { type: 'object', properties: { n: { type: 'integer', 'x-mcp-header': 'N' } } } });
    const strict = read([bad, good]);
    expect(names(strict)).toEqual(['good']);
    expect(strict.tools[0]?.headerParams).toEqual([{ header: 'N', path: ['n'], type: 'integer' }]);
    expect(strict.warnings).toEqual([expect.stringMatching(/^tool bad is left out: x-mcp-header/)]);
    const loose = read([bad, good], { strictHeaders: false });
    expect(names(loose)).toEqual(['bad', 'good']);
    expect(loose.tools[0]?.headerParams).toEqual([]);
    expect(loose.tools[0]?.definition.text).not.toContain('x-mcp-header');
    expect(loose.tools[1]?.definition.text).toContain('x-mcp-header');
    expect(loose.warnings).toEqual([]);
  });

  it('compiles a schema on first use, once, and says why there is none', () => {
    const [first, second] = read([
      tool('a', { inputSchema: { type: 'object', required: ['x'] }, outputSchema: { $ref: 'https://example.com/s' } }),
      tool('b', { outputSchema: { type: 'object', required: ['y'] } }),
    ]).tools;
    const check = first?.arguments();
    expect(check).toBe(first?.arguments());
    expect(check && 'validate' in check && check.validate({})).toHaveLength(1);
    expect(first?.result?.()).toEqual({ skipped: expect.stringContaining("can't resolve") as string });
    const result = second?.result?.();
    expect(result && 'validate' in result && [result.validate({}), result.validate({ y: 1 })]).toMatchObject([[{ path: '' }], undefined]);
  });
});
