import { Type, type TObject, type TSchema } from 'typebox';
import { rfc3339, TIME_ZONE } from './calendar/index.ts';
import { type Cell, closed, tableSchemas, type TableShape } from './schema.ts';
import { ADJUSTMENTS, type Adjustment } from './simulator/index.ts';

/** What a table answer may hold: rows by default and at most, and the size of its JSON. */
export interface Caps {
  readonly rows: number;
  readonly maxRows: number;
  /** Kept unless the caller asked for a number of rows. */
  readonly softBytes: number;
  /** Never exceeded. */
  readonly hardBytes: number;
}

export const STANDARD_CAPS: Caps = { rows: 60, maxRows: 500, softBytes: 16 * 1024, hardBytes: 64 * 1024 };

const PROVIDER = 'stockpulse-simulator';
/** For the cursor and the warnings that are only known when the rows are. */
const LATE_ROOM = 900;

export interface Envelope {
  readonly data: object;
  readonly columns?: readonly string[];
  readonly rows?: readonly (readonly Cell[])[];
  readonly as_of: string;
  readonly currency: 'USD';
  readonly tz: typeof TIME_ZONE;
  readonly adjustment?: Adjustment;
  readonly source: { readonly provider: typeof PROVIDER; readonly delay_s: 0; readonly simulated: true };
  readonly truncated: boolean;
  readonly next_cursor: string | null;
  readonly warnings: readonly string[];
}

export interface EnvelopeShape {
  readonly data: TSchema;
  readonly table?: TableShape;
  readonly adjusted?: boolean;
}

/** The response schema of a route: the envelope around its data. */
export function envelopeSchema({ data, table, adjusted }: EnvelopeShape): TObject {
  return closed({
    data,
    ...(table ? tableSchemas(table) : {}),
    as_of: Type.String({ description: 'The instant the answer describes, RFC 3339 in New York time.' }),
    currency: Type.Literal('USD'),
    tz: Type.Literal(TIME_ZONE),
    ...(adjusted === true
      ? {
          adjustment: Type.Unsafe<Adjustment>({
            type: 'string',
            enum: [...ADJUSTMENTS],
            description: 'How prices before splits and dividends were scaled.',
          }),
        }
      : {}),
    source: closed({
      provider: Type.Literal(PROVIDER),
      delay_s: Type.Number({ description: 'Seconds by which the data lags.' }),
      simulated: Type.Boolean({ const: true, description: 'Always true: no price here is real.' }),
    }),
    truncated: Type.Boolean({ description: 'Whether more rows exist than this answer holds.' }),
    next_cursor: Type.Unsafe<string | null>({
      type: ['string', 'null'],
      description: 'Pass as cursor, with all else unchanged, for more rows.',
    }),
    warnings: Type.Array(Type.String()),
  });
}

export interface EnvelopeParts {
  readonly data: object;
  readonly columns?: readonly string[];
  readonly rows?: readonly (readonly Cell[])[];
  /** Milliseconds since the epoch. */
  readonly asOf: number;
  readonly adjustment?: Adjustment;
  readonly nextCursor?: string | undefined;
  readonly warnings?: readonly string[];
}

export function envelope({ data, columns, rows, asOf, adjustment, nextCursor, warnings = [] }: EnvelopeParts): Envelope {
  return {
    data,
    ...(columns ? { columns } : {}),
    ...(rows ? { rows } : {}),
    as_of: rfc3339(asOf),
    currency: 'USD',
    tz: TIME_ZONE,
    ...(adjustment ? { adjustment } : {}),
    source: { provider: PROVIDER, delay_s: 0, simulated: true },
    truncated: nextCursor !== undefined,
    next_cursor: nextCursor ?? null,
    warnings,
  };
}

/** What fits into an answer whose other parts take `parts`, in bytes of JSON. */
export function rowBudget(parts: EnvelopeParts, caps: Caps, askedForRows: boolean): number {
  const others = Buffer.byteLength(JSON.stringify(envelope({ ...parts, rows: [] })));
  return (askedForRows ? caps.hardBytes : caps.softBytes) - others - LATE_ROOM;
}

export interface Page<Item> {
  readonly items: readonly Item[];
  /** Whether the source had more. */
  readonly more: boolean;
  /** Whether it was the size that ended the page, not the number of rows. */
  readonly full: boolean;
}

/** Takes items until the limit or the byte budget is reached; always at least one, so that a walk moves on. */
export function takePage<Item extends { readonly row: readonly Cell[] }>(
  source: Iterable<Item>,
  limit: number,
  budget: number,
): Page<Item> {
  const items: Item[] = [];
  let bytes = 0;
  for (const item of source) {
    if (items.length >= limit) return { items, more: true, full: false };
    bytes += Buffer.byteLength(JSON.stringify(item.row)) + 1;
    if (bytes > budget && items.length > 0) return { items, more: true, full: true };
    items.push(item);
  }
  return { items, more: false, full: false };
}

/** A derived number without the noise of its last binary digits: 13 significant digits, far below a cent. NaN becomes null. */
export function tidy(value: number): number | null {
  return Number.isFinite(value) ? Number(value.toPrecision(13)) : null;
}
