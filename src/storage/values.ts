import pg from 'pg';
import { sql, type RawBuilder } from 'kysely';

type Parse = (text: string) => unknown;

const OID = { int8: 20, date: 1082, timestamp: 1114, int8Array: 1016, timestampArray: 1115, dateArray: 1182, textArray: 1009 } as const;

const asText: Parse = (text) => text;

function toBigInts(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toBigInts);
  return typeof value === 'string' ? BigInt(value) : value;
}

const defaultParse = (oid: number): Parse => pg.types.getTypeParser(oid) as Parse;

// A date has no zone and a bigint no safe number: text and bigint keep what the database holds.
const own: ReadonlyMap<number, Parse> = new Map<number, Parse>([
  [OID.int8, BigInt],
  [OID.date, asText],
  [OID.timestamp, asText],
  [OID.int8Array, (text) => toBigInts(defaultParse(OID.textArray)(text))],
  [OID.dateArray, (text) => defaultParse(OID.textArray)(text)],
  [OID.timestampArray, (text) => defaultParse(OID.textArray)(text)],
]);

/**
 * How column values become JavaScript, the same for both databases: int8 (and `count(*)`) bigint, numeric string, timestamptz Date,
 * date and timestamp string, json and jsonb parsed, bytea Buffer.
 */
export const valueTypes: { getTypeParser: typeof pg.types.getTypeParser } = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') => {
    const parse = format === 'binary' ? undefined : own.get(oid);
    return parse ?? pg.types.getTypeParser(oid, format as 'text');
  }) as typeof pg.types.getTypeParser,
};

// Dates are sent in UTC, so that what a `timestamp` column stores does not depend on the machine's zone.
pg.defaults.parseInputDatesAsUTC = true;

/** A JSON value as a parameter. Needed for arrays and bare strings, which the driver would send as a PostgreSQL array or as plain text. */
export function jsonb<T>(value: T): RawBuilder<T> {
  return sql<T>`${JSON.stringify(value)}::jsonb`;
}
