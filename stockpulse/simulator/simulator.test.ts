import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { firstSessionFrom, lastSessionUntil, MINUTE_MS, parseIsoDate, sessionAt, sessionMonth, sessionWeek } from '../calendar/index.ts';
import { type BarSeries, sizeOf, type Timeframe } from './bars.ts';
import { goldenHash } from './golden.ts';
import { type Listing, Market } from './market.ts';
import { COMPANIES, SECTORS } from './universe.ts';

const SCALE = Number(process.env.STOCKPULSE_TEST_SCALE ?? 1);
const GOLDEN = 'b8b968c5e35bfe19b751d59240d8efa0dcbee5fbf20693fba17268a44eea9b6b';

const market = new Market(1);
const LAST = lastSessionUntil(parseIsoDate('2026-11-20') ?? 0);
const NOW = sessionAt(LAST).postClose;
const indexOf = (date: string): number => firstSessionFrom(parseIsoDate(date) ?? 0);
const anyListing = fc.constantFrom(...market.listings);
const anySession = fc.integer({ min: 0, max: LAST });

function series(listing: Listing, timeframe: Timeframe, from: number, to: number, adjustment: 'raw' | 'all' = 'raw'): BarSeries {
  return listing.series({ timeframe, from, to, adjustment, now: NOW });
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function correlation(a: readonly number[], b: readonly number[]): number {
  const [meanA, meanB] = [mean(a), mean(b)];
  const product = mean(a.map((value, i) => (value - meanA) * ((b[i] ?? 0) - meanB)));
  return product / Math.sqrt(mean(a.map((value) => (value - meanA) ** 2)) * mean(b.map((value) => (value - meanB) ** 2)));
}

function returnsOf(listing: Listing): number[] {
  const { close } = series(listing, '1Day', 0, LAST, 'all');
  return Array.from({ length: LAST }, (_, i) => Math.log((close[i + 1] ?? 1) / (close[i] ?? 1)));
}

describe('determinism', () => {
  it('gives the pinned bytes here and in another process, and others for another seed', () => {
    const script = `import { goldenHash } from ${JSON.stringify(new URL('./golden.ts', import.meta.url).href)}; process.stdout.write(goldenHash(1));`;
    const cwd = fileURLToPath(new URL('../..', import.meta.url));
    const other = execFileSync(process.execPath, ['--input-type=module', '-e', script], { cwd, encoding: 'utf8', timeout: 60_000 });
    expect(goldenHash(1)).toBe(GOLDEN);
    expect(other).toBe(GOLDEN);
    expect(goldenHash(2)).not.toBe(GOLDEN);
  });

  it('does not depend on the order or the extent in which data is asked for', () => {
    const late = new Market(7);
    const early = new Market(7);
    for (const listing of early.listings.toReversed()) listing.daily(300);
    for (const [i, listing] of late.listings.entries()) {
      const there = early.listings[i]?.daily(5000);
      const here = listing.daily(9000);
      expect(there?.close.subarray(0, 5000)).toEqual(here.close.subarray(0, 5000));
      expect(early.listings[i]?.minutes(4321)).toEqual(listing.minutes(4321));
    }
  });
});

describe('bars', () => {
  it('are valid for every symbol over ten years', () => {
    const from = indexOf('2016-11-21');
    let checked = 0;
    for (const listing of market.listings) {
      const { open, high, low, close, volume } = listing.daily(LAST);
      for (let i = from; i <= LAST; i++) {
        const [o = 0, h = 0, l = 0, c = 0, v = -1] = [open[i], high[i], low[i], close[i], volume[i]];
        if (!(l > 0 && l <= Math.min(o, c) && h >= Math.max(o, c) && Number.isInteger(v) && v > 0))
          expect.fail(`${listing.company.symbol} ${i}`);
        checked++;
      }
    }
    expect(checked).toBe(60 * (LAST - from + 1));
  });

  it('of one minute add up exactly to the day', () => {
    const shortDays = fc.constantFrom('1990-12-24', '1999-12-31', '2013-07-03', '2024-07-03', '2025-11-28').map(indexOf);
    fc.assert(
      fc.property(anyListing, fc.oneof({ weight: 5, arbitrary: anySession }, shortDays), (listing, session) => {
        const minutes = series(listing, '1Min', session, session);
        const day = series(listing, '1Day', session, session);
        expect(minutes.open[0]).toBe(day.open[0]);
        expect(Math.max(...minutes.high)).toBe(day.high[0]);
        expect(Math.min(...minutes.low)).toBe(day.low[0]);
        expect(minutes.close.at(-1)).toBe(day.close[0]);
        expect(minutes.volume.reduce((sum, value) => sum + value, 0)).toBe(day.volume[0]);
        const { halt } = listing.minutes(session);
        expect(sizeOf(minutes)).toBe(sessionAt(session).minutes - (halt ? halt.until - halt.from : 0));
        for (let i = 0; i < sizeOf(minutes); i++) {
          const [o = 0, h = 0, l = 0, c = 0] = [minutes.open[i], minutes.high[i], minutes.low[i], minutes.close[i]];
          expect(l <= Math.min(o, c) && h >= Math.max(o, c)).toBe(true);
          expect(Number.isInteger(minutes.volume[i]) && (minutes.volume[i] ?? 0) > 0).toBe(true);
        }
      }),
      { numRuns: 150 * SCALE },
    );
  });

  it('of all lengths add up to the same day, week and month', () => {
    fc.assert(
      fc.property(anyListing, fc.integer({ min: 30, max: LAST - 30 }), (listing, session) => {
        const [day] = [series(listing, '1Day', session, session)];
        for (const timeframe of ['5Min', '15Min', '30Min', '1Hour'] as const) {
          const bars = series(listing, timeframe, session, session);
          expect([bars.open[0], Math.max(...bars.high), Math.min(...bars.low), bars.close.at(-1)]).toEqual([
            day.open[0],
            day.high[0],
            day.low[0],
            day.close[0],
          ]);
          expect(bars.volume.reduce((sum, value) => sum + value, 0)).toBe(day.volume[0]);
        }
        for (const timeframe of ['1Week', '1Month'] as const) {
          const whole = series(listing, timeframe, session, session);
          expect(sizeOf(whole)).toBe(1);
          const period = timeframe === '1Week' ? sessionWeek : sessionMonth;
          const days = Array.from({ length: 51 }, (_, i) => session - 25 + i).filter((other) => period(other) === period(session));
          const [first = 0, last = 0] = [days[0], days.at(-1)];
          const parts = series(listing, '1Day', first, last);
          expect(whole.session[0]).toBe(first);
          expect(whole.open[0]).toBe(parts.open[0]);
          expect(whole.close[0]).toBe(parts.close.at(-1));
          expect([whole.high[0], whole.low[0]]).toEqual([Math.max(...parts.high), Math.min(...parts.low)]);
          expect(whole.volume[0]).toBe(parts.volume.reduce((sum, value) => sum + value, 0));
        }
      }),
      { numRuns: 60 * SCALE },
    );
  });

  it('of a running day follow the clock and never take anything back', () => {
    fc.assert(
      fc.property(anyListing, anySession, fc.integer({ min: 0, max: 209 * 60 }), (listing, session, second) => {
        const { open } = sessionAt(session);
        const at = (seconds: number): BarSeries =>
          listing.series({ timeframe: '1Day', from: session, to: session, adjustment: 'raw', now: open + seconds * 1000 });
        const [now, later] = [at(second), at(second + 45)];
        const whole = series(listing, '1Day', session, session);
        expect(now.forming).toBe(true);
        expect(now.open[0]).toBe(whole.open[0]);
        expect(now.high[0]).toBeLessThanOrEqual(later.high[0] ?? 0);
        expect(later.high[0]).toBeLessThanOrEqual(whole.high[0] ?? 0);
        expect(now.low[0]).toBeGreaterThanOrEqual(later.low[0] ?? 0);
        expect(later.low[0]).toBeGreaterThanOrEqual(whole.low[0] ?? 0);
        expect(now.volume[0]).toBeLessThanOrEqual(later.volume[0] ?? 0);
        const minutes = listing.series({ timeframe: '1Min', from: session, to: session, adjustment: 'raw', now: open + second * 1000 });
        expect(minutes.close.at(-1)).toBe(now.close[0]);
        expect(minutes.volume.reduce((sum, value) => sum + value, 0)).toBe(now.volume[0]);
      }),
      { numRuns: 150 * SCALE },
    );
  });

  it('of a minute end as the whole minute once it is over', () => {
    const listing = market.listings[0];
    if (!listing) throw new Error('no listing');
    const { open } = sessionAt(LAST);
    const until = (now: number): BarSeries => listing.series({ timeframe: '1Min', from: LAST, to: LAST, adjustment: 'raw', now });
    const before = until(open + 10 * MINUTE_MS - 1);
    const after = until(open + 10 * MINUTE_MS);
    expect([sizeOf(before), sizeOf(after)]).toEqual([10, 11]);
    expect(before.high[9]).toBeLessThanOrEqual(after.high[9] ?? 0);
    expect(after.close[9]).toBe(after.open[10]);
    expect(until(open - 1).time.length).toBe(0);
  });
});

describe('the market as a whole', () => {
  const returns = new Map(market.listings.map((listing) => [listing.company.symbol, returnsOf(listing)]));
  const all = [...returns.values()];

  it('has sixty companies in eleven sectors', () => {
    expect(COMPANIES).toHaveLength(60);
    expect(new Set(COMPANIES.map(({ symbol }) => symbol)).size).toBe(60);
    expect(new Set(COMPANIES.map(({ sector }) => sector))).toEqual(new Set(SECTORS));
  });

  it('moves together: about .5 within a sector, .25 across', () => {
    const same: number[] = [];
    const across: number[] = [];
    for (const a of COMPANIES) {
      for (const b of COMPANIES) {
        if (a.symbol >= b.symbol) continue;
        (a.sector === b.sector ? same : across).push(correlation(returns.get(a.symbol) ?? [], returns.get(b.symbol) ?? []));
      }
    }
    expect(mean(same)).toBeGreaterThan(0.45);
    expect(mean(same)).toBeLessThan(0.55);
    expect(mean(across)).toBeGreaterThan(0.2);
    expect(mean(across)).toBeLessThan(0.3);
  });

  it('has fat tails, clustered volatility and no memory of direction', () => {
    const kurtosis = all.map((values) => mean(values.map((value) => value ** 4)) / mean(values.map((value) => value ** 2)) ** 2);
    expect(Math.min(...kurtosis)).toBeGreaterThan(3.5);
    const echo = (values: readonly number[], lag: number): number => correlation(values.slice(lag), values.slice(0, -lag));
    expect(mean(all.map((values) => echo(values.map(Math.abs), 1)))).toBeGreaterThan(0.12);
    expect(mean(all.map((values) => echo(values.map(Math.abs), 20)))).toBeGreaterThan(0.06);
    expect(Math.abs(mean(all.map((values) => echo(values, 1))))).toBeLessThan(0.02);
  });

  it('has the volatility each company is given, gaps overnight, and volume that follows moves', () => {
    for (const listing of market.listings) {
      const values = returns.get(listing.company.symbol) ?? [];
      const ratio = Math.sqrt(mean(values.map((value) => value ** 2)) * 252) / listing.company.volatility;
      expect([listing.company.symbol, ratio > 0.8 && ratio < 1.3]).toEqual([listing.company.symbol, true]);
      const { open, close, volume } = series(listing, '1Day', 0, LAST, 'all');
      const gaps = values.map((_, i) => Math.log((open[i + 1] ?? 1) / (close[i] ?? 1)) ** 2);
      const share = mean(gaps) / mean(values.map((value) => value ** 2));
      expect(share).toBeGreaterThan(0.12);
      expect(share).toBeLessThan(0.5);
      expect(correlation([...volume.subarray(1)], values.map(Math.abs))).toBeGreaterThan(0.25);
    }
  });

  it('keeps prices in reach of their trend', () => {
    for (const listing of market.listings) {
      const { close } = listing.daily(LAST);
      for (let i = 0; i <= LAST; i += 250) {
        const ratio = (close[i] ?? 0) / listing.trendCents(i);
        expect(ratio > 1 / 8 && ratio < 8).toBe(true);
      }
    }
  });

  it('splits above $400 and stays continuous when adjusted', () => {
    let splits = 0;
    let dividends = 0;
    for (const listing of market.listings) {
      const daily = listing.daily(LAST);
      const adjusted = series(listing, '1Day', 0, LAST, 'all');
      expect(Math.max(...daily.high.subarray(0, LAST + 1))).toBeLessThan(90_000);
      for (const { session, ratio } of daily.splits) {
        splits++;
        expect(Math.max(...daily.close.subarray(session - 12, session))).toBeGreaterThan(40_000);
        const raw = (daily.open[session] ?? 1) / (daily.close[session - 1] ?? 1);
        const continuous = (adjusted.open[session] ?? 1) / (adjusted.close[session - 1] ?? 1);
        expect(Math.abs(raw * ratio - 1)).toBeLessThan(0.3);
        expect(continuous / (raw * ratio)).toBeCloseTo(1, 1);
        expect(Math.abs(continuous - 1)).toBeLessThan(0.3);
      }
      for (const { cents, factor } of daily.dividends.filter((event) => event.session <= LAST)) {
        dividends++;
        expect(factor).toBeGreaterThan(0.97);
        expect(Number.isInteger(cents) && cents > 0).toBe(true);
      }
    }
    expect(splits).toBeGreaterThan(30);
    expect(dividends).toBeGreaterThan(5000);
  });

  it('shows a split in history only once it has happened', () => {
    const listing = market.listings.find(({ company }) => company.symbol === 'AAPL');
    const split = listing?.daily(LAST).splits[0];
    if (!listing || !split) throw new Error('AAPL should have split');
    const { session, ratio } = split;
    const seen = (now: number): number => listing.series({ timeframe: '1Day', from: 0, to: 0, adjustment: 'split', now }).close[0] ?? 0;
    const dayBefore = seen(sessionAt(session - 1).postClose);
    expect(seen(sessionAt(session).preOpen) * ratio).toBeCloseTo(dayBefore, 9);
  });
});
