import { Type, type Static } from 'typebox';
import { type Facts, type Filter, isTextField, OPERATORS, SCREEN_FIELDS, type ScreenField } from '../analysis/index.ts';
import { type EnvelopeParts, envelope, envelopeSchema, rowBudget, STANDARD_CAPS, takePage } from '../envelope.ts';
import { type ApiError, unprocessable } from '../errors.ts';
import { type ApiRoute, defineRoute, READ_ONLY } from '../route.ts';
import { closed, oneOf } from '../schema.ts';
import { SECTORS } from '../simulator/index.ts';
import { CURSOR, limit } from './inputs.ts';
import type { Platform } from './platform.ts';

const DEFAULT_ROWS = 25;
const BASE_COLUMNS: readonly ScreenField[] = ['symbol', 'name', 'sector', 'price', 'change_pct_frac', 'volume', 'market_cap'];

const filterSchema = closed({
  field: oneOf(SCREEN_FIELDS, {
    description: 'Figures ending in _pct_frac are fractions (0.05 is 5 %). price_to_sma_N is price over average; sector is a GICS name.',
  }),
  op: oneOf(OPERATORS, { description: 'between takes [low, high], both included; in takes a list; texts allow eq, ne and in.' }),
  value: Type.Union([
    Type.Number(),
    Type.String({ maxLength: 64 }),
    Type.Array(Type.Union([Type.Number(), Type.String({ maxLength: 64 })]), { minItems: 1, maxItems: 60 }),
  ]),
});

const body = closed({
  filters: Type.Optional(
    Type.Array(filterSchema, {
      maxItems: 20,
      default: [],
      description: 'Conditions that must all hold. None: all companies.',
      examples: [
        [
          { field: 'sector', op: 'eq', value: 'Information Technology' },
          { field: 'rsi_14', op: 'lt', value: 35 },
        ],
      ],
    }),
  ),
  sort: Type.Optional(
    Type.Object(
      { field: oneOf(SCREEN_FIELDS), direction: Type.Optional(oneOf(['asc', 'desc'], { default: 'desc' })) },
      {
        additionalProperties: false,
        default: { field: 'market_cap', direction: 'desc' },
        description: 'Order of the rows; missing figures come last.',
      },
    ),
  ),
  limit: limit(DEFAULT_ROWS, STANDARD_CAPS.maxRows, 'Rows per page.'),
  cursor: CURSOR,
});

const response = envelopeSchema({
  data: closed({
    matches: Type.Integer({ description: 'Companies that pass, over all pages.' }),
    screened: Type.Integer({ description: 'Companies looked at.' }),
  }),
  table: { columns: { any: SCREEN_FIELDS } },
  adjusted: true,
});

type Condition = Static<typeof filterSchema>;

/** POST /v1/screener: companies that pass every filter. */
export function screenerRoute(platform: Platform): ApiRoute {
  return defineRoute({
    operationId: 'screen_stocks',
    method: 'POST',
    path: '/v1/screener',
    summary: 'Screen stocks',
    description:
      'Finds companies by price, change, volume, size, valuation, momentum and sector. SIMULATED figures, from daily bars of which the last may be forming. Columns: symbol, name, sector, price, change, volume, market cap and every field that is filtered or sorted by.',
    body,
    response,
    mcp: { title: 'Screen stocks', scope: 'market:read', annotations: READ_ONLY, caps: { ...STANDARD_CAPS, rows: DEFAULT_ROWS } },
    handle: ({ body: input }) => {
      const filters = (input.filters ?? []).map(toFilter);
      const sort = { field: input.sort?.field ?? 'market_cap', direction: input.sort?.direction ?? 'desc' } as const;
      const rows = input.limit ?? DEFAULT_ROWS;
      const bound = ['screen', filters, sort];
      const clock = platform.now();
      const from = input.cursor === undefined ? undefined : platform.cursors.open(bound, input.cursor, clock, 1);
      const now = from?.asOf ?? clock;
      const [offset = 0] = from?.position ?? [];
      const found = platform.screener.screen(filters, sort, now);
      const columns = [...new Set<ScreenField>([...BASE_COLUMNS, ...filters.map(({ field }) => field), sort.field])];
      const parts: EnvelopeParts = {
        data: { matches: found.length, screened: platform.market.listings.length },
        columns,
        asOf: platform.screener.barTime(now),
        adjustment: 'split',
      };
      const page = takePage(rowsOf(found.slice(offset), columns), rows, rowBudget(parts, STANDARD_CAPS, rows > DEFAULT_ROWS));
      return envelope({
        ...parts,
        rows: page.items.map(({ row }) => row),
        nextCursor: page.more ? platform.cursors.seal(bound, { asOf: now, position: [offset + page.items.length] }) : undefined,
        warnings: found.length === 0 ? ['Nothing passes all filters; drop or widen one.'] : [],
      });
    },
  });
}

function rowsOf(found: readonly Facts[], columns: readonly ScreenField[]): { row: (string | number | null)[] }[] {
  return found.map((facts) => ({ row: columns.map((field) => facts[field]) }));
}

/** Throws a 422 ApiError where the value does not suit the field and the operator. */
function toFilter({ field, op, value }: Condition, i: number): Filter {
  const wrong = (part: 'op' | 'value', message: string, hint: string): ApiError => unprocessable(`filters[${i}].${part}`, message, hint);
  const text = isTextField(field);
  if (text && op !== 'eq' && op !== 'ne' && op !== 'in')
    throw wrong('op', `${op} does not suit the text field ${field}.`, 'Use eq, ne or in.');
  const values = Array.isArray(value) ? value : [value];
  if (values.some((one) => typeof one !== (text ? 'string' : 'number'))) {
    throw wrong('value', `${field} compares with ${text ? 'texts' : 'numbers'}.`, `Pass ${text ? 'a string' : 'a number, not a string'}.`);
  }
  if (field === 'sector') checkSectors(values, wrong);
  if (op === 'in') return { field, op, value: values };
  if (op === 'between') {
    const [low, high] = values;
    if (values.length !== 2 || typeof low !== 'number' || typeof high !== 'number' || low > high) {
      throw wrong('value', 'between needs a low and a high number, in this order.', 'For example [10, 50].');
    }
    return { field, op, value: [low, high] };
  }
  if (Array.isArray(value)) throw wrong('value', `${op} compares with one value, not a list.`, 'Use in for a list, between for a range.');
  return { field, op, value };
}

function checkSectors(values: readonly (string | number)[], wrong: (part: 'value', message: string, hint: string) => ApiError): void {
  const unknown = values.find((value) => !SECTORS.some((sector) => sector.toLowerCase() === String(value).toLowerCase()));
  if (unknown !== undefined) throw wrong('value', `There is no sector ${unknown}.`, `Sectors: ${SECTORS.join(', ')}.`);
}
