import {
  EXTENDED_MINUTES,
  lastSessionUntil,
  MINUTE_MS,
  type Phase,
  phaseAt,
  SESSION_COUNT,
  type Session,
  sessionAt,
  toLocal,
} from '../calendar/index.ts';
import type { DayBar, Listing } from './market.ts';
import { Lru } from './lru.ts';
import type { Halt } from './minutes.ts';
import { normal, type Stream, stream, uniform } from './random.ts';

const POST_MINUTES = 240;
const EXTENDED_DEVIATION = 0.25;
const EXTENDED_SPREAD = 4;
const PATHS_KEPT = 256;
const ROUND_LOT = 100;

/** Best bid and offer; prices in cents, sizes in shares. */
export interface Quote {
  readonly bid: number;
  readonly bidSize: number;
  readonly ask: number;
  readonly askSize: number;
}

export interface Trade {
  /** Cents. */
  readonly price: number;
  readonly size: number;
  /** Milliseconds since the epoch. */
  readonly time: number;
}

/** The state of one company at an instant. */
export interface Snapshot {
  readonly phase: Phase;
  readonly halted: boolean;
  /** Undefined while trading is halted. */
  readonly quote: Quote | undefined;
  readonly trade: Trade;
  /** The session the day figures belong to: today's, or the last one while the market is closed. */
  readonly session: Session;
  /** Undefined before the session opens. */
  readonly day: DayBar | undefined;
  /** The close before that session in its own terms, after its split if there was one; cents. Undefined on the very first session. */
  readonly previousClose: number | undefined;
}

/** Quotes and trades as functions of the instant; a second is the finest step, a minute outside regular hours. */
export class QuoteSource {
  readonly #streams: ReadonlyMap<string, Stream>;
  readonly #paths = new Lru<string, Float64Array>(PATHS_KEPT);

  constructor(seed: number, listings: readonly Listing[]) {
    this.#streams = new Map(listings.map(({ company }) => [company.symbol, stream(seed, `${company.symbol}/quote`)]));
  }

  /** What was known of a company at `now`. */
  at(listing: Listing, now: number): Snapshot {
    const phase = phaseAt(now);
    const session = sessionAt(sessionOf(now, phase));
    const previousClose = closeBefore(listing, session.index);
    if (phase === 'regular') return this.#regular(listing, session, now, previousClose);
    const day = phase === 'pre' ? undefined : listing.dayUntil(session.index, now);
    const time = Math.floor(Math.min(now, phase === 'pre' ? now : session.postClose) / MINUTE_MS) * MINUTE_MS;
    const price = phase === 'pre' ? this.#before(listing, session, time) : this.#after(listing, session, time);
    const trade = this.#trade(listing, price, time);
    return { phase, halted: false, quote: this.#quote(listing, session.index, trade, EXTENDED_SPREAD), trade, session, day, previousClose };
  }

  #regular(listing: Listing, session: Session, now: number, previousClose: number | undefined): Snapshot {
    const day = listing.dayUntil(session.index, now);
    const halt = haltAt(listing, session, now);
    const halted = halt !== undefined;
    const time = halt ? session.open + halt.from * MINUTE_MS : Math.floor(now / 1000) * 1000;
    const trade = this.#trade(listing, day.close, time);
    const quote = halted ? undefined : this.#quote(listing, session.index, trade, 1);
    return { phase: 'regular', halted, quote, trade, session, day, previousClose };
  }

