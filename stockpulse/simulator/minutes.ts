import { sessionMinutes } from '../calendar/index.ts';
import { bridge } from './bridge.ts';
import type { DailyBars } from './daily.ts';
import { normal, type Stream, stream, uniform } from './random.ts';

/** More than the minutes of any session, so that counters of two sessions never meet. */
const COUNTERS_PER_SESSION = 512;
const SECONDS = 60;
const HALT_CHANCE = 0.0012;
const HALT_CHANCE_ON_LARGE_MOVES = 0.2;
const LARGE_RANGE = 0.13;
const HALT_MINUTES = [5, 5, 5, 10, 15] as const;
const CLOSING_AUCTION_SHARE = 0.06;

/** A pause of trading; minutes of the session, the end not included. */
export interface Halt {
  readonly from: number;
  readonly until: number;
}

/** The one-minute bars of one company and session, in cents and shares. A halted minute has no bar. */
export interface MinuteBars {
  /** Minute of the session that each bar begins. */
  readonly minute: Int16Array;
  readonly open: Int32Array;
  readonly high: Int32Array;
  readonly low: Int32Array;
  readonly close: Int32Array;
  readonly volume: Float64Array;
  readonly halt: Halt | undefined;
}

/** The part of a minute that has passed. */
export interface PartialMinute {
  readonly high: number;
  readonly low: number;
  readonly last: number;
  readonly volume: number;
}

const EVEN_SECONDS = new Float64Array(SECONDS).fill(1);

/** Splits daily bars into minutes and minutes into seconds; pure in (seed, symbol, session, minute). */
export class MinuteSource {
  readonly #steps: Stream;
  readonly #corners: Stream;
  readonly #wicks: Stream;
  readonly #volume: Stream;
  readonly #halts: Stream;
  readonly #seconds: Stream;
  readonly #secondCorners: Stream;

  constructor(seed: number, symbol: string) {
    this.#steps = stream(seed, `${symbol}/minute/steps`);
    this.#corners = stream(seed, `${symbol}/minute/corners`);
    this.#wicks = stream(seed, `${symbol}/minute/wicks`);
    this.#volume = stream(seed, `${symbol}/minute/volume`);
    this.#halts = stream(seed, `${symbol}/halt`);
    this.#seconds = stream(seed, `${symbol}/second/steps`);
    this.#secondCorners = stream(seed, `${symbol}/second/corners`);
  }

