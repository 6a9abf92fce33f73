import { Type } from 'typebox';
import { isoDate, rfc3339, sessionDay } from '../calendar/index.ts';
import { ApiError, ERROR_CODES } from '../errors.ts';
import { type EnvelopeParts, envelope, envelopeSchema, rowBudget, STANDARD_CAPS, takePage } from '../envelope.ts';
import { type ApiRoute, defineRoute, READ_ONLY } from '../route.ts';
import { type Cell, closed, nullable, oneOf } from '../schema.ts';
import {
  ADJUSTMENTS,
  type Adjustment,
  barBound,
  type BarSeries,
  INTRADAY_MINUTES,
  type Listing,
  sizeOf,
  TIMEFRAMES,
  type Timeframe,
} from '../simulator/index.ts';
import { CURSOR, limit, SYMBOL } from './inputs.ts';
import { findListings, type Platform } from './platform.ts';
import { INSTANT_PATTERN, LOOKBACK_PATTERN, type Range, resolveRange } from './range.ts';

const MOST_SYMBOLS = 5;
/** Bars that one query may span, over all its pages. */
const MOST_POINTS = 200_000;

const query = closed({
  symbols: Type.Array(SYMBOL, {
    minItems: 1,
    maxItems: MOST_SYMBOLS,
    description: 'One to five tickers.',
    examples: [['AAPL'], ['AAPL', 'MSFT']],
  }),
  timeframe: Type.Optional(
    oneOf(TIMEFRAMES, {
      default: '1Day',
      description: 'Length of a bar. 1Min to 1Hour are counted from the 09:30 open; 1Week and 1Month are whole periods.',
    }),
  ),
  lookback: Type.Optional(
    Type.String({
      pattern: LOOKBACK_PATTERN,
      examples: ['5D', '3M', '1Y'],
      description:
        'How far back from end (or now): a number and D (trading sessions), W, M or Y. Not together with start. Default: about 40 to 80 bars.',
    }),
  ),
  start: Type.Optional(
    Type.String({
      pattern: INSTANT_PATTERN,
      examples: ['2026-01-02'],
      description: 'First date (YYYY-MM-DD, New York) or RFC 3339 instant, included.',
    }),
  ),
  end: Type.Optional(
    Type.String({
      pattern: INSTANT_PATTERN,
      examples: ['2026-06-30'],
      description: 'Last date or instant, included; default now. Not in the future.',
    }),
  ),
  adjustment: Type.Optional(
    oneOf(ADJUSTMENTS, {
      default: 'split',
      description: 'What earlier prices are scaled for so that they compare with today: nothing (raw, as traded), split, dividend, or all.',
    }),
  ),
  limit: limit(
    STANDARD_CAPS.rows,
    STANDARD_CAPS.maxRows,
    'Rows per page over all symbols. The newest bars come first: next_cursor leads to older ones.',
  ),
  cursor: CURSOR,
});

const response = envelopeSchema({
  data: closed({
    symbols: Type.Array(Type.String()),
    timeframe: oneOf(TIMEFRAMES),
    first: nullable('string', 'Date or time of the first row, null without rows.'),
    last: nullable('string', 'Date or time of the last row, null without rows.'),
    last_bar_forming: Type.Boolean({ description: 'Whether the newest bar of the range has not ended yet.' }),
  }),
  table: {
    columns: {
      fixed: [
        ['symbol', 'string'],
        [['date', 'time'], 'string'],
        ['open', 'number'],
        ['high', 'number'],
        ['low', 'number'],
        ['close', 'number'],
        ['volume', 'integer'],
      ],
    },
  },
  adjusted: true,
});

interface Ask {
  readonly listings: readonly Listing[];
  readonly timeframe: Timeframe;
  readonly adjustment: Adjustment;
  readonly range: Range;
  readonly now: number;
}

interface Item {
  readonly row: readonly Cell[];
  /** Key of the bar and place of its symbol: the order of all rows. */
  readonly position: readonly [number, number];
}

/** GET /v1/bars: bars of up to five symbols, ascending by time and then symbol, newest page first. */
export function historyRoute(platform: Platform): ApiRoute {
  return defineRoute({
    operationId: 'get_price_history',
    method: 'GET',
    path: '/v1/bars',
    summary: 'Price history',
    description:
      'Open, high, low, close and volume bars of up to five symbols over a date range. SIMULATED prices. Rows ascend by time; when there are more than fit, this page has the newest and next_cursor leads to older ones. The last bar may still be forming (see data.last_bar_forming).',
    query,
    response,
    mcp: { title: 'Price history', scope: 'market:read', annotations: READ_ONLY, caps: STANDARD_CAPS },
    handle: ({ query: input }) => {
      const { timeframe = '1Day', adjustment = 'split', limit: rows = STANDARD_CAPS.rows, cursor } = input;
      const listings = findListings(platform, input.symbols, 'symbols');
      const symbols = listings.map(({ company }) => company.symbol);
      const bound = ['history', symbols, timeframe, adjustment, input.lookback, input.start, input.end];
      const clock = platform.now();
      const from = cursor === undefined ? undefined : platform.cursors.open(bound, cursor, clock, 2);
      const now = from?.asOf ?? clock;
      const range = resolveRange(input, timeframe, now);
      checkSize(range, timeframe, listings.length);
      const ask = { listings, timeframe, adjustment, range, now };
      const forming = newestSeries(ask).some((series) => series.forming);
      const columns = ['symbol', timeframe in INTRADAY_MINUTES ? 'time' : 'date', 'open', 'high', 'low', 'close', 'volume'];
      const data = { symbols, timeframe, first: null, last: null, last_bar_forming: forming };
      const parts: EnvelopeParts = { data, columns, asOf: now, adjustment, warnings: warningsOf(ask, forming) };
      const page = takePage(newestFirst(ask, from?.position), rows, rowBudget(parts, STANDARD_CAPS, rows > STANDARD_CAPS.rows));
      const ascending = page.items.map(({ row }) => row).toReversed();
      const last = page.items.at(-1);
      return envelope({
        ...parts,
        data: { ...data, first: ascending[0]?.[1] ?? null, last: ascending.at(-1)?.[1] ?? null },
        rows: ascending,
        nextCursor: page.more && last ? platform.cursors.seal(bound, { asOf: now, position: last.position }) : undefined,
        warnings: [...(parts.warnings ?? []), ...pageWarnings(page)],
      });
    },
  });
}

