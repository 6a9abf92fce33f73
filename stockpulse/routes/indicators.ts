import { Type, type Static } from 'typebox';
import { isoDate, lastOpened, lastSessionUntil, rfc3339, sessionDay, toLocal } from '../calendar/index.ts';
import { type EnvelopeParts, envelope, envelopeSchema, rowBudget, STANDARD_CAPS, takePage, tidy } from '../envelope.ts';
import { unprocessable } from '../errors.ts';
import { anchoredColumns, defaultParams, INDICATOR_NAMES, type Indicator, makeIndicator } from '../indicators/index.ts';
import { type ApiRoute, defineRoute, READ_ONLY } from '../route.ts';
import { type Cell, closed, oneOf } from '../schema.ts';
import { type BarSeries, INTRADAY_MINUTES, type Listing, slice, TIMEFRAMES, type Timeframe } from '../simulator/index.ts';
import { CURSOR, limit, SYMBOL } from './inputs.ts';
import { findListings, type Platform } from './platform.ts';

const MOST_INDICATORS = 8;
const DEFAULT_ROWS = 30;
const LONGEST = 200;

const period = (description: string): ReturnType<typeof Type.Integer> => Type.Integer({ minimum: 1, maximum: LONGEST, description });

const paramsSchema = closed({
  period: Type.Optional(period('Bars, for SMA, EMA, BBANDS, VWAP, CCI (20), RSI, ATR, ADX (14), ROC (12).')),
  fast: Type.Optional(period('MACD: fast EMA (12).')),
  slow: Type.Optional(period('MACD: slow EMA (26).')),
  signal: Type.Optional(period('MACD: signal EMA (9).')),
  deviations: Type.Optional(Type.Number({ minimum: 0.1, maximum: 10, description: 'BBANDS: standard deviations (2).' })),
  k: Type.Optional(period('STOCH: range of %K (14).')),
  smooth: Type.Optional(period('STOCH: smoothing of %K (3); 1 is the fast form.')),
  d: Type.Optional(period('STOCH: average for %D (3).')),
});

const params = closed({ symbol: SYMBOL });

const body = closed({
  indicators: Type.Array(
    closed({
      name: oneOf(INDICATOR_NAMES, {
        description:
          'STOCH, RSI and ADX run from 0 to 100; ROC is a fraction. OBV starts in 1990, intraday at the open. VWAP of intraday bars starts at the open unless period is given.',
      }),
      params: Type.Optional(paramsSchema),
    }),
    {
      minItems: 1,
      maxItems: MOST_INDICATORS,
      description: 'Up to eight indicators; params left out take their defaults.',
      examples: [[{ name: 'RSI' }, { name: 'SMA', params: { period: 50 } }]],
    },
  ),
  timeframe: Type.Optional(oneOf(TIMEFRAMES, { default: '1Day', description: 'Length of a bar.' })),
  limit: limit(DEFAULT_ROWS, STANDARD_CAPS.maxRows, 'How many of the newest bars to return. Values do not depend on it.'),
  cursor: CURSOR,
});

const response = envelopeSchema({
  data: closed({
    symbol: Type.String(),
    timeframe: oneOf(TIMEFRAMES),
    last_bar_forming: Type.Boolean({ description: 'Whether the newest bar has not ended yet; its values still change.' }),
  }),
  table: { columns: 'free' },
  adjusted: true,
});

type Body = Static<typeof body>;

