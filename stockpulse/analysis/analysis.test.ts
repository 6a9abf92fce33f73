import { describe, expect, it } from 'vitest';
import type { Envelope } from '../envelope.ts';
import { Kit } from '../test-kit.ts';

const kit = new Kit('2026-11-20T14:07:31-05:00');
const column = (answer: Envelope, name: string): unknown[] => (answer.rows ?? []).map((row) => row[answer.columns?.indexOf(name) ?? -1]);
const find = (query: string): unknown[] => column(kit.call('search_symbols', { query }), 'symbol');

describe('search_symbols', () => {
  it('puts the best match first', () => {
    expect(find('MA')[0]).toBe('MA');
    expect(find('T')[0]).toBe('T');
    expect(find('apple')).toEqual(['AAPL']);
    expect(find('micro')).toEqual(['MSFT', 'AMD']);
    expect(find('bank of')).toEqual(['BAC']);
    expect(find('johnson')).toEqual(['JNJ']);
    expect(find('morgan')).toEqual(['JPM']);
    expect(find('goo')).toEqual(['GOOGL']);
  });

  it('finds sectors and forgives typing errors, but only where nothing fits', () => {
    expect(find('utilities')).toEqual(['AEP', 'DUK', 'NEE', 'SO']);
    expect(kit.call('search_symbols', { query: 'micorsoft' }).rows).toEqual([
      ['MSFT', 'Microsoft Corporation', 'Information Technology', 'NASDAQ', 'similar'],
    ]);
    expect(find('xyzzy')).toEqual([]);
  });

  it('says how many it left out', () => {
    const answer = kit.call('search_symbols', { query: 'inc', limit: 3 });
    expect(answer.rows).toHaveLength(3);
    expect((answer.data as { matches: number }).matches).toBeGreaterThan(20);
    expect(answer.warnings[0]).toMatch(/raise limit/);
  });
});

