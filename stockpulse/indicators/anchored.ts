import { type BarSeries, INTRADAY_MINUTES, type Listing, sizeOf, slice, type Timeframe } from '../simulator/index.ts';
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
  const plans = indicators.map((indicator) => ({ indicator, blocks: blocksOf(indicator, bars, request.timeframe) }));
  const feed = feedFor(
    plans.flatMap(({ blocks }) => blocks),
    request,
  );
  return plans.flatMap(({ indicator, blocks }) => {
    const result = indicator.columns.map(() => blank(sizeOf(bars)));
    for (const { start, end, from, to } of blocks) {
      const fed = feed(from, to);
      const times = bars.time.subarray(start, end);
      indicator.compute(fed).forEach((column, i) => result[i]?.set(align(column, fed, times), start));
    }
    return result;
  });
}

/** Bars that share an anchor, and the sessions to feed for them. */
interface Block {
  readonly start: number;
  readonly end: number;
  readonly from: number;
  readonly to: number;
}

function blocksOf(indicator: Indicator, bars: BarSeries, timeframe: Timeframe): Block[] {
  const grid = gridOf(indicator, timeframe);
  const blockAt = (at: number): number => Math.floor((bars.session[at] ?? 0) / grid.block);
  const blocks: Block[] = [];
  for (let start = 0; start < sizeOf(bars);) {
    let end = start + 1;
    while (end < sizeOf(bars) && blockAt(end) === blockAt(start)) end++;
    blocks.push({ start, end, from: Math.max(0, blockAt(start) * grid.block - grid.warmUp), to: bars.session[end - 1] ?? 0 });
    start = end;
  }
  return blocks;
}

/** All blocks overlap: their bars are made once, and each gets its part. */
function feedFor(blocks: readonly Block[], { listing, timeframe, now }: AnchorRequest): (from: number, to: number) => BarSeries {
  const from = Math.min(...blocks.map((block) => block.from));
  const to = Math.max(...blocks.map((block) => block.to));
  const all = listing.series({ timeframe, from, to, adjustment: 'split', now });
  const firstOf = (session: number): number => lowerBound(all.session, session);
  return (first, last) => slice(all, firstOf(first), firstOf(last + 1));
}

/** Where the first element that is not less than `wanted` lies in ascending numbers. */
function lowerBound(values: Int32Array, wanted: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((values[middle] ?? 0) < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
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
