import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Envelope } from '../envelope.ts';
import { INDICATOR_NAMES } from '../indicators/index.ts';
import { ADJUSTMENTS, COMPANIES, TIMEFRAMES } from '../simulator/index.ts';
import { Kit } from '../test-kit.ts';

const SCALE = Number(process.env.STOCKPULSE_TEST_SCALE ?? 1);
const OPEN = '2026-11-20T14:07:31-05:00';
const kit = new Kit(OPEN);
const SYMBOLS = COMPANIES.map(({ symbol }) => symbol);
const bytes = (answer: Envelope): number => Buffer.byteLength(JSON.stringify(answer));
const column = (answer: Envelope, name: string): unknown[] => {
  const at = answer.columns?.indexOf(name) ?? -1;
  return (answer.rows ?? []).map((row) => row[at]);
};

/** Follows next_cursor to the end and returns all pages. */
function walk(operationId: string, args: Readonly<Record<string, unknown>>, between: () => void = () => undefined): Envelope[] {
  const pages = [kit.call(operationId, args)];
  for (let cursor = pages[0]?.next_cursor; cursor; cursor = pages.at(-1)?.next_cursor) {
    between();
    pages.push(kit.call(operationId, { ...args, cursor }));
    if (pages.length > 2000) throw new Error('the walk does not end');
  }
  return pages;
}

