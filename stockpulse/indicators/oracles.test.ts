import * as technicalindicators from 'technicalindicators';
import { ADX, BollingerBands, CCI, RSI, SMA, StochasticOscillator } from 'trading-signals';
import { describe, expect, it } from 'vitest';
import { Market } from '../simulator/index.ts';
import { adx } from './adx.ts';
import { atr } from './atr.ts';
import { type Column, ema, sma } from './averages.ts';
import { bollinger } from './bollinger.ts';
import { cci } from './cci.ts';
import { macd } from './macd.ts';
import { roc } from './roc.ts';
import { rsi } from './rsi.ts';
import { stochastic } from './stochastic.ts';
import { obv, rollingVwap, sessionVwap } from './volume.ts';

const BARS = 500;
const TOLERANCE = 1e-9;
const market = new Market(11);
const samples = market.listings
  .slice(0, 6)
  .map((listing) => listing.series({ timeframe: '1Day', from: 6000, to: 6000 + BARS - 1, adjustment: 'split', now: Date.UTC(2026, 0, 5) }));

/** Compares from the first value of both on; at least `least` values must be there. */
function agree(ours: Column, theirs: readonly (number | null | undefined)[], least: number): void {
  let compared = 0;
  theirs.forEach((value, i) => {
    if (value === null || value === undefined) return;
    const difference = Math.abs((ours[i] ?? Number.NaN) - value);
    expect([i, difference <= TOLERANCE * Math.max(1, Math.abs(value))]).toEqual([i, true]);
    compared++;
  });
  expect(compared).toBeGreaterThanOrEqual(least);
}

/** An oracle that leaves out the values it has not: pads it to the length of the bars. */
function padded<Value>(values: readonly Value[]): (Value | undefined)[] {
  return [...Array.from({ length: BARS - values.length }, () => undefined), ...values];
}

describe.each(samples.map((bars, i) => [market.listings[i]?.company.symbol, bars] as const))('indicators of %s', (_, bars) => {
  const candles = Array.from({ length: BARS }, (__, i) => ({
    open: bars.open[i] ?? 0,
    high: bars.high[i] ?? 0,
    low: bars.low[i] ?? 0,
    close: bars.close[i] ?? 0,
    volume: bars.volume[i] ?? 0,
  }));
  const close = [...bars.close];
  const hlc = { high: [...bars.high], low: [...bars.low], close };

  it.each([5, 20, 50, 200])('SMA %i is that of trading-signals', (period) => {
    const oracle = new SMA(period);
    agree(
      sma(bars.close, period),
      close.map((price) => oracle.add(price)),
      BARS - period + 1,
    );
  });

  it.each([2, 14, 30])('RSI %i is that of trading-signals', (period) => {
    const oracle = new RSI(period);
    agree(
      rsi(bars.close, period),
      close.map((price) => oracle.add(price)),
      BARS - period,
    );
  });

  it.each([
    [20, 2],
    [50, 2.5],
  ] as const)('Bollinger bands %i, %f are those of trading-signals', (period, deviations) => {
    const oracle = new BollingerBands(period, deviations);
    const theirs = close.map((price) => oracle.add(price));
    const ours = bollinger(bars.close, period, deviations);
    for (const band of ['upper', 'middle', 'lower'] as const)
      agree(
        ours[band],
        theirs.map((value) => value?.[band]),
        BARS - period + 1,
      );
  });

  it('CCI is that of trading-signals', () => {
    const oracle = new CCI(20);
    agree(
      cci(bars, 20),
      candles.map((candle) => oracle.add(candle)),
      481,
    );
  });

  it('the stochastic oscillator is that of trading-signals', () => {
    const oracle = new StochasticOscillator({ kPeriod: 14, kSlowingPeriod: 3, dPeriod: 3 });
    const theirs = candles.map((candle) => oracle.add(candle));
    const ours = stochastic(bars, { k: 14, smooth: 3, d: 3 });
    agree(
      ours.k,
      theirs.map((value) => value?.stochK),
      480,
    );
    agree(
      ours.d,
      theirs.map((value) => value?.stochD),
      480,
    );
  });

  it.each([9, 12, 26, 100])('EMA %i is that of technicalindicators', (period) => {
    agree(ema(bars.close, period), padded(technicalindicators.EMA.calculate({ period, values: close })), BARS - period + 1);
  });

  it('MACD is that of technicalindicators', () => {
    const settings = { fastPeriod: 12, slowPeriod: 26, signalPeriod: 9, SimpleMAOscillator: false, SimpleMASignal: false };
    const theirs = padded(technicalindicators.MACD.calculate({ ...settings, values: close }));
    const ours = macd(bars.close, { fast: 12, slow: 26, signal: 9 });
    agree(
      ours.line,
      theirs.map((value) => value?.MACD),
      475,
    );
    agree(
      ours.signal,
      theirs.map((value) => value?.signal),
      467,
    );
    agree(
      ours.histogram,
      theirs.map((value) => value?.histogram),
      467,
    );
  });

  it('ATR is that of technicalindicators', () => {
    agree(atr(bars, 14), padded(technicalindicators.ATR.calculate({ period: 14, ...hlc })), 486);
  });

  it('ADX comes to that of trading-signals once the start has faded', () => {
    // On equal moves up and down Wilder counts neither, the oracle both: a nudge makes sure that there are none.
    const high = bars.high.map((value, i) => value * (1 + (i % 7) * 1e-5));
    const oracle = new ADX(14);
    const theirs = candles.map((candle, i) => oracle.add({ ...candle, high: high[i] ?? 0 }));
    agree(
      adx({ ...bars, high }, 14).adx,
      theirs.map((value, i) => (i >= 14 * 34 ? value : null)),
      24,
    );
  });

  it('OBV moves as that of technicalindicators', () => {
    const theirs = technicalindicators.OBV.calculate({ close, volume: [...bars.volume] });
    agree(obv(bars, false), padded(theirs), 499);
  });

  it('ROC is that of technicalindicators, as a fraction', () => {
    const theirs = technicalindicators.ROC.calculate({ period: 12, values: close });
    agree(
      roc(bars.close, 12),
      padded(theirs).map((value) => (value === undefined ? undefined : value / 100)),
      488,
    );
  });

  it('VWAP over all bars is that of technicalindicators', () => {
    const theirs = technicalindicators.VWAP.calculate({ ...hlc, volume: [...bars.volume] });
    agree(sessionVwap({ ...bars, session: new Int32Array(BARS) }), padded(theirs), BARS);
    expect(rollingVwap(bars, BARS).at(-1)).toBeCloseTo(theirs.at(-1) ?? 0, 9);
  });
});

describe('indicators without movement', () => {
  const flat = new Float64Array(60).fill(10);
  const bars = { high: flat, low: flat, close: flat, volume: flat, session: new Int32Array(60) };

  it('have plain values instead of divisions by zero', () => {
    expect(rsi(flat, 14).at(-1)).toBe(50);
    expect(stochastic(bars, { k: 14, smooth: 3, d: 3 }).d.at(-1)).toBe(50);
    expect(adx(bars, 14).adx.at(-1)).toBe(0);
    expect(cci(bars, 20).at(-1)).toBe(0);
    expect(atr(bars, 14).at(-1)).toBe(0);
  });

  it('have no value before their warm-up', () => {
    expect([...sma(flat, 20)].findIndex((value) => !Number.isNaN(value))).toBe(19);
    expect([...rsi(flat, 14)].findIndex((value) => !Number.isNaN(value))).toBe(14);
    expect([...sma(flat.subarray(0, 5), 20)].every(Number.isNaN)).toBe(true);
  });
});