  /** The minutes of a session; aggregated, they are exactly its daily bar. */
  of(session: number, daily: DailyBars): MinuteBars {
    const corners = cornersOf(daily, session);
    const length = sessionMinutes(session);
    const halt = this.#haltOf(session, length, (corners.high - corners.low) / corners.open);
    const { minute, weights } = timetable(length, halt);
    const base = session * COUNTERS_PER_SESSION;
    const path = bridge(corners, weights, { steps: this.#steps, corners: this.#corners, stepBase: base, cornerBase: session * 2 });
    const prices = this.#wick(path, corners, base);
    const volume = this.#spread(daily.volume[session] ?? 0, path, weights, base);
    return { minute, ...prices, volume, halt };
  }

  /** A bar of `bars` as it stood when `second` (0 to 59) of its minute had been reached. */
  partial(session: number, bars: MinuteBars, at: number, second: number): PartialMinute {
    const corners = cornersOf(bars, at);
    const counter = session * COUNTERS_PER_SESSION + (bars.minute[at] ?? 0);
    const path = bridge(corners, EVEN_SECONDS, {
      steps: this.#seconds,
      corners: this.#secondCorners,
      stepBase: counter * 64,
      cornerBase: counter * 2,
    });
    const seen = path.subarray(0, second + 1);
    const volume = Math.floor(((bars.volume[at] ?? 0) * (second + 1)) / (SECONDS + 1));
    return { high: Math.max(...seen), low: Math.min(...seen), last: seen[second] ?? corners.open, volume };
  }

  #haltOf(session: number, length: number, range: number): Halt | undefined {
    const chance = range > LARGE_RANGE ? HALT_CHANCE_ON_LARGE_MOVES : HALT_CHANCE;
    if (uniform(this.#halts, session * 4) >= chance) return undefined;
    const minutes = HALT_MINUTES[Math.floor(uniform(this.#halts, session * 4 + 1) * HALT_MINUTES.length)] ?? 5;
    const from = 5 + Math.floor(uniform(this.#halts, session * 4 + 2) * (length - 50));
    return { from, until: from + minutes };
  }

  /** Minute bars over a path: each opens where the one before closed and reaches a little further than both ends. */
  #wick(path: Int32Array, day: { high: number; low: number }, base: number): Omit<MinuteBars, 'minute' | 'volume' | 'halt'> {
    const length = path.length - 1;
    const bars = { open: new Int32Array(length), high: new Int32Array(length), low: new Int32Array(length), close: new Int32Array(length) };
    const size = ((day.high - day.low) / Math.sqrt(length)) * 0.45;
    for (let i = 0; i < length; i++) {
      const open = path[i] ?? 0;
      const close = path[i + 1] ?? 0;
      bars.open[i] = open;
      bars.close[i] = close;
      bars.high[i] = Math.min(day.high, Math.max(open, close) + Math.floor(Math.abs(normal(this.#wicks, (base + i) * 2)) * size));
      bars.low[i] = Math.max(day.low, Math.min(open, close) - Math.floor(Math.abs(normal(this.#wicks, (base + i) * 2 + 1)) * size));
    }
    return bars;
  }

  /** Hands out a day's volume in whole shares: U-shaped, more where the price moves, a closing auction; at least one share a minute. */
  #spread(volume: number, path: Int32Array, weights: Float64Array, base: number): Float64Array {
    const length = weights.length;
    const shares = new Float64Array(length);
    const typical = Math.max(1, meanStep(path));
    let sum = 0;
    for (let i = 0; i < length; i++) {
      const step = Math.abs((path[i + 1] ?? 0) - (path[i] ?? 0));
      const share = (weights[i] ?? 0) * (0.5 + (0.5 * step) / typical) * Math.exp(0.35 * normal(this.#volume, base + i));
      shares[i] = share;
      sum += share;
    }
    shares[length - 1] = (shares[length - 1] ?? 0) + sum * CLOSING_AUCTION_SHARE;
    return apportion(volume, shares, sum * (1 + CLOSING_AUCTION_SHARE));
  }
}

/** Whole numbers that sum exactly to `volume`, each at least 1, in proportion to `shares`. */
function apportion(volume: number, shares: Float64Array, sum: number): Float64Array {
  const parts = new Float64Array(shares.length);
  const free = volume - shares.length;
  let passed = 0;
  let given = 0;
  for (let i = 0; i < shares.length; i++) {
    passed += shares[i] ?? 0;
    const until = i === shares.length - 1 ? free : Math.min(free, Math.floor((free * passed) / sum));
    parts[i] = 1 + until - given;
    given = until;
  }
  return parts;
}

function meanStep(path: Int32Array): number {
  let sum = 0;
  for (let i = 1; i < path.length; i++) sum += Math.abs((path[i] ?? 0) - (path[i - 1] ?? 0));
  return sum / (path.length - 1);
}

/** How busy a moment of the session is; `x` runs from 0 at the open to 1 at the close. */
function activity(x: number): number {
  return 0.55 + 3.2 * (x - 0.5) ** 2 + 2.2 * Math.exp(-x * 26);
}

interface Timetable {
  readonly minute: Int16Array;
  readonly weights: Float64Array;
}

/** The only session lengths are 210, 270 and 390 minutes. */
const wholeDays = new Map<number, Timetable>();

function timetable(length: number, halt: Halt | undefined): Timetable {
  let whole = wholeDays.get(length);
  if (!whole) {
    const minute = Int16Array.from({ length }, (_, at) => at);
    whole = { minute, weights: Float64Array.from(minute, (at) => activity((at + 0.5) / length)) };
    wholeDays.set(length, whole);
  }
  if (!halt) return whole;
  const trading = (_: number, at: number): boolean => at < halt.from || at >= halt.until;
  return { minute: whole.minute.filter(trading), weights: whole.weights.filter(trading) };
}

function cornersOf(
  bars: Pick<MinuteBars, 'open' | 'high' | 'low' | 'close'>,
  at: number,
): { open: number; high: number; low: number; close: number } {
  return { open: bars.open[at] ?? 0, high: bars.high[at] ?? 0, low: bars.low[at] ?? 0, close: bars.close[at] ?? 0 };
}