describe('the routes', () => {
  it('are the six tools in order, read-only, with names that do not collide', () => {
    expect(kit.stockpulse.routes.map(({ operationId, method, path }) => `${operationId} ${method} ${path}`)).toEqual([
      'get_stock_price GET /v1/prices',
      'get_price_history GET /v1/bars',
      'get_technical_indicators POST /v1/indicators/{symbol}',
      'screen_stocks POST /v1/screener',
      'search_symbols GET /v1/symbols',
      'get_market_status GET /v1/market/status',
    ]);
    for (const { params, query, body, mcp, response } of kit.stockpulse.routes) {
      const schemas = [params, query, body].flatMap((schema) => schema ?? []);
      const names = schemas.flatMap((schema) => Object.keys(schema.properties));
      expect(new Set(names).size).toBe(names.length);
      expect(JSON.stringify([schemas, response])).not.toMatch(/\$ref|\$defs|"format"|undefined/);
      for (const schema of [...schemas, response]) expect(schema).toMatchObject({ type: 'object', additionalProperties: false });
      expect(mcp).toMatchObject({
        scope: 'market:read',
        annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: false, openWorldHint: false },
      });
    }
  });

  it('answer within 16 KB by default, even for the largest questions', () => {
    const largest: Record<string, object> = {
      get_stock_price: { symbols: SYMBOLS.slice(0, 20) },
      get_price_history: { symbols: SYMBOLS.slice(0, 5), timeframe: '1Min', lookback: '5D', adjustment: 'all' },
      get_technical_indicators: {
        symbol: 'AAPL',
        indicators: INDICATOR_NAMES.filter((name) => name !== 'SMA')
          .slice(0, 8)
          .map((name) => ({ name })),
        timeframe: '1Min',
      },
      screen_stocks: {
        filters: [
          { field: 'pe', op: 'gt', value: 0 },
          { field: 'rsi_14', op: 'gt', value: 0 },
          { field: 'volatility_20d_pct_frac', op: 'gt', value: 0 },
        ],
      },
      search_symbols: { query: 'a' },
      get_market_status: {},
    };
    for (const [operationId, args] of Object.entries(largest))
      expect([operationId, bytes(kit.call(operationId, { ...args })) < 16_384]).toEqual([operationId, true]);
  });

  it('never answer more than 64 KB, and lose nothing when the size ends a page', () => {
    const args = {
      symbol: 'NVDA',
      indicators: ['MACD', 'BBANDS', 'ADX', 'STOCH', 'RSI', 'ATR', 'CCI', 'ROC'].map((name) => ({ name })),
      limit: 500,
    };
    const pages = walk('get_technical_indicators', args);
    expect(pages.length).toBeGreaterThan(1);
    expect(Math.max(...pages.map(bytes))).toBeLessThanOrEqual(65_536);
    expect(pages[0]?.truncated).toBe(true);
    const dates = pages.toReversed().flatMap((page) => column(page, 'date'));
    expect(dates).toHaveLength(500);
    expect(new Set(dates).size).toBe(500);
    expect(dates).toEqual(dates.map(String).toSorted((a, b) => (a < b ? -1 : 1)));
    expect(
      bytes(
        kit.call('get_price_history', { symbols: SYMBOLS.slice(0, 5), timeframe: '1Min', lookback: '5D', adjustment: 'all', limit: 500 }),
      ),
    ).toBeLessThanOrEqual(65_536);
  });

  it('answer by their schema at any time for any valid question', () => {
    const symbols = (most: number): fc.Arbitrary<string[]> =>
      fc.array(fc.constantFrom(...SYMBOLS, 'aapl', 'brk-b', 'BRK/B'), { minLength: 1, maxLength: most });
    const limit = fc.option(fc.integer({ min: 1, max: 500 }), { nil: undefined });
    const lookback = fc.option(
      fc.oneof(
        fc.constantFrom('2m', '3M'),
        fc.tuple(fc.integer({ min: 1, max: 12 }), fc.constantFrom('D', 'w')).map(([count, unit]) => `${count}${unit}`),
      ),
      { nil: undefined },
    );
    const asked = fc.oneof(
      fc
        .record({ symbols: symbols(20), fields: fc.subarray(['quote', 'trade', 'day'], { minLength: 1 }) })
        .map((args) => ['get_stock_price', args] as const),
      fc
        .record({
          symbols: symbols(5),
          timeframe: fc.constantFrom(...TIMEFRAMES),
          adjustment: fc.constantFrom(...ADJUSTMENTS),
          limit,
          lookback,
        })
        .map((args) => ['get_price_history', args] as const),
      fc
        .record({
          symbol: fc.constantFrom(...SYMBOLS),
          timeframe: fc.constantFrom(...TIMEFRAMES),
          indicators: fc.subarray([...INDICATOR_NAMES], { minLength: 1, maxLength: 8 }).map((names) => names.map((name) => ({ name }))),
          limit,
        })
        .map((args) => ['get_technical_indicators', args] as const),
      fc.record({ filters: fc.constant([{ field: 'price', op: 'gt', value: 50 }]), limit }).map((args) => ['screen_stocks', args] as const),
      fc.record({ query: fc.constantFrom('a', 'bank', 'zzz', 'apple', 'energy', '*') }).map((args) => ['search_symbols', args] as const),
      fc.record({ sessions: fc.integer({ min: 1, max: 60 }) }).map((args) => ['get_market_status', args] as const),
    );
    const moments = fc.integer({ min: Date.parse('1990-01-02T21:00:00Z'), max: Date.parse('2035-01-01T00:00:00Z') });
    const roaming = new Kit(OPEN);
    fc.assert(
      fc.property(moments, asked, (now, [operationId, args]) => {
        roaming.clock.time = now;
        const clean = JSON.parse(JSON.stringify(args)) as Record<string, unknown>;
        const answer = roaming.call(operationId, clean);
        expect(bytes(answer)).toBeLessThanOrEqual(65_536);
        expect(answer).toMatchObject({
          currency: 'USD',
          tz: 'America/New_York',
          source: { provider: 'stockpulse-simulator', delay_s: 0, simulated: true },
        });
        expect(answer.truncated).toBe(answer.next_cursor !== null);
        expect(Date.parse(answer.as_of)).toBeLessThanOrEqual(now);
        for (const row of answer.rows ?? []) expect(row.length).toBe(answer.columns?.length);
      }),
      { numRuns: 150 * SCALE },
    );
  });
});

