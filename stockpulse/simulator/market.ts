import {
  DAY_MS,
  lastOpened,
  lastSessionUntil,
  MINUTE_MS,
  SESSION_COUNT,
  sessionAt,
  sessionDay,
  sessionMinutes,
  toLocal,
} from '../calendar/index.ts';
import { type Adjustment, Adjuster, type Factor } from './adjust.ts';
import {
  type Bar,
  type BarSeries,
  emptySeries,
  extend,
  groupDays,
  INTRADAY_MINUTES,
  periodOf,
  SeriesBuilder,
  setBar,
  type Timeframe,
} from './bars.ts';
import { type DailyBars, DailySource } from './daily.ts';
import { FactorSource } from './factors.ts';
import { Lru } from './lru.ts';
import { type MinuteBars, MinuteSource } from './minutes.ts';
import { COMPANIES, type Company } from './universe.ts';

/** Sessions of minute bars that are kept: about 10 kB each. */
const MINUTE_SESSIONS_KEPT = 1024;

export interface SeriesRequest {
  readonly timeframe: Timeframe;
  /** First and last session wanted, both included; whole periods for weeks and months. */
  readonly from: number;
  readonly to: number;
  readonly adjustment: Adjustment;
  /** Nothing after this instant is shown. */
  readonly now: number;
}

/** The bar of a session as far as it has got; prices in cents. */
export interface DayBar {
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly volume: number;
}

/** One company's simulated prices. */
export class Listing {
  readonly company: Company;
  readonly #daily: DailySource;
  readonly #minutes: MinuteSource;
  readonly #cache: Lru<string, MinuteBars>;

  constructor(seed: number, company: Company, factors: FactorSource, cache: Lru<string, MinuteBars>) {
    this.company = company;
    this.#daily = new DailySource(seed, company, factors);
    this.#minutes = new MinuteSource(seed, company.symbol);
    this.#cache = cache;
  }

  /** Unadjusted daily bars in cents, valid up to and including `session`. Says nothing about what is known by now. */
  daily(session: number): DailyBars {
    return this.#daily.upTo(session);
  }

  trendCents(session: number): number {
    return this.#daily.trendCents(session);
  }

  minutes(session: number): MinuteBars {
    return this.#cache.getOrMake(`${this.company.symbol}/${session}`, () => this.#minutes.of(session, this.daily(session)));
  }

  /** The minutes of a session that had begun by `now`, the last one cut where the clock stands. */
  *minutesUntil(session: number, now: number): Generator<Bar> {
    const bars = this.minutes(session);
    const { open, close } = sessionAt(session);
    const running = now >= close ? Infinity : Math.floor((now - open) / MINUTE_MS);
    for (let i = 0; i < bars.minute.length; i++) {
      const minute = bars.minute[i] ?? 0;
      if (minute > running) return;
      const time = open + minute * MINUTE_MS;
      const bar = { time, session, open: bars.open[i] ?? 0, high: bars.high[i] ?? 0, low: bars.low[i] ?? 0, close: bars.close[i] ?? 0 };
      if (minute < running) yield { ...bar, volume: bars.volume[i] ?? 0 };
      else {
        const part = this.#minutes.partial(session, bars, i, Math.floor((now - time) / 1000));
        yield { ...bar, high: part.high, low: part.low, close: part.last, volume: part.volume };
      }
    }
  }

  /** The daily bar of a session that has begun, as far as it has got by `now`. */
  dayUntil(session: number, now: number): DayBar {
    const bars = this.daily(session);
    if (now >= sessionAt(session).close) {
      return {
        open: bars.open[session] ?? 0,
        high: bars.high[session] ?? 0,
        low: bars.low[session] ?? 0,
        close: bars.close[session] ?? 0,
        volume: bars.volume[session] ?? 0,
      };
    }
    return this.#dayInProgress(session, now);
  }

