import { sessionMonth, sessionWeek } from '../calendar/index.ts';

export const TIMEFRAMES = ['1Min', '5Min', '15Min', '30Min', '1Hour', '1Day', '1Week', '1Month'] as const;
export type Timeframe = (typeof TIMEFRAMES)[number];

export const INTRADAY_MINUTES: Readonly<Partial<Record<Timeframe, number>>> = {
  '1Min': 1,
  '5Min': 5,
  '15Min': 15,
  '30Min': 30,
  '1Hour': 60,
};

/** Bars as columns, oldest first. Prices in dollars, volume in shares. */
export interface BarSeries {
  /** Sort key of a bar: the milliseconds at which an intraday bar begins; midnight UTC of the first session's date for others. */
  readonly time: Float64Array;
  /** The first session of each bar. */
  readonly session: Int32Array;
  readonly open: Float64Array;
  readonly high: Float64Array;
  readonly low: Float64Array;
  readonly close: Float64Array;
  readonly volume: Float64Array;
  /** Whether the last bar was still forming. */
  readonly forming: boolean;
}

export interface Bar {
  time: number;
  session: number;
  open: number;
  high: number;
  low: number;
  close: number;
  volume: number;
}

export function sizeOf(series: BarSeries): number {
  return series.time.length;
}

export function emptySeries(length: number, forming: boolean): BarSeries {
  const column = (): Float64Array => new Float64Array(length);
  return {
    time: column(),
    session: new Int32Array(length),
    open: column(),
    high: column(),
    low: column(),
    close: column(),
    volume: column(),
    forming,
  };
}

export function setBar(series: BarSeries, at: number, bar: Omit<Bar, 'time' | 'session'>): void {
  series.open[at] = bar.open;
  series.high[at] = bar.high;
  series.low[at] = bar.low;
  series.close[at] = bar.close;
  series.volume[at] = bar.volume;
}

/** The bars from `from` up to but not including `to`, over the same memory. */
export function slice(series: BarSeries, from: number, to: number): BarSeries {
  return {
    time: series.time.subarray(from, to),
    session: series.session.subarray(from, to),
    open: series.open.subarray(from, to),
    high: series.high.subarray(from, to),
    low: series.low.subarray(from, to),
    close: series.close.subarray(from, to),
    volume: series.volume.subarray(from, to),
    forming: series.forming && to === sizeOf(series),
  };
}

/** Collects bars one after another into columns. */
export class SeriesBuilder {
  readonly #series: BarSeries;
  #length = 0;

  constructor(capacity: number) {
    this.#series = emptySeries(capacity, false);
  }

  add(bar: Bar): void {
    const at = this.#length++;
    this.#series.time[at] = bar.time;
    this.#series.session[at] = bar.session;
    setBar(this.#series, at, bar);
  }

  finish(forming: boolean): BarSeries {
    return { ...slice(this.#series, 0, this.#length), forming };
  }
}

export function barAt(series: BarSeries, at: number): Bar {
  return {
    time: series.time[at] ?? 0,
    session: series.session[at] ?? 0,
    open: series.open[at] ?? 0,
    high: series.high[at] ?? 0,
    low: series.low[at] ?? 0,
    close: series.close[at] ?? 0,
    volume: series.volume[at] ?? 0,
  };
}

/** Adds a later bar to an earlier one. */
export function extend(bar: Bar, later: Bar): void {
  bar.high = Math.max(bar.high, later.high);
  bar.low = Math.min(bar.low, later.low);
  bar.close = later.close;
  bar.volume += later.volume;
}

/** The number of the period in which a session lies, for periods of whole sessions. */
export function periodOf(timeframe: Timeframe, session: number): number {
  if (timeframe === '1Week') return sessionWeek(session);
  return timeframe === '1Month' ? sessionMonth(session) : session;
}

/** Groups daily bars into weeks or months; a period is dated by its first session. */
export function groupDays(days: BarSeries, timeframe: Timeframe, forming: boolean): BarSeries {
  const builder = new SeriesBuilder(sizeOf(days));
  let current: Bar | undefined;
  for (let i = 0; i < sizeOf(days); i++) {
    const day = barAt(days, i);
    if (current && periodOf(timeframe, current.session) === periodOf(timeframe, day.session)) {
      extend(current, day);
      continue;
    }
    if (current) builder.add(current);
    current = day;
  }
  if (current) builder.add(current);
  return builder.finish(forming);
}