  #before(listing: Listing, session: Session, time: number): number {
    if (session.index === 0) return listing.daily(0).open[0] ?? 0;
    const path = this.#extendedPath(listing, session.index - 1);
    const log = path[POST_MINUTES + Math.floor((time - session.preOpen) / MINUTE_MS)] ?? 0;
    return Math.max(1, Math.round(Math.exp(log) / termsChange(listing, session.index)));
  }

  #after(listing: Listing, session: Session, time: number): number {
    const log = this.#extendedPath(listing, session.index)[Math.floor((time - session.close) / MINUTE_MS)] ?? 0;
    return Math.max(1, Math.round(Math.exp(log)));
  }

  /** The log price in the terms of `session`, minute by minute from its close through late and early trading to the next open. */
  #extendedPath(listing: Listing, session: number): Float64Array {
    return this.#paths.getOrMake(`${listing.company.symbol}/${session}`, () => {
      const next = Math.min(session + 1, SESSION_COUNT - 1);
      const bars = listing.daily(next);
      const start = Math.log(bars.close[session] ?? 1);
      const end = next === session ? start : Math.log((bars.open[next] ?? 1) * termsChange(listing, next));
      const deviation = (EXTENDED_DEVIATION * (bars.volatility[session] ?? 0)) / Math.sqrt(EXTENDED_MINUTES);
      return this.#bridge(listing, session, { start, end, deviation });
    });
  }

  #bridge(listing: Listing, session: number, { start, end, deviation }: { start: number; end: number; deviation: number }): Float64Array {
    const source = this.#stream(listing);
    const path = new Float64Array(EXTENDED_MINUTES + 1);
    let value = start;
    path[0] = start;
    for (let i = 1; i <= EXTENDED_MINUTES; i++) {
      const left = EXTENDED_MINUTES - i + 1;
      value += (end - value) / left + deviation * Math.sqrt((left - 1) / left) * normal(source, session * 1024 + i);
      path[i] = value;
    }
    return path;
  }

  #trade(listing: Listing, price: number, time: number): Trade {
    const chance = uniform(this.#stream(listing), -4 * Math.floor(time / 1000));
    return { price, size: Math.max(1, Math.round(-60 * Math.log(chance))), time };
  }

  /** Spread: one cent or liquidity in basis points scaled by today's volatility, whichever is more. The last trade lies within it. */
  #quote(listing: Listing, session: number, trade: Trade, widening: number): Quote {
    const source = this.#stream(listing);
    const counter = -4 * Math.floor(trade.time / 1000);
    const spread = Math.max(1, Math.round(trade.price * spreadFraction(listing, session) * widening));
    const bid = Math.max(1, trade.price - Math.floor((spread + 1) * uniform(source, counter + 1)));
    return { bid, ask: bid + spread, bidSize: lots(uniform(source, counter + 2)), askSize: lots(uniform(source, counter + 3)) };
  }

  #stream(listing: Listing): Stream {
    const source = this.#streams.get(listing.company.symbol);
    if (!source) throw new RangeError(`${listing.company.symbol} is not listed here.`);
    return source;
  }
}

/** The halt that is on at an instant of a session. */
function haltAt(listing: Listing, session: Session, now: number): Halt | undefined {
  const { halt } = listing.minutes(session.index);
  const minute = Math.floor((now - session.open) / MINUTE_MS);
  return halt && minute >= halt.from && minute < halt.until ? halt : undefined;
}

/** The listings whose trading is halted at an instant. */
export function haltedListings(listings: readonly Listing[], now: number): Listing[] {
  if (phaseAt(now) !== 'regular') return [];
  const session = sessionAt(sessionOf(now, 'regular'));
  return listings.filter((listing) => haltAt(listing, session, now) !== undefined);
}

/** While the market is closed the last session that ended; otherwise today's. */
function sessionOf(now: number, phase: Phase): number {
  const today = lastSessionUntil(toLocal(now).day);
  return phase === 'closed' && now < sessionAt(today).preOpen ? today - 1 : today;
}

/** One price in the terms before session `index` is this many in its own: splits times what a dividend took off. */
function termsChange(listing: Listing, index: number): number {
  const bars = listing.daily(index);
  const split = bars.splits.findLast((event) => event.session === index)?.ratio ?? 1;
  const dividend = bars.dividends.findLast((event) => event.session === index)?.factor ?? 1;
  return split / dividend;
}

function closeBefore(listing: Listing, index: number): number | undefined {
  if (index === 0) return undefined;
  const bars = listing.daily(index);
  const split = bars.splits.findLast((event) => event.session === index)?.ratio ?? 1;
  return (bars.close[index - 1] ?? 0) / split;
}

/** More dollars a day trade closer; yesterday's figures, so that nothing of today is given away. */
function spreadFraction(listing: Listing, session: number): number {
  const bars = listing.daily(session);
  const at = Math.max(0, session - 1);
  const dollarsTraded = ((bars.volume[at] ?? 0) * (bars.close[at] ?? 0)) / 100;
  const ordinary = listing.company.volatility / Math.sqrt(252);
  const basisPoints = 30 / Math.sqrt(Math.max(1, dollarsTraded / 1e6));
  return (basisPoints / 1e4) * Math.max(0.6, (bars.volatility[at] ?? ordinary) / ordinary);
}

function lots(chance: number): number {
  return ROUND_LOT * (1 + Math.floor(-4 * Math.log(chance)));
}