/** POST /v1/indicators/{symbol}: indicator values for the newest bars, oldest first. */
export function indicatorsRoute(platform: Platform): ApiRoute {
  return defineRoute({
    operationId: 'get_technical_indicators',
    method: 'POST',
    path: '/v1/indicators/{symbol}',
    summary: 'Technical indicators',
    description:
      'Up to eight technical indicators of one symbol for its newest bars, computed from split-adjusted SIMULATED prices with full warm-up: a value never depends on how many bars are asked for. Rows ascend by time and include the close; the last bar may still be forming.',
    params,
    body,
    response,
    mcp: { title: 'Technical indicators', scope: 'market:read', annotations: READ_ONLY, caps: { ...STANDARD_CAPS, rows: DEFAULT_ROWS } },
    handle: ({ params: { symbol }, body: input }) => {
      const { timeframe = '1Day', limit: rows = DEFAULT_ROWS, cursor } = input;
      const [listing] = findListings(platform, [symbol], 'symbol');
      if (!listing) throw unprocessable('symbol', 'A symbol is needed.');
      const indicators = makeIndicators(input.indicators, timeframe in INTRADAY_MINUTES);
      const bound = ['indicators', listing.company.symbol, input.indicators, timeframe, rows];
      const clock = platform.now();
      const from = cursor === undefined ? undefined : platform.cursors.open(bound, cursor, clock, 2);
      const now = from?.asOf ?? clock;
      const [before = Infinity, left = rows] = from?.position ?? [];
      const bars = newestBars({ listing, timeframe, now }, Math.min(left, rows), before);
      const table = tableOf(indicators, bars, { listing, timeframe, now });
      const parts: EnvelopeParts = {
        data: { symbol: listing.company.symbol, timeframe, last_bar_forming: bars.forming },
        columns: table.columns,
        asOf: now,
        adjustment: 'split',
        warnings: warningsOf(indicators, bars, { listing, timeframe, now }),
      };
      const page = takePage(table.newestFirst, rows, rowBudget(parts, STANDARD_CAPS, rows > DEFAULT_ROWS));
      const last = page.items.at(-1);
      const position = last ? [last.time, left - page.items.length] : [];
      return envelope({
        ...parts,
        rows: page.items.map(({ row }) => row).toReversed(),
        nextCursor: page.more ? platform.cursors.seal(bound, { asOf: now, position }) : undefined,
        warnings: [
          ...(parts.warnings ?? []),
          ...(page.more ? ['Older bars are left out to keep the answer small: pass next_cursor.'] : []),
        ],
      });
    },
  });
}

/** Settles all indicators. Throws a 422 ApiError that names the one that is wrong. */
function makeIndicators(asked: Body['indicators'], intraday: boolean): Indicator[] {
  const indicators = asked.map(({ name, params: given = {} }, i) => {
    const indicator = makeIndicator(name, given, intraday);
    if (!('problem' in indicator)) return indicator;
    throw unprocessable(`indicators[${i}].params`, `${indicator.problem}.`, `Defaults of ${name}: ${JSON.stringify(defaultParams(name))}.`);
  });
  const names = indicators.flatMap(({ columns }) => columns);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined)
    throw unprocessable('indicators', `${twice} is asked for twice.`, 'Ask for each indicator once, or with other params.');
  return indicators;
}

interface Source {
  readonly listing: Listing;
  readonly timeframe: Timeframe;
  readonly now: number;
}

/** The newest `count` bars before a time. */
function newestBars({ listing, timeframe, now }: Source, count: number, before: number): BarSeries {
  const newest = Math.min(lastOpened(now), before === Infinity ? Infinity : lastSessionUntil(toLocal(before).day + 1));
  let from = Math.max(0, newest - Math.ceil(count * sessionsPerBar(timeframe)));
  for (;;) {
    const bars = listing.series({ timeframe, from, to: newest, adjustment: 'split', now });
    const end = bars.time.findLastIndex((time) => time < before) + 1;
    if (end >= count || from === 0) return slice(bars, Math.max(0, end - count), end);
    from = Math.max(0, from - 1 - Math.ceil((newest - from) / 2));
  }
}

interface Table {
  readonly columns: readonly string[];
  readonly newestFirst: readonly { readonly row: readonly Cell[]; readonly time: number }[];
}

function tableOf(indicators: readonly Indicator[], bars: BarSeries, source: Source): Table {
  const values = anchoredColumns(indicators, bars, source);
  const intraday = source.timeframe in INTRADAY_MINUTES;
  const rows = Array.from(bars.time, (time, i) => {
    const when = intraday ? rfc3339(time) : isoDate(sessionDay(bars.session[i] ?? 0));
    return { row: [when, tidy(bars.close[i] ?? Number.NaN), ...values.map((column) => tidy(column[i] ?? Number.NaN))], time };
  });
  return {
    columns: [intraday ? 'time' : 'date', 'close', ...indicators.flatMap(({ columns }) => columns)],
    newestFirst: rows.toReversed(),
  };
}

const SESSIONS_PER_BAR: Readonly<Partial<Record<Timeframe, number>>> = { '1Day': 1, '1Week': 5, '1Month': 21 };

function sessionsPerBar(timeframe: Timeframe): number {
  return SESSIONS_PER_BAR[timeframe] ?? (INTRADAY_MINUTES[timeframe] ?? 1) / 390;
}

function warningsOf(indicators: readonly Indicator[], bars: BarSeries, { timeframe, now }: Source): string[] {
  const longest = Math.max(...indicators.map(({ warmUp }) => (warmUp === Infinity ? 0 : warmUp)));
  const early = (bars.session[0] ?? 0) < longest * sessionsPerBar(timeframe);
  return [
    bars.forming ? [`The last bar is still forming, as of ${rfc3339(now)}.`] : [],
    early ? ['Data begins in 1990: the first rows have less warm-up than usual, or null.'] : [],
  ].flat();
}
