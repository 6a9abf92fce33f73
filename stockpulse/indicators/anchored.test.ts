import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Market, slice, sizeOf, TIMEFRAMES } from '../simulator/index.ts';
import { anchoredColumns } from './anchored.ts';
import { INDICATOR_NAMES, type Indicator, makeIndicator } from './catalogue.ts';
import { ema } from './averages.ts';
import { rsi } from './rsi.ts';

const SCALE = Number(process.env.STOCKPULSE_TEST_SCALE ?? 1);
const market = new Market(1);
const NOW = Date.parse('2026-11-20T14:07:31-05:00');
const LAST = 9290;

function indicator(name: (typeof INDICATOR_NAMES)[number], intraday: boolean, params = {}): Indicator {
  const made = makeIndicator(name, params, intraday);
  if ('problem' in made) throw new Error(made.problem);
  return made;
}

describe('a value', () => {
  it('is the same to the last bit whatever window it is asked in, alone or with others', () => {
    const all = (intraday: boolean): Indicator[] => INDICATOR_NAMES.map((name) => indicator(name, intraday));
    fc.assert(
      fc.property(
        fc.constantFrom(...market.listings.slice(0, 8)),
        fc.constantFrom(...TIMEFRAMES),
        fc.nat(40),
        fc.nat(40),
        (listing, timeframe, skip, more) => {
          const intraday = timeframe.endsWith('Min') || timeframe === '1Hour';
          const bars = listing.series({ timeframe, from: intraday ? LAST - 8 : LAST - 900, to: LAST, adjustment: 'split', now: NOW });
          const request = { listing, timeframe, now: NOW };
          const [wide, narrow] = [
            slice(bars, Math.max(0, sizeOf(bars) - 45 - more), sizeOf(bars)),
            slice(bars, sizeOf(bars) - 41, sizeOf(bars) - skip),
          ];
          const together = anchoredColumns(all(intraday), wide, request);
          const alone = all(intraday).flatMap((one) => anchoredColumns([one], narrow, request));
          const shift = sizeOf(wide) - 41;
          alone.forEach((column, i) => expect(column).toEqual(together[i]?.subarray(shift, shift + sizeOf(narrow))));
          expect(together.flatMap((column) => [...column.subarray(-1)]).every(Number.isFinite)).toBe(true);
        },
      ),
      { numRuns: 40 * SCALE },
    );
  });

  it('is what feeding all data since 1990 gives, to 1e-9', () => {
    for (const listing of market.listings.slice(0, 10)) {
      const everything = listing.series({ timeframe: '1Day', from: 0, to: LAST, adjustment: 'split', now: NOW });
      const newest = slice(everything, sizeOf(everything) - 500, sizeOf(everything));
      const request = { listing, timeframe: '1Day', now: NOW } as const;
      for (const period of [2, 14, 50, 200]) {
        const [strength = new Float64Array(), average = new Float64Array()] = anchoredColumns(
          [indicator('RSI', false, { period }), indicator('EMA', false, { period })],
          newest,
          request,
        );
        rsi(everything.close, period)
          .subarray(-500)
          .forEach((value, i) => expect(Math.abs((strength[i] ?? 0) - value)).toBeLessThan(1e-9));
        ema(everything.close, period)
          .subarray(-500)
          .forEach((value, i) => expect(Math.abs((average[i] ?? 0) / value - 1)).toBeLessThan(1e-9));
      }
    }
  });

  it('joins smoothly where two blocks of the grid meet', () => {
    const [listing] = market.listings;
    if (!listing) throw new Error('no listing');
    const bars = listing.series({ timeframe: '1Hour', from: LAST - 400, to: LAST, adjustment: 'split', now: NOW });
    const [blocks = new Float64Array()] = anchoredColumns([indicator('RSI', true)], bars, { listing, timeframe: '1Hour', now: NOW });
    const early = listing.series({ timeframe: '1Hour', from: LAST - 700, to: LAST, adjustment: 'split', now: NOW });
    rsi(early.close, 14)
      .subarray(-sizeOf(bars))
      .forEach((value, i) => expect(Math.abs((blocks[i] ?? 0) - value)).toBeLessThan(1e-9));
  });
});

describe('parameters', () => {
  it('are refused where they do not belong or contradict', () => {
    expect(makeIndicator('RSI', { fast: 3 }, false)).toEqual({ problem: 'RSI has no parameter fast; it takes period' });
    expect(makeIndicator('OBV', { period: 3 }, false)).toEqual({ problem: 'OBV has no parameter period; it takes none' });
    expect(makeIndicator('MACD', { fast: 26, slow: 12 }, false)).toHaveProperty('problem');
  });
});
