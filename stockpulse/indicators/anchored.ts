import { type BarSeries, INTRADAY_MINUTES, type Listing, sizeOf, type Timeframe } from '../simulator/index.ts';
import { blank, type Column } from './averages.ts';
import type { Indicator } from './catalogue.ts';

const SESSION_MINUTES = 390;

export interface AnchorRequest {
  readonly listing: Listing;
  readonly timeframe: Timeframe;
  readonly now: number;
}

/**
 * The columns of indicators for a stretch of bars. A value depends on its own bar alone, never on which other bars or indicators are asked
 * for: it is computed from an anchor on a fixed grid of sessions, at least a full warm-up back.
 */
export function anchoredColumns(indicators: readonly Indicator[], bars: BarSeries, request: AnchorRequest): Column[] {
  const known = new Map<string, BarSeries>();
  const feed = (from: number, to: number): BarSeries => {
    const key = `${from}/${to}`;
    const made =
      known.get(key) ?? request.listing.series({ timeframe: request.timeframe, from, to, adjustment: 'split', now: request.now });
    known.set(key, made);
    return made;
  };
  return indicators.flatMap((indicator) => columnsOf(indicator, bars, request.timeframe, feed));
}

function columnsOf(indicator: Indicator, bars: BarSeries, timeframe: Timeframe, feed: (from: number, to: number) => BarSeries): Column[] {
  const result = indicator.columns.map(() => blank(sizeOf(bars)));
  const { block, warmUp } = gridOf(indicator, timeframe);
  for (let start = 0; start < sizeOf(bars);) {
    const number = Math.floor((bars.session[start] ?? 0) / block);
    let end = start + 1;
    while (end < sizeOf(bars) && Math.floor((bars.session[end] ?? 0) / block) === number) end++;
    const fed = feed(Math.max(0, number * block - warmUp), bars.session[end - 1] ?? 0);
    indicator.compute(fed).forEach((column, i) => result[i]?.set(align(column, fed, bars.time.subarray(start, end)), start));
    start = end;
  }
  return result;
}

/** Sessions in one block of the grid, and sessions fed before it. Weeks and months are few enough to be computed from the beginning. */
function gridOf({ warmUp }: Indicator, timeframe: Timeframe): { block: number; warmUp: number } {
  const step = timeframe === '1Day' ? SESSION_MINUTES : INTRADAY_MINUTES[timeframe];
  if (step === undefined || warmUp === Infinity) return { block: Number.MAX_SAFE_INTEGER, warmUp: 0 };
  if (warmUp === 0) return { block: 1, warmUp: 0 };
  // A session with a halt has a few bars less: one session is added for them.
  const sessions = Math.ceil((warmUp * step) / SESSION_MINUTES) + 1;
  return { block: Math.max(5, Math.ceil(sessions / 4)), warmUp: sessions };
}

/** The values at the times wanted; both run forward. */
function align(column: Column, fed: BarSeries, times: Float64Array): Column {
  let at = 0;
  return times.map((time) => {
    while (at < sizeOf(fed) && (fed.time[at] ?? 0) < time) at++;
    return fed.time[at] === time ? (column[at] ?? Number.NaN) : Number.NaN;
  });
}
