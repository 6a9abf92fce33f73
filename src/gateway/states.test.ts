import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSealer } from '../security/index.ts';
import { openState, paramsDigest, sealState, STATE_LIFETIME_MS, type StateBinding } from './states.ts';
import { requestOf } from './testing.ts';

const sealer = createSealer(Buffer.alloc(32, 1));
const binding: StateBinding = { server: 's', principal: 'key:1', endpoint: '/mcp', method: 'tools/call', digest: 'd' };
const digestOf = (params: Record<string, unknown>): string => paramsDigest(requestOf('tools/call', params).params);

describe('a sealed state', () => {
  it('opens byte-exact for its own binding until it expires, and never looks the same', () => {
    verifies('mrtr-client-opaque');
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (state) => {
        // A lone surrogate has no bytes: no server can send one.
        fc.pre(state.isWellFormed());
        const sealed = sealState(sealer, state, binding, 1000);
        expect(openState(sealer, sealed, binding, 1000 + STATE_LIFETIME_MS - 1)).toBe(state);
        expect(openState(sealer, sealed, binding, 1000 + STATE_LIFETIME_MS)).toBeUndefined();
        expect(sealState(sealer, state, binding, 1000)).not.toBe(sealed);
      }),
    );
  });

  it('opens for no other server, principal, endpoint, method, params or key', () => {
    verifies('mrtr-rejected', 'mrtr-client-own');
    const sealed = sealState(sealer, 'x', binding, 0);
    for (const key of Object.keys(binding) as (keyof StateBinding)[])
      expect(openState(sealer, sealed, { ...binding, [key]: `${binding[key]}x` }, 0)).toBeUndefined();
    expect(openState(createSealer(Buffer.alloc(32, 2)), sealed, binding, 0)).toBeUndefined();
    expect(openState(sealer, sealer.seal('task', '[]'), binding, 0)).toBeUndefined();
    for (const wrong of ['', 'x', sealed.slice(1), `${sealed}x`]) expect(openState(sealer, wrong, binding, 0)).toBeUndefined();
  });

  it('does not mistake one binding for another that joins to the same text', () => {
    const sealed = sealState(sealer, 'x', { ...binding, server: 'a","b', principal: 'c' }, 0);
    expect(openState(sealer, sealed, { ...binding, server: 'a', principal: 'b","c' }, 0)).toBeUndefined();
  });
});

describe('the digest of params', () => {
  it('leaves out what differs between rounds, and does not depend on the order of members or the spelling of numbers', () => {
    const digest = digestOf({ name: 'x', arguments: { a: 1, b: [{ c: 2, d: 3 }] } });
    expect(digestOf({ arguments: { b: [{ d: 3, c: 2 }], a: 1 }, name: 'x', _meta: { y: 1 }, inputResponses: {}, requestState: 's' })).toBe(
      digest,
    );
    expect(paramsDigest(undefined)).toBe(digestOf({}));
  });

  it('differs for any other value', () => {
    const value = fc.dictionary(fc.string(), fc.jsonValue());
    fc.assert(
      fc.property(value, value, (a, b) => {
        const same = JSON.stringify(sorted({ v: a })) === JSON.stringify(sorted({ v: b }));
        expect(digestOf({ v: a }) === digestOf({ v: b })).toBe(same);
      }),
    );
    const digests = [{ a: 1 }, { a: '1' }, { a: [1] }, { a: { 0: 1 } }, { a: null }, {}, { a: 1, b: 1 }, { b: 1 }].map((v) =>
      digestOf({ v }),
    );
    expect(new Set(digests).size).toBe(digests.length);
  });
});

/** Members as sorted pairs: what `canonical` must tell apart, written differently. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return ['array', ...value.map(sorted)];
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return ['object', ...entries.map(([key, inner]) => [key, sorted(inner)])];
}