describe('get_price_history', () => {
  it('walks through all rows once, as of the first page, while the clock runs', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('1Min', '15Min', '1Hour', '1Day', '1Week'),
        fc.integer({ min: 7, max: 200 }),
        fc.constantFrom(['AAPL'], ['MSFT', 'AAPL', 'KO']),
        (timeframe, limit, symbols) => {
          kit.clock.set(OPEN);
          const lookback = timeframe === '1Min' ? '1D' : timeframe.endsWith('Min') || timeframe === '1Hour' ? '9D' : '8M';
          const pages = walk('get_price_history', { symbols, timeframe, lookback, limit }, () => (kit.clock.time += 61_000));
          const rows = pages.toReversed().flatMap((page) => page.rows ?? []);
          kit.clock.set(OPEN);
          const whole = walk('get_price_history', { symbols, timeframe, lookback, limit: 500 })
            .toReversed()
            .flatMap((page) => page.rows ?? []);
          expect(rows).toEqual(whole);
          expect(new Set(rows.map((row) => `${row[0]} ${row[1]}`)).size).toBe(rows.length);
          expect(new Set(pages.map(({ as_of: asOf }) => asOf))).toEqual(new Set([OPEN]));
          for (const page of pages) expect(page.rows?.length).toBeLessThanOrEqual(limit);
        },
      ),
      { numRuns: 25 * SCALE },
    );
    kit.clock.set(OPEN);
  });

  it('keeps to the dates asked for, both included', () => {
    const days = kit.call('get_price_history', { symbols: ['AAPL'], start: '2026-11-02', end: '2026-11-06' });
    expect(column(days, 'date')).toEqual(['2026-11-02', '2026-11-03', '2026-11-04', '2026-11-05', '2026-11-06']);
    expect(days.data).toMatchObject({ first: '2026-11-02', last: '2026-11-06', last_bar_forming: false });
    const minutes = kit.call('get_price_history', {
      symbols: ['AAPL'],
      timeframe: '5Min',
      start: '2026-11-02T10:00:00-05:00',
      end: '2026-11-02T15:10:00Z',
    });
    expect(column(minutes, 'time')).toEqual(['2026-11-02T10:00:00-05:00', '2026-11-02T10:05:00-05:00', '2026-11-02T10:10:00-05:00']);
    const back = kit.call('get_price_history', { symbols: ['AAPL'], lookback: '3D', end: '2026-11-08' });
    expect(column(back, 'date')).toEqual(['2026-11-04', '2026-11-05', '2026-11-06']);
    const year = kit.call('get_price_history', { symbols: ['AAPL'], lookback: '1y', timeframe: '1Month' });
    expect(column(year, 'date')[0]).toBe('2025-11-03');
    const weekend = kit.call('get_price_history', { symbols: ['AAPL'], start: '2026-11-14', end: '2026-11-15' });
    expect(weekend).toMatchObject({ rows: [], truncated: false, warnings: ['There are no bars in this range.'] });
    const before = kit.call('get_price_history', { symbols: ['AAPL'], start: '1980-01-01', end: '1990-01-03' });
    expect(column(before, 'date')).toEqual(['1990-01-02', '1990-01-03']);
    expect(before.warnings).toEqual(['Data begins on 1990-01-02.']);
  });

  it('says that raw prices do not compare across a split, and compares the adjusted ones', () => {
    const wide = { symbols: ['NVDA'], lookback: '35Y', timeframe: '1Month', limit: 500 };
    expect(kit.call('get_price_history', { ...wide, adjustment: 'raw' }).warnings.join(' ')).toMatch(/NVDA split \d for 1/);
    expect(kit.call('get_price_history', wide).warnings.join(' ')).not.toMatch(/split/);
    expect(kit.call('get_price_history', wide).adjustment).toBe('split');
  });

  it.each([
    [{ symbols: ['AAPL'], start: '2026-12-01' }, 422, 'start', /future/],
    [{ symbols: ['AAPL'], end: '2026-11-21' }, 422, 'end', /future/],
    [{ symbols: ['AAPL'], start: '2026-11-05', end: '2026-11-04' }, 422, 'start', /after end/],
    [{ symbols: ['AAPL'], start: '2026-02-30' }, 422, 'start', /no date|not a date/],
    [{ symbols: ['AAPL'], start: '2026-11-05T25:00:00Z' }, 422, 'start', /not a date/],
    [{ symbols: ['AAPL'], start: '2026-11-05', lookback: '5D' }, 422, 'lookback', /exclude/],
    [{ symbols: ['AAPL'], end: '1985-01-01' }, 422, 'end', /before/],
    [{ symbols: ['AAPL', 'MSFT'], timeframe: '1Min', lookback: '5Y' }, 422, 'timeframe', /at most/],
    [{ symbols: ['AAPL'], cursor: 'abcdefghijklmnopqrstuvwxyz' }, 422, 'cursor', /cursor/],
    [{ symbols: ['AAPX'] }, 404, 'symbols', /Unknown symbol: AAPX/],
  ] as const)('refuses %j', (args, status, field, message) => {
    const error = kit.refusal('get_price_history', args);
    expect([error.status, error.field, Math.floor(error.code / 100_000)]).toEqual([status, field, status]);
    expect(error.message).toMatch(message);
    expect(error.hint).toBeTruthy();
  });

  it('refuses a cursor of another query', () => {
    const { next_cursor: cursor } = kit.call('get_price_history', { symbols: ['AAPL'], lookback: '1Y' });
    for (const args of [
      { symbols: ['MSFT'], lookback: '1Y' },
      { symbols: ['AAPL'], lookback: '2Y' },
      { symbols: ['AAPL'], lookback: '1Y', adjustment: 'raw' },
    ]) {
      expect(kit.refusal('get_price_history', { ...args, cursor }).code).toBe(42210001);
    }
    expect(kit.call('get_price_history', { symbols: ['aapl', 'AAPL'], lookback: '1Y', limit: 5, cursor }).rows).toHaveLength(5);
  });
});

