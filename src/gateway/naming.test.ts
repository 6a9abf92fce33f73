import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exposedName, joinedName, MAX_TOOL_NAME, serverOfName } from './naming.ts';

const server = fc.stringMatching(/^[a-z0-9-]{1,32}$/);
const upstream = (name: string) => ({ name, kind: 'upstream' as const });
const own = { name: 'stockpulse', kind: 'stockpulse' as const };

/** Names as an upstream that wants to be taken for another would choose them: pieces of other names, and their short forms. */
const nameOfTool = fc.oneof(
  fc.string({ maxLength: 100 }),
  fc.string({ unit: 'binary', maxLength: 80 }),
  fc.array(fc.constantFrom('__', '_', 'a', 'files', 'b__c', '\ud83d', '\ude00'), { maxLength: 40 }).map((parts) => parts.join('')),
  fc.tuple(server, fc.string({ minLength: 60, maxLength: 90 })).map(([name, tool]) => joinedName(name, tool)),
  fc.tuple(server, fc.string({ minLength: 60, maxLength: 90 })).map(([name, tool]) => joinedName(name, tool).slice(name.length + 2)),
);

describe('names on the joined endpoint', () => {
  it('carry the server, stay within 64 characters and stay distinct when cut', () => {
    expect(joinedName('files', 'read_file')).toBe('files__read_file');
    const long = 'a_very_long_tool_name_that_goes_on_and_on_until_it_does_not_fit';
    const first = joinedName('some-server', `${long}_one`);
    expect(first).toHaveLength(MAX_TOOL_NAME);
    expect(first).not.toBe(joinedName('some-server', `${long}_two`));
    expect(first).toBe(joinedName('some-server', `${long}_one`));
    expect(serverOfName(first)).toBe('some-server');
    expect(joinedName('a', '_b')).not.toBe(joinedName('a_', 'b').replace('a_', 'a'));
  });

  it('never pass for the short form of another, which a server could otherwise compute', () => {
    const short = joinedName('files', 'x'.repeat(80));
    const forged = short.slice('files__'.length);
    expect(joinedName('files', forged)).not.toBe(short);
    expect(joinedName('files', forged)).toHaveLength(MAX_TOOL_NAME);
  });

  it('cut no character in half', () => {
    const name = joinedName('s', `${'x'.repeat(47)}\u{1f600}${'y'.repeat(40)}`);
    expect(name).toHaveLength(MAX_TOOL_NAME);
    expect(name.isWellFormed()).toBe(true);
  });

  it('leave StockPulse its own, unless one looks like an upstream tool', () => {
    expect(exposedName(own, 'get_price')).toBe('get_price');
    expect(exposedName(own, '_private__x')).toBe('_private__x');
    expect(exposedName(own, 'files__read')).toBe('stockpulse__files__read');
    expect(exposedName(upstream('files'), 'read')).toBe('files__read');
  });

  it('are one to one, whatever servers call their tools', () => {
    const source = fc.oneof(server.map(upstream), fc.constant(own));
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(source, nameOfTool), { maxLength: 40, selector: ([{ name }, tool]) => `${name}\0${tool}` }),
        (all) => {
          const names = all
            .filter(([{ name, kind }]) => kind === 'stockpulse' || name !== 'stockpulse')
            .map(([entry, tool]) => exposedName(entry, tool));
          expect(new Set(names).size).toBe(names.length);
        },
      ),
    );
  });

  it('of upstreams fit and name their server', () => {
    fc.assert(
      fc.property(server, nameOfTool, (name, tool) => {
        const joined = joinedName(name, tool);
        expect(joined.length).toBeLessThanOrEqual(MAX_TOOL_NAME);
        expect(serverOfName(joined)).toBe(name);
      }),
    );
  });
});
