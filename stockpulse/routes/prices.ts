import { Type } from 'typebox';
import { phaseAt, rfc3339 } from '../calendar/index.ts';
import { envelope, envelopeSchema, STANDARD_CAPS, tidy } from '../envelope.ts';
import { type ApiRoute, defineRoute, READ_ONLY } from '../route.ts';
import { type Cell, closed, oneOf } from '../schema.ts';
import type { Snapshot } from '../simulator/index.ts';
import { SYMBOL } from './inputs.ts';
import { findListings, type Platform } from './platform.ts';

const MOST_SYMBOLS = 20;
const FIELDS = ['quote', 'trade', 'day'] as const;
type Field = (typeof FIELDS)[number];

const dollars = (cents: number | undefined): number | null => (cents === undefined ? null : cents / 100);

const CELLS: Readonly<Record<Field, Readonly<Record<string, (snapshot: Snapshot) => Cell>>>> = {
  quote: {
    bid: ({ quote }) => dollars(quote?.bid),
    bid_size: ({ quote }) => quote?.bidSize ?? null,
    ask: ({ quote }) => dollars(quote?.ask),
    ask_size: ({ quote }) => quote?.askSize ?? null,
  },
  trade: {
    last: ({ trade }) => dollars(trade.price),
    last_size: ({ trade }) => trade.size,
    last_time: ({ trade }) => rfc3339(trade.time),
  },
  day: {
    day: ({ session }) => session.date,
    open: ({ day }) => dollars(day?.open),
    high: ({ day }) => dollars(day?.high),
    low: ({ day }) => dollars(day?.low),
    close: ({ day }) => dollars(day?.close),
    volume: ({ day }) => day?.volume ?? null,
    prev_close: ({ previousClose }) => dollars(previousClose),
    change: ({ day, previousClose }) => (day && previousClose !== undefined ? tidy((day.close - previousClose) / 100) : null),
    change_pct_frac: ({ day, previousClose }) => (day && previousClose !== undefined ? tidy(day.close / previousClose - 1) : null),
  },
};

const COLUMNS = ['symbol', 'halted', ...FIELDS.flatMap((field) => Object.keys(CELLS[field]))];

const query = closed({
  symbols: Type.Array(SYMBOL, { minItems: 1, maxItems: MOST_SYMBOLS, description: 'One to twenty tickers.', examples: [['AAPL', 'MSFT']] }),
  fields: Type.Optional(
    Type.Array(oneOf(FIELDS), {
      minItems: 1,
      maxItems: FIELDS.length,
      default: [...FIELDS],
      description:
        'What to return: quote (bid, ask and sizes), trade (last price, extended hours included), day (the regular session and its change).',
    }),
  ),
});

const response = envelopeSchema({
  data: closed({
    session: oneOf(['pre', 'regular', 'post', 'closed'], { description: 'Phase of the market at as_of.' }),
  }),
  table: { columns: { any: COLUMNS } },
});

const NOTES: Readonly<Partial<Record<Snapshot['phase'], string>>> = {
  pre: 'Pre-market: quote and trade are of extended hours; day begins at 09:30.',
  post: 'After hours: quote and trade are of extended hours; day is the regular session.',
  closed: 'The market is closed: the figures are the last of the session before.',
};

/** GET /v1/prices: where up to twenty symbols stand now. */
export function pricesRoute(platform: Platform): ApiRoute {
  return defineRoute({
    operationId: 'get_stock_price',
    method: 'GET',
    path: '/v1/prices',
    summary: 'Current prices',
    description:
      'Current quote, last trade and the day so far of up to twenty symbols. SIMULATED prices under familiar tickers. Prices are unadjusted, as traded; change is against the close before, in shares of today.',
    query,
    response,
    mcp: { title: 'Current prices', scope: 'market:read', annotations: READ_ONLY, caps: STANDARD_CAPS },
    handle: ({ query: input }) => {
      const now = platform.now();
      const listings = findListings(platform, input.symbols, 'symbols');
      const fields = FIELDS.filter((field) => (input.fields ?? FIELDS).includes(field));
      const cells = fields.flatMap((field) => Object.entries(CELLS[field]));
      const snapshots = listings.map((listing) => ({ symbol: listing.company.symbol, snapshot: platform.quotes.at(listing, now) }));
      const phase = phaseAt(now);
      const halted = snapshots.filter(({ snapshot }) => snapshot.halted).map(({ symbol }) => symbol);
      return envelope({
        data: { session: phase },
        columns: ['symbol', 'halted', ...cells.map(([name]) => name)],
        rows: snapshots.map(({ symbol, snapshot }) => [symbol, snapshot.halted, ...cells.map(([, cell]) => cell(snapshot))]),
        asOf: now,
        warnings: [NOTES[phase] ?? [], halted.length > 0 ? `Trading is halted, there is no quote: ${halted.join(', ')}.` : []].flat(),
      });
    },
  });
}
