import { SESSION_COUNT, sessionMinutes, sessionMonth, sessionOrdinal } from '../calendar/index.ts';
import { type Factors, type FactorSource, nextLogVolatility, VOLATILITY_SPREAD } from './factors.ts';
import { normal, type Stream, stream, uniform } from './random.ts';
import { type Company, SECTORS } from './universe.ts';

const CHUNK = 1024;
const SESSIONS_PER_YEAR = 252;

/** Share of a day's variance that happens overnight. */
const GAP_VARIANCE = 0.22;
const MARKET_WEIGHT = 0.55;
const SECTOR_WEIGHT = 0.545;
/** How much of the log volatility is common to all companies. */
const COMMON_VOLATILITY = 0.6;
const JUMP_CHANCE = 0.006;
const JUMP_SPREAD = 3.2;
/** Pull of the log price towards its trend per session: half of a deviation is gone after about a year. */
const REVERSION = 0.00275;
const SPLIT_ABOVE_CENTS = 40_000;
const SESSIONS_TO_SPLIT = 10;
const SPLIT_RATIOS = [2, 2, 3, 4, 4, 5] as const;
const DAILY_TURNOVER = 0.0055;
const SMALLEST_VOLUME = 20_000;

export interface Split {
  /** The first session traded in new shares. */
  readonly session: number;
  /** New shares for one old one. */
  readonly ratio: number;
}

export interface Dividend {
  /** The ex-date: the first session without the right to it. */
  readonly session: number;
  readonly cents: number;
  /** What prices before the ex-date are multiplied with to be comparable: 1 - dividend / previous close. */
  readonly factor: number;
}

/** Unadjusted daily bars of one company, in cents and shares, by session index. Values never change once written. */
export interface DailyBars {
  readonly open: Int32Array;
  readonly high: Int32Array;
  readonly low: Int32Array;
  readonly close: Int32Array;
  readonly volume: Float64Array;
  /** Standard deviation of the day's log return that was in force. */
  readonly volatility: Float64Array;
  readonly splits: readonly Split[];
  readonly dividends: readonly Dividend[];
}

interface Streams {
  readonly gap: Stream;
  readonly day: Stream;
  readonly jump: Stream;
  readonly volatility: Stream;
  readonly high: Stream;
  readonly low: Stream;
  readonly volume: Stream;
  readonly split: Stream;
}

/** What one session hands to the next. */
interface State {
  /** Deviation of the log price from its trend. */
  deviation: number;
  logVolatility: number;
  /** What the value (dividends reinvested, no splits) is divided by to give the price. */
  divisor: number;
  /** Product of all split ratios so far. */
  splitProduct: number;
  splitDue: { session: number; ratio: number } | undefined;
}

/** The price process of one company, from the first session of 1990 on, grown on demand. */
export class DailySource {
  readonly company: Company;
  readonly #factors: FactorSource;
  readonly #streams: Streams;
  readonly #sector: number;
  readonly #weights: { market: number; sector: number; own: number };
  readonly #dailyVolatility: number;
  readonly #drift: number;
  readonly #dividendPhase: number;
  readonly #splits: Split[] = [];
  readonly #dividends: Dividend[] = [];
  readonly #state: State = { deviation: 0, logVolatility: 0, divisor: 1, splitProduct: 1, splitDue: undefined };
  #length = 0;
  #bars: DailyBars;

  constructor(seed: number, company: Company, factors: FactorSource) {
    this.company = company;
    this.#factors = factors;
    this.#streams = makeStreams(seed, company.symbol);
    this.#sector = SECTORS.indexOf(company.sector);
    const market = MARKET_WEIGHT * company.beta;
    this.#weights = { market, sector: SECTOR_WEIGHT, own: Math.sqrt(1 - market * market - SECTOR_WEIGHT * SECTOR_WEIGHT) };
    this.#dailyVolatility = company.volatility / Math.sqrt(SESSIONS_PER_YEAR);
    this.#drift = Math.log(1.045 + 0.12 * company.volatility) / SESSIONS_PER_YEAR;
    this.#dividendPhase = Math.floor(uniform(this.#streams.split, 0) * 30);
    this.#bars = emptyBars(0, this.#splits, this.#dividends);
  }