  /** What `minutesUntil` would add up to, without making its bars: this is the path of every quote. */
  #dayInProgress(session: number, now: number): DayBar {
    const bars = this.minutes(session);
    const elapsed = now - sessionAt(session).open;
    const running = Math.floor(elapsed / MINUTE_MS);
    const day = { open: bars.open[0] ?? 0, high: 0, low: Infinity, close: bars.open[0] ?? 0, volume: 0 };
    let at = 0;
    for (; (bars.minute[at] ?? Infinity) < running; at++) {
      day.high = Math.max(day.high, bars.high[at] ?? 0);
      day.low = Math.min(day.low, bars.low[at] ?? 0);
      day.close = bars.close[at] ?? 0;
      day.volume += bars.volume[at] ?? 0;
    }
    if (bars.minute[at] !== running) return day;
    const part = this.#minutes.partial(session, bars, at, Math.floor((elapsed % MINUTE_MS) / 1000));
    const { high, low, last, volume } = part;
    return { ...day, high: Math.max(day.high, high), low: Math.min(day.low, low), close: last, volume: day.volume + volume };
  }

  /** Bars of a range of sessions, adjusted as seen at `now`. Sessions that have not begun are left out. */
  series(request: SeriesRequest): BarSeries {
    const last = Math.min(request.to, lastOpened(request.now));
    const step = INTRADAY_MINUTES[request.timeframe];
    if (step !== undefined) return this.#intraday(request, last, step);
    if (request.timeframe === '1Day') return this.#days(request, request.from, last);
    return this.#periods(request, last);
  }

  #adjuster(request: SeriesRequest): Adjuster {
    const today = lastSessionUntil(toLocal(request.now).day);
    return new Adjuster(this.daily(today), today, request.adjustment);
  }

  #days(request: SeriesRequest, from: number, last: number): BarSeries {
    const size = Math.max(0, last - from + 1);
    const series = emptySeries(size, size > 0 && request.now < sessionAt(last).close);
    if (size === 0) return series;
    const adjuster = this.#adjuster(request);
    const bars = this.daily(last);
    for (let at = 0; at < size; at++) {
      const { divisor, multiplier, shares } = adjuster.at(from + at);
      series.time[at] = sessionDay(from + at) * DAY_MS;
      series.session[at] = from + at;
      series.open[at] = ((bars.open[from + at] ?? 0) / divisor) * multiplier;
      series.high[at] = ((bars.high[from + at] ?? 0) / divisor) * multiplier;
      series.low[at] = ((bars.low[from + at] ?? 0) / divisor) * multiplier;
      series.close[at] = ((bars.close[from + at] ?? 0) / divisor) * multiplier;
      series.volume[at] = (bars.volume[from + at] ?? 0) * shares;
    }
    if (series.forming) setBar(series, size - 1, toDollars(this.dayUntil(last, request.now), adjuster.at(last)));
    return series;
  }

  /** Weeks and months are always whole, whatever session the request starts or ends with. */
  #periods(request: SeriesRequest, last: number): BarSeries {
    if (last < request.from) return emptySeries(0, false);
    let from = request.from;
    while (from > 0 && periodOf(request.timeframe, from - 1) === periodOf(request.timeframe, from)) from--;
    const opened = lastOpened(request.now);
    let to = last;
    while (to < opened && periodOf(request.timeframe, to + 1) === periodOf(request.timeframe, to)) to++;
    const days = this.#days(request, from, to);
    const more = to + 1 < SESSION_COUNT && periodOf(request.timeframe, to + 1) === periodOf(request.timeframe, to);
    return groupDays(days, request.timeframe, days.forming || (to === opened && more));
  }

  #intraday(request: SeriesRequest, last: number, step: number): BarSeries {
    const perSession = Math.ceil(390 / step);
    const builder = new SeriesBuilder(Math.max(0, last - request.from + 1) * perSession);
    const adjuster = this.#adjuster(request);
    let newest = 0;
    for (let session = request.from; session <= last; session++) {
      const factor = adjuster.at(session);
      for (const bar of this.#grouped(session, request.now, step)) {
        newest = bar.time;
        builder.add(toDollars(bar, factor));
      }
    }
    const end = last >= request.from ? Math.min(newest + step * MINUTE_MS, sessionAt(last).close) : 0;
    return builder.finish(request.now < end);
  }

  /** The minutes of a session in groups of `step`, counted from the open. */
  *#grouped(session: number, now: number, step: number): Generator<Bar> {
    const { open } = sessionAt(session);
    let current: Bar | undefined;
    for (const minute of this.minutesUntil(session, now)) {
      const start = open + Math.floor((minute.time - open) / MINUTE_MS / step) * step * MINUTE_MS;
      if (current?.time === start) {
        extend(current, minute);
        continue;
      }
      if (current) yield current;
      current = { ...minute, time: start };
    }
    if (current) yield current;
  }
}

function toDollars<Prices extends DayBar>(bar: Prices, { divisor, multiplier, shares }: Factor): Prices {
  return {
    ...bar,
    open: (bar.open / divisor) * multiplier,
    high: (bar.high / divisor) * multiplier,
    low: (bar.low / divisor) * multiplier,
    close: (bar.close / divisor) * multiplier,
    volume: bar.volume * shares,
  };
}

/** The whole simulated market: a pure function of the seed. Holds only caches, all bounded. */
export class Market {
  readonly listings: readonly Listing[];
  readonly #bySymbol: ReadonlyMap<string, Listing>;

  /** `seed`: any safe integer. */
  constructor(seed: number) {
    const factors = new FactorSource(seed);
    const cache = new Lru<string, MinuteBars>(MINUTE_SESSIONS_KEPT);
    this.listings = COMPANIES.map((company) => new Listing(seed, company, factors, cache));
    this.#bySymbol = new Map(this.listings.map((listing) => [listing.company.symbol, listing]));
  }

  find(symbol: string): Listing | undefined {
    return this.#bySymbol.get(symbol);
  }
}

/** Most bars that a range of sessions can have. */
export function barBound(timeframe: Timeframe, from: number, to: number): number {
  const sessions = Math.max(0, to - from + 1);
  const step = INTRADAY_MINUTES[timeframe];
  if (step === undefined) return sessions;
  let bars = 0;
  for (let session = from; session <= to; session++) bars += Math.ceil(sessionMinutes(session) / step);
  return bars;
}
