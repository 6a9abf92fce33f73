import { createHash } from 'node:crypto';
import { firstSessionFrom, parseIsoDate, sessionAt } from '../calendar/index.ts';
import { Market } from './market.ts';
import { QuoteSource } from './quotes.ts';

const DATES = ['1990-01-02', '1999-12-31', '2008-10-10', '2020-03-16', '2024-07-03', '2026-11-20'];

/** A hash over bars, minutes and quotes of every symbol: the same seed must give the same bytes in every process. */
export function goldenHash(seed: number): string {
  const market = new Market(seed);
  const quotes = new QuoteSource(seed, market.listings);
  const hash = createHash('sha256');
  for (const date of DATES) {
    const index = firstSessionFrom(parseIsoDate(date) ?? 0);
    const { open, preOpen, close } = sessionAt(index);
    for (const listing of market.listings) {
      const { minute, volume, ...prices } = listing.minutes(index);
      for (const column of [minute, volume, prices.open, prices.high, prices.low, prices.close]) hash.update(column);
      hash.update(JSON.stringify([listing.daily(index).splits, listing.daily(index).dividends]));
      for (const now of [preOpen, open + 3_723_000, close + 60_000]) hash.update(JSON.stringify(quotes.at(listing, now)));
    }
  }
  return hash.digest('hex');
}
