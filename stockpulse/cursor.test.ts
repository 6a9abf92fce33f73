import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CursorSealer } from './cursor.ts';
import { ApiError } from './errors.ts';

const sealer = new CursorSealer(1);
const QUERY = ['history', ['AAPL'], '1Day'];
const cursor = sealer.seal(QUERY, { asOf: 1000, position: [7, -2] });

describe('a cursor', () => {
  it('comes back as it was for its own query', () => {
    expect(sealer.open(QUERY, cursor, 1000, 2)).toEqual({ asOf: 1000, position: [7, -2] });
    expect(new CursorSealer(1).open(QUERY, cursor, 5000, 2).position).toEqual([7, -2]);
  });

  it('is refused for another query, another platform, another route, or from the future', () => {
    const refused = (open: () => unknown): void => expect(open).toThrow(ApiError);
    refused(() => sealer.open(['history', ['MSFT'], '1Day'], cursor, 1000, 2));
    refused(() => new CursorSealer(2).open(QUERY, cursor, 1000, 2));
    refused(() => sealer.open(QUERY, cursor, 1000, 1));
    refused(() => sealer.open(QUERY, cursor, 999, 2));
  });

  it('is refused after any change, and so is any other text', () => {
    const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'.split('');
    fc.assert(
      fc.property(fc.nat(cursor.length - 1), fc.constantFrom(...letters), (at, letter) => {
        const changed = cursor.slice(0, at) + letter + cursor.slice(at + 1);
        if (changed !== cursor) expect(() => sealer.open(QUERY, changed, 1000, 2)).toThrow(ApiError);
      }),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(() => sealer.open(QUERY, text, 1000, 2)).toThrow(ApiError);
      }),
    );
    for (let end = 0; end < cursor.length; end++) expect(() => sealer.open(QUERY, cursor.slice(0, end), 1000, 2)).toThrow(ApiError);
  });
});
