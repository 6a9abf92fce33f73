import { describe, expect, it } from 'vitest';
import { Lru } from './simulator/index.ts';
import { Kit } from './test-kit.ts';

const EVERYTHING = [
  ['get_stock_price', { symbols: ['AAPL', 'TSLA'] }],
  ['get_price_history', { symbols: ['AAPL'], lookback: '1M' }],
  ['get_price_history', { symbols: ['AAPL'], timeframe: '1Min' }],
  ['get_price_history', { symbols: ['AAPL'], timeframe: '1Week' }],
  ['get_technical_indicators', { symbol: 'AAPL', indicators: [{ name: 'RSI' }, { name: 'VWAP' }] }],
  ['screen_stocks', {}],
  ['search_symbols', { query: 'apple' }],
  ['get_market_status', { sessions: 60 }],
] as const;

describe('the platform', () => {
  it.each([
    '1990-01-02T16:00:00-05:00',
    '1990-01-03T05:00:00-05:00',
    '2000-02-29T12:00:00-05:00',
    '2060-06-15T12:00:00-04:00',
    '2099-12-30T23:00:00-05:00',
  ])('answers at %s', (time) => {
    const kit = new Kit(time);
    for (const [operationId, args] of EVERYTHING) expect(kit.call(operationId, args).rows).not.toEqual([]);
  });

  it.each(['1990-01-02T15:59:59-05:00', '1970-01-01T00:00:00Z', '2100-01-01T00:00:00Z', '9999-01-01T00:00:00Z'])(
    'says that there is no market at %s, and works again when the clock is right',
    (time) => {
      const kit = new Kit(time);
      for (const [operationId, args] of EVERYTHING) expect(kit.refusal(operationId, args)).toMatchObject({ status: 503, code: 50310000 });
      kit.clock.set('2026-11-20T12:00:00-05:00');
      expect(kit.call('get_stock_price', { symbols: ['AAPL'] }).rows).toHaveLength(1);
    },
  );

  it('gives another market for another seed, and the same one for the same', () => {
    const ask = (seed: number): unknown => new Kit('2026-11-20T12:00:00-05:00', seed).call('get_stock_price', { symbols: ['AAPL'] }).rows;
    expect(ask(5)).toEqual(ask(5));
    expect(ask(5)).not.toEqual(ask(6));
    expect(ask(5 + 2 ** 32)).not.toEqual(ask(5));
    expect(ask(-5)).not.toEqual(ask(5));
  });

  it('never shows what has not happened yet', () => {
    const kit = new Kit('2026-11-20T12:00:00-05:00');
    const before = JSON.stringify(EVERYTHING.map(([operationId, args]) => kit.call(operationId, args)));
    kit.clock.set('2031-01-15T12:00:00-05:00');
    for (const [operationId, args] of EVERYTHING) kit.call(operationId, args);
    kit.clock.set('2026-11-20T12:00:00-05:00');
    expect(JSON.stringify(EVERYTHING.map(([operationId, args]) => kit.call(operationId, args)))).toBe(before);
  });

  it('warms up without changing an answer, and stops when told', async () => {
    const [cold, warm] = [new Kit('2026-11-20T12:00:00-05:00'), new Kit('2026-11-20T12:00:00-05:00')];
    await warm.stockpulse.warmUp();
    for (const [operationId, args] of EVERYTHING) expect(warm.call(operationId, args)).toEqual(cold.call(operationId, args));
    await expect(cold.stockpulse.warmUp(AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
  });
});

describe('a cache', () => {
  it('keeps what was used last and no more than its capacity', () => {
    const lru = new Lru<number, string>(2);
    let made = 0;
    const get = (key: number): string => lru.getOrMake(key, () => `${key}/${++made}`);
    expect([get(1), get(2), get(1), get(3), get(1), get(2)]).toEqual(['1/1', '2/2', '1/1', '3/3', '1/1', '2/4']);
    expect(lru.size).toBe(2);
  });
});