describe('get_stock_price', () => {
  it('agrees with the history of the same moment', () => {
    const price = kit.call('get_stock_price', { symbols: ['AAPL', 'brk-b'] });
    const history = kit.call('get_price_history', { symbols: ['AAPL', 'BRK.B'], lookback: '1D' });
    for (const name of ['symbol', 'open', 'high', 'low', 'close', 'volume']) expect(column(price, name)).toEqual(column(history, name));
    expect(column(price, 'last')).toEqual(column(price, 'close'));
    expect(history.warnings.join(' ')).toMatch(/still forming/);
  });

  it('shows each symbol once, in the order asked, with the fields asked', () => {
    const answer = kit.call('get_stock_price', { symbols: ['MSFT', 'AAPL', 'msft'], fields: ['trade'] });
    expect(answer.columns).toEqual(['symbol', 'halted', 'last', 'last_size', 'last_time']);
    expect(column(answer, 'symbol')).toEqual(['MSFT', 'AAPL']);
  });

  it('says which session its figures are of', () => {
    const at = (time: string): Envelope => new Kit(time).call('get_stock_price', { symbols: ['AAPL'] });
    expect(at('2026-11-20T08:00:00-05:00')).toMatchObject({ data: { session: 'pre' }, warnings: [expect.stringMatching(/Pre-market/)] });
    expect(column(at('2026-11-20T08:00:00-05:00'), 'open')).toEqual([null]);
    expect(at('2026-11-20T17:00:00-05:00')).toMatchObject({ data: { session: 'post' } });
    const sunday = at('2026-11-22T12:00:00-05:00');
    expect(sunday).toMatchObject({ data: { session: 'closed' }, as_of: '2026-11-22T12:00:00-05:00' });
    expect([column(sunday, 'day'), column(sunday, 'last_time')]).toEqual([['2026-11-20'], ['2026-11-20T20:00:00-05:00']]);
  });

  it('names all unknown symbols and what they may stand for', () => {
    const error = kit.refusal('get_stock_price', { symbols: ['AAPL', 'APPLE', 'MSTF', 'QQQQQ'] });
    expect(error.toBody()).toMatchObject({
      code: 40410001,
      field: 'symbols',
      retryable: false,
      message: 'Unknown symbols: APPLE, MSTF, QQQQQ.',
    });
    expect(error.hint).toMatch(/AAPL, MSFT.*search_symbols/);
  });
});

describe('get_technical_indicators', () => {
  it('gives each bar the same values whatever limit is asked', () => {
    for (const timeframe of ['1Day', '1Hour', '5Min', '1Week']) {
      const indicators = [{ name: 'RSI' }, { name: 'MACD' }, { name: 'ADX' }, { name: 'OBV' }, { name: 'EMA', params: { period: 50 } }];
      const few = kit.call('get_technical_indicators', { symbol: 'AAPL', indicators, timeframe, limit: 3 });
      const many = kit.call('get_technical_indicators', { symbol: 'AAPL', indicators, timeframe, limit: 120 });
      expect(many.rows?.slice(-3)).toEqual(few.rows);
      expect(few).toMatchObject({ truncated: false, adjustment: 'split' });
    }
  });

  it('names the indicator that is wrong', () => {
    const ask = (indicators: object[]): unknown => kit.refusal('get_technical_indicators', { symbol: 'AAPL', indicators }).field;
    expect(ask([{ name: 'SMA' }, { name: 'MACD', params: { fast: 30 } }])).toBe('indicators[1].params');
    expect(ask([{ name: 'RSI', params: { k: 3 } }])).toBe('indicators[0].params');
    expect(ask([{ name: 'RSI' }, { name: 'RSI', params: { period: 14 } }])).toBe('indicators');
    expect(kit.refusal('get_technical_indicators', { symbol: 'AAPLE', indicators: [{ name: 'RSI' }] })).toMatchObject({
      status: 404,
      field: 'symbol',
    });
  });

  it('has null where there is no history yet', () => {
    const early = new Kit('1990-01-19T20:00:00-05:00').call('get_technical_indicators', {
      symbol: 'AAPL',
      indicators: [{ name: 'RSI' }, { name: 'SMA' }],
    });
    expect(early.rows).toHaveLength(14);
    expect(column(early, 'sma_20').every((value) => value === null)).toBe(true);
    expect(early.warnings.join(' ')).toMatch(/1990/);
  });
});