  /** The bars, valid for every session up to and including `session`. Throws a RangeError beyond the calendar. */
  upTo(session: number): DailyBars {
    if (session >= this.#length) this.#grow(session);
    return this.#bars;
  }

  /** The price that the trend alone gives on a session, in cents of that session's shares. Earnings follow it. */
  trendCents(session: number): number {
    const bars = this.upTo(session);
    const product = bars.splits.reduce((all, split) => (split.session <= session ? all * split.ratio : all), 1);
    const paid = bars.dividends.reduce((all, dividend) => (dividend.session <= session ? all * dividend.factor : all), 1);
    return (this.company.startPrice * 100 * Math.exp(this.#drift * session) * paid) / product;
  }

  #grow(session: number): void {
    if (session >= SESSION_COUNT) throw new RangeError('The simulated market ends with the calendar.');
    if (session >= this.#bars.open.length) {
      this.#bars = copyBars(this.#bars, Math.ceil((session + 1) / CHUNK) * CHUNK);
    }
    const factors = this.#factors.upTo(session);
    for (let i = this.#length; i <= session; i++) this.#step(i, factors);
    this.#length = session + 1;
  }

  #step(i: number, factors: Factors): void {
    const bars = this.#bars;
    const state = this.#state;
    this.#openSession(i);
    const volatility = this.#nextVolatility(i, factors);
    const gap = Math.sqrt(GAP_VARIANCE) * volatility * this.#shock(i, factors, 'gap') + this.#jump(i, volatility);
    const dayVolatility = Math.sqrt(1 - GAP_VARIANCE) * volatility;
    const move = dayVolatility * this.#shock(i, factors, 'day') - REVERSION * state.deviation;
    const trend = Math.log(this.company.startPrice * 100) + this.#drift * i;
    const openLog = trend + state.deviation + gap - Math.log(state.divisor);
    state.deviation += gap + move;
    const open = toCents(openLog);
    const close = toCents(openLog + move);
    bars.open[i] = open;
    bars.close[i] = close;
    bars.high[i] = Math.max(open, close, toCents(openLog + excursion(move, dayVolatility, uniform(this.#streams.high, i))));
    bars.low[i] = Math.min(open, close, toCents(openLog - excursion(-move, dayVolatility, uniform(this.#streams.low, i))));
    bars.volatility[i] = volatility;
    bars.volume[i] = this.#volumeOf(i, Math.abs(gap + move) / volatility, factors);
    if (close > SPLIT_ABOVE_CENTS && !state.splitDue) state.splitDue = { session: i + SESSIONS_TO_SPLIT, ratio: this.#splitRatio(i) };
  }

  /** Corporate actions take effect before the open. */
  #openSession(i: number): void {
    const state = this.#state;
    let previousClose = this.#bars.close[i - 1];
    if (previousClose === undefined) return;
    if (state.splitDue?.session === i) {
      const { ratio } = state.splitDue;
      state.splitDue = undefined;
      state.divisor *= ratio;
      state.splitProduct *= ratio;
      previousClose /= ratio;
      this.#splits.push({ session: i, ratio });
    }
    if (!this.#isExDate(i)) return;
    const cents = Math.round((previousClose * this.company.yield) / 4);
    if (cents < 1) return;
    const factor = 1 - cents / previousClose;
    state.divisor /= factor;
    this.#dividends.push({ session: i, cents, factor });
  }

  #isExDate(i: number): boolean {
    return sessionMonth(i) % 3 === this.#dividendPhase % 3 && sessionOrdinal(i) === 4 + Math.floor(this.#dividendPhase / 3);
  }

  #nextVolatility(i: number, factors: Factors): number {
    const state = this.#state;
    state.logVolatility = nextLogVolatility(state.logVolatility, normal(this.#streams.volatility, i));
    const log = COMMON_VOLATILITY * (factors.marketVolatility[i] ?? 0) + state.logVolatility;
    const variance = VOLATILITY_SPREAD * VOLATILITY_SPREAD * (1 + COMMON_VOLATILITY * COMMON_VOLATILITY);
    return this.#dailyVolatility * Math.exp(log - variance);
  }

  #shock(i: number, factors: Factors, part: 'gap' | 'day'): number {
    const market = (part === 'gap' ? factors.marketGap : factors.marketDay)[i] ?? 0;
    const sector = (part === 'gap' ? factors.sectorGaps : factors.sectorDays)[this.#sector]?.[i] ?? 0;
    const { market: marketWeight, sector: sectorWeight, own } = this.#weights;
    return marketWeight * market + sectorWeight * sector + own * normal(this.#streams[part], i);
  }

  /** Company news overnight: rare, and large against an ordinary day. */
  #jump(i: number, volatility: number): number {
    if (uniform(this.#streams.jump, 2 * i) >= JUMP_CHANCE) return 0;
    return JUMP_SPREAD * volatility * normal(this.#streams.jump, 2 * i + 1);
  }

  /** Shares: a steady turnover, more on large moves and in nervous markets, less on a short day. */
  #volumeOf(i: number, size: number, factors: Factors): number {
    const shares = this.company.shares * 1e6 * this.#state.splitProduct;
    const turnover = DAILY_TURNOVER * (0.5 + this.company.volatility * 2);
    const log = 0.45 * Math.min(size, 5) - 0.36 + 0.22 * normal(this.#streams.volume, i) + 0.5 * (factors.marketVolatility[i] ?? 0);
    const volume = shares * turnover * Math.exp(log) * (sessionMinutes(i) / 390);
    return Math.max(SMALLEST_VOLUME, Math.round(volume));
  }

  #splitRatio(i: number): number {
    return SPLIT_RATIOS[Math.floor(uniform(this.#streams.split, i + 1) * SPLIT_RATIOS.length)] ?? 2;
  }
}

function makeStreams(seed: number, symbol: string): Streams {
  const own = (name: string): Stream => stream(seed, `${symbol}/${name}`);
  return {
    gap: own('gap'),
    day: own('day'),
    jump: own('jump'),
    volatility: own('volatility'),
    high: own('high'),
    low: own('low'),
    volume: own('volume'),
    split: own('split'),
  };
}

function toCents(logCents: number): number {
  return Math.max(1, Math.round(Math.exp(logCents)));
}

/** The maximum of a Brownian bridge from 0 to `end` over unit time, by inversion: never below max(0, end). */
function excursion(end: number, deviation: number, chance: number): number {
  return (end + Math.sqrt(end * end - 2 * deviation * deviation * Math.log(chance))) / 2;
}

function emptyBars(length: number, splits: readonly Split[], dividends: readonly Dividend[]): DailyBars {
  return {
    open: new Int32Array(length),
    high: new Int32Array(length),
    low: new Int32Array(length),
    close: new Int32Array(length),
    volume: new Float64Array(length),
    volatility: new Float64Array(length),
    splits,
    dividends,
  };
}

function copyBars(from: DailyBars, length: number): DailyBars {
  const to = emptyBars(length, from.splits, from.dividends);
  to.open.set(from.open);
  to.high.set(from.high);
  to.low.set(from.low);
  to.close.set(from.close);
  to.volume.set(from.volume);
  to.volatility.set(from.volatility);
  return to;
}
