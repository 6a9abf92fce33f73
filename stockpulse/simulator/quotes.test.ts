import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lastSessionUntil, MINUTE_MS, parseIsoDate, sessionAt } from '../calendar/index.ts';
import { type Listing, Market } from './market.ts';
import { haltedListings, QuoteSource } from './quotes.ts';

const SCALE = Number(process.env.STOCKPULSE_TEST_SCALE ?? 1);
const market = new Market(1);
const quotes = new QuoteSource(1, market.listings);
const LAST = lastSessionUntil(parseIsoDate('2026-11-20') ?? 0);
const anyListing = fc.constantFrom(...market.listings);

describe('quotes', () => {
  it('hold the last trade between bid and offer at any instant', () => {
    const from = sessionAt(LAST - 300).preOpen;
    fc.assert(
      fc.property(anyListing, fc.integer({ min: from, max: sessionAt(LAST).postClose }), (listing, now) => {
        const { quote, trade, halted, phase, day } = quotes.at(listing, now);
        expect(trade.time).toBeLessThanOrEqual(now);
        expect(Number.isInteger(trade.price) && trade.price > 0 && trade.size > 0).toBe(true);
        expect(quote === undefined).toBe(halted);
        if (quote) {
          expect(quote.bid).toBeLessThanOrEqual(trade.price);
          expect(quote.ask).toBeGreaterThanOrEqual(trade.price);
          expect(quote.ask - quote.bid).toBeGreaterThanOrEqual(1);
          expect((quote.ask - quote.bid) / trade.price).toBeLessThan(0.02);
          expect(quote.bidSize % 100 === 0 && quote.bidSize > 0 && quote.askSize > 0).toBe(true);
        }
        expect(day === undefined).toBe(phase === 'pre');
        if (phase === 'regular') expect(trade.price).toBe(day?.close);
      }),
      { numRuns: 2000 * SCALE },
    );
  });

  it('lead from the close through late and early trading to the next open, also across a split', () => {
    const splitDays = market.listings.flatMap((listing) =>
      listing
        .daily(LAST)
        .splits.filter(({ session }) => session <= LAST)
        .map((split) => ({ listing, session: split.session })),
    );
    const plainDays = market.listings.slice(0, 20).map((listing, i) => ({ listing, session: LAST - 40 - i }));
    for (const { listing, session } of [...splitDays, ...plainDays]) {
      const bars = listing.daily(session);
      const before = quotes.at(listing, sessionAt(session - 1).close);
      expect(before.trade.price).toBe(bars.close[session - 1]);
      const nearOpen = quotes.at(listing, sessionAt(session).open - MINUTE_MS).trade.price / (bars.open[session] ?? 1);
      expect(Math.abs(nearOpen - 1)).toBeLessThan(0.02);
      expect(quotes.at(listing, sessionAt(session).open).trade.price).toBe(bars.open[session]);
    }
  });

  it('stand still while the market is closed', () => {
    const listing = market.listings[3] as Listing;
    const evening = quotes.at(listing, sessionAt(LAST).postClose);
    const sunday = quotes.at(listing, sessionAt(LAST).postClose + 40 * 3_600_000);
    expect(sunday).toEqual(evening);
    expect(sunday.trade.time).toBe(sessionAt(LAST).postClose);
    expect(sunday.session.index).toBe(LAST);
  });

  it('cease during a halt, in which no minute has a bar', () => {
    const found = market.listings.flatMap((listing) => {
      for (let session = LAST; session > LAST - 600; session--) {
        const { halt } = listing.minutes(session);
        if (halt) return [{ listing, session, halt }];
      }
      return [];
    });
    expect(found.length).toBeGreaterThan(5);
    for (const { listing, session, halt } of found) {
      const { open } = sessionAt(session);
      const now = open + halt.from * MINUTE_MS + 30_000;
      const snapshot = quotes.at(listing, now);
      expect(snapshot).toMatchObject({ halted: true, quote: undefined, trade: { time: open + halt.from * MINUTE_MS } });
      expect(haltedListings(market.listings, now)).toContain(listing);
      expect(haltedListings(market.listings, open + halt.until * MINUTE_MS)).not.toContain(listing);
      expect([...listing.minutes(session).minute].some((minute) => minute >= halt.from && minute < halt.until)).toBe(false);
    }
  });
});