describe('screen_stocks', () => {
  it('returns exactly the companies that pass, in order', () => {
    const all = kit.call('screen_stocks', { limit: 60, sort: { field: 'rsi_14', direction: 'asc' } });
    expect(all.rows).toHaveLength(60);
    const strengths = column(all, 'rsi_14') as number[];
    expect(strengths).toEqual(strengths.toSorted((a, b) => a - b));
    const middle = strengths[20] ?? 0;
    const low = kit.call('screen_stocks', { limit: 60, filters: [{ field: 'rsi_14', op: 'lte', value: middle }] });
    expect(low).toMatchObject({ data: { matches: 21, screened: 60 } });
    const range = kit.call('screen_stocks', { limit: 60, filters: [{ field: 'rsi_14', op: 'between', value: [strengths[5], middle] }] });
    expect(range.rows).toHaveLength(16);
  });

  it('filters texts without regard to case, and numbers by every operator', () => {
    const count = (field: string, op: string, value: unknown): number | undefined =>
      kit.call('screen_stocks', { limit: 60, filters: [{ field, op, value }] }).rows?.length;
    expect(count('sector', 'eq', 'utilities')).toBe(4);
    expect(count('sector', 'ne', 'Utilities')).toBe(56);
    expect(count('symbol', 'in', ['aapl', 'MSFT', 'nope'])).toBe(2);
    const [price] = column(kit.call('screen_stocks', { filters: [{ field: 'symbol', op: 'eq', value: 'KO' }] }), 'price');
    expect(count('price', 'eq', price)).toBe(1);
    expect((count('price', 'gt', price) ?? 0) + (count('price', 'lte', price) ?? 0)).toBe(60);
    expect((count('price', 'gte', price) ?? 0) + (count('price', 'lt', price) ?? 0)).toBe(60);
    expect(count('pe', 'gt', -1e9)).toBe(58);
  });

  it('agrees with the other tools', () => {
    const answer = kit.call('screen_stocks', {
      filters: [
        { field: 'symbol', op: 'in', value: ['AAPL', 'XOM', 'NVDA'] },
        { field: 'rsi_14', op: 'gt', value: 0 },
        { field: 'price_to_sma_50', op: 'gt', value: 0 },
      ],
    });
    const at = new Kit(answer.as_of);
    for (const row of answer.rows ?? []) {
      const cell = (name: string): unknown => row[answer.columns?.indexOf(name) ?? -1];
      const [indicators] =
        at.call('get_technical_indicators', {
          symbol: cell('symbol'),
          indicators: [{ name: 'RSI' }, { name: 'SMA', params: { period: 50 } }],
          limit: 1,
        }).rows ?? [];
      expect(cell('rsi_14')).toBe(indicators?.[2]);
      expect(cell('price')).toBe(indicators?.[1]);
      expect((cell('price') as number) / (cell('price_to_sma_50') as number)).toBeCloseTo(indicators?.[3] as number, 8);
      const price = at.call('get_stock_price', { symbols: [cell('symbol')] });
      for (const name of ['change_pct_frac', 'volume']) expect(column(price, name)[0]).toBeCloseTo(cell(name) as number, 10);
    }
  });

  it('follows the clock', () => {
    const moving = new Kit('2026-11-20T10:00:00-05:00');
    const prices = (): unknown[] =>
      column(moving.call('screen_stocks', { limit: 60, sort: { field: 'symbol', direction: 'asc' } }), 'price');
    const before = prices();
    moving.clock.set('2026-11-20T10:00:30-05:00');
    expect(prices()).toEqual(before);
    moving.clock.set('2026-11-20T10:01:00-05:00');
    expect(prices()).not.toEqual(before);
  });

  it('walks through all matches once', () => {
    const seen: unknown[] = [];
    let cursor: string | null | undefined;
    do {
      const page = kit.call('screen_stocks', { limit: 7, ...(cursor ? { cursor } : {}) });
      seen.push(...column(page, 'symbol'));
      cursor = page.next_cursor;
      kit.clock.time += 120_000;
    } while (cursor);
    expect(seen).toHaveLength(60);
    expect(new Set(seen).size).toBe(60);
  });

  it.each([
    [{ field: 'price', op: 'gt', value: 'ten' }, 'filters[0].value'],
    [{ field: 'price', op: 'gt', value: [1, 2] }, 'filters[0].value'],
    [{ field: 'price', op: 'between', value: [2, 1] }, 'filters[0].value'],
    [{ field: 'price', op: 'between', value: 3 }, 'filters[0].value'],
    [{ field: 'sector', op: 'gt', value: 'Energy' }, 'filters[0].op'],
    [{ field: 'sector', op: 'eq', value: 'Tech' }, 'filters[0].value'],
    [{ field: 'name', op: 'eq', value: 7 }, 'filters[0].value'],
  ])('refuses %j', (filter, field) => {
    const error = kit.refusal('screen_stocks', { filters: [filter] });
    expect([error.status, error.field, typeof error.hint]).toEqual([422, field, 'string']);
  });
});

describe('get_market_status', () => {
  const status = (time: string, args = {}): Envelope => new Kit(time).call('get_market_status', args);

  it('knows what comes next', () => {
    expect(status('2026-11-25T12:00:00-05:00').data).toMatchObject({
      is_open: true,
      session: 'regular',
      next_close: '2026-11-25T16:00:00-05:00',
      next_open: '2026-11-27T09:30:00-05:00',
    });
    expect(status('2026-11-26T12:00:00-05:00').data).toMatchObject({
      is_open: false,
      is_session_day: false,
      session: 'closed',
      next_open: '2026-11-27T09:30:00-05:00',
      next_close: '2026-11-27T13:00:00-05:00',
    });
    expect(status('2026-11-27T15:00:00-05:00').data).toMatchObject({
      is_open: false,
      session: 'post',
      next_open: '2026-11-30T09:30:00-05:00',
    });
  });

  it('lists sessions from today, or from tomorrow when today is over', () => {
    expect(column(status('2026-11-25T12:00:00-05:00'), 'date')).toEqual([
      '2026-11-25',
      '2026-11-27',
      '2026-11-30',
      '2026-12-01',
      '2026-12-02',
    ]);
    expect(column(status('2026-11-25T20:00:00-05:00', { sessions: 2 }), 'date')).toEqual(['2026-11-27', '2026-11-30']);
    expect(column(status('2026-11-25T12:00:00-05:00'), 'early_close')).toEqual([false, true, false, false, false]);
  });
});