function pageWarnings({ items, more, full }: { items: readonly unknown[]; more: boolean; full: boolean }): string[] {
  if (items.length === 0) return ['There are no bars in this range.'];
  if (!more) return [];
  return [`Older bars are left out${full ? ' to keep the answer small' : ''}: pass next_cursor, a larger limit or a longer timeframe.`];
}

function checkSize(range: Range, timeframe: Timeframe, symbols: number): void {
  const points = barBound(timeframe, range.from, range.to) * symbols;
  if (points <= MOST_POINTS) return;
  throw new ApiError({
    status: 422,
    code: ERROR_CODES.tooManyPoints,
    message: `This query spans about ${points} bars; at most ${MOST_POINTS} are allowed.`,
    field: 'timeframe',
    hint: 'Choose a longer timeframe, a shorter range or fewer symbols.',
  });
}

function warningsOf({ listings, adjustment, range, now }: Ask, forming: boolean): string[] {
  const warnings = [...range.warnings];
  if (forming) warnings.push(`The last bar is still forming, as of ${rfc3339(now)}.`);
  if (adjustment === 'split' || adjustment === 'all' || range.to < range.from) return warnings;
  for (const listing of listings) {
    const splits = listing.daily(range.to).splits.filter((split) => split.session > range.from && split.session <= range.to);
    for (const { session, ratio } of splits) {
      warnings.push(
        `${listing.company.symbol} split ${ratio} for 1 on ${isoDate(sessionDay(session))}: prices before and after do not compare.`,
      );
    }
  }
  return warnings.slice(0, 10);
}

function seriesOf(ask: Ask, from: number, to: number): BarSeries[] {
  const { timeframe, adjustment, now } = ask;
  return ask.listings.map((listing) => listing.series({ timeframe, from, to, adjustment, now }));
}

/** Enough of the end of the range to see whether its last bar is forming. */
function newestSeries(ask: Ask): BarSeries[] {
  return ask.range.to < ask.range.from ? [] : seriesOf(ask, ask.range.to, ask.range.to);
}

/** Rows before a position, newest first. Intraday bars are made session by session, so that a page costs what it shows. */
function* newestFirst(ask: Ask, before: readonly number[] | undefined): Generator<Item> {
  const { range, timeframe } = ask;
  const [beforeTime = Infinity, beforePlace = Infinity] = before ?? [];
  if (range.to < range.from) return;
  if (!(timeframe in INTRADAY_MINUTES)) return yield* merged(ask, seriesOf(ask, range.from, range.to), [beforeTime, beforePlace]);
  for (let session = range.to; session >= range.from; session--) {
    if (sessionDay(session) * 86_400_000 > beforeTime) continue;
    yield* merged(ask, seriesOf(ask, session, session), [beforeTime, beforePlace]);
  }
}

/** Merges series by time and then by place, from the end, keeping what lies before a position and within the range. */
function* merged(ask: Ask, series: readonly BarSeries[], [beforeTime, beforePlace]: readonly [number, number]): Generator<Item> {
  const next = series.map((bars) => sizeOf(bars) - 1);
  const intraday = ask.timeframe in INTRADAY_MINUTES;
  for (;;) {
    const place = latest(series, next);
    const bars = series[place];
    if (!bars) return;
    const at = next[place] ?? 0;
    next[place] = at - 1;
    const time = bars.time[at] ?? 0;
    if (time > beforeTime || (time === beforeTime && place >= beforePlace)) continue;
    if (intraday && (time < ask.range.startsAt || time > ask.range.endsAt)) continue;
    yield { row: rowOf(ask, place, bars, at), position: [time, place] };
  }
}

/** The series whose next bar is the latest; the last of equals; -1 when all are used up. */
function latest(series: readonly BarSeries[], next: readonly number[]): number {
  let found = -1;
  let foundTime = -Infinity;
  series.forEach((bars, place) => {
    const time = bars.time[next[place] ?? -1];
    if (time !== undefined && time >= foundTime) [found, foundTime] = [place, time];
  });
  return found;
}

function rowOf(ask: Ask, place: number, bars: BarSeries, at: number): Cell[] {
  const when = ask.timeframe in INTRADAY_MINUTES ? rfc3339(bars.time[at] ?? 0) : isoDate(sessionDay(bars.session[at] ?? 0));
  const prices = [bars.open[at] ?? 0, bars.high[at] ?? 0, bars.low[at] ?? 0, bars.close[at] ?? 0];
  return [ask.listings[place]?.company.symbol ?? '', when, ...prices, bars.volume[at] ?? 0];
}
