import {
  type Day,
  DAY_MS,
  firstSessionFrom,
  fromLocal,
  isoDate,
  lastOpened,
  lastSessionUntil,
  localDate,
  parseIsoDate,
  sessionDay,
  toLocal,
} from '../calendar/index.ts';
import { unprocessable } from '../errors.ts';
import type { Timeframe } from '../simulator/index.ts';

export const INSTANT_PATTERN = '^\\d{4}-\\d{2}-\\d{2}(T\\d{2}:\\d{2}(:\\d{2}(\\.\\d{1,9})?)?(Z|[+-]\\d{2}:\\d{2}))?$';
export const LOOKBACK_PATTERN = '^[1-9][0-9]{0,3}[DWMYdwmy]$';

/** How far back a query reaches that names no range: enough bars to be useful, few enough for one page. */
const DEFAULT_LOOKBACKS: Readonly<Record<Timeframe, string>> = {
  '1Min': '1D',
  '5Min': '1D',
  '15Min': '2D',
  '30Min': '4D',
  '1Hour': '8D',
  '1Day': '2M',
  '1Week': '1Y',
  '1Month': '5Y',
};

export interface RangeInput {
  readonly start?: string;
  readonly end?: string;
  readonly lookback?: string;
}

/** A settled range: its sessions, and for intraday bars the instants between which they must begin. */
export interface Range {
  /** Greater than `to` when the range holds no session. */
  readonly from: number;
  readonly to: number;
  readonly startsAt: number;
  readonly endsAt: number;
  readonly warnings: readonly string[];
}

interface Edge {
  readonly day: Day;
  /** Milliseconds since the epoch; a date alone covers its whole day in New York. */
  readonly first: number;
  readonly last: number;
}

/** Settles start, end and lookback into a range. Throws a 422 ApiError that names the field. */
export function resolveRange(input: RangeInput, timeframe: Timeframe, now: number): Range {
  if (input.lookback !== undefined && input.start !== undefined) {
    throw unprocessable(
      'lookback',
      'lookback and start exclude each other.',
      'Pass start and end, or lookback alone (counted back from end, or from now).',
    );
  }
  const end = input.end === undefined ? undefined : parseEdge('end', input.end, now);
  if (end && end.day < sessionDay(0)) throw beforeData('end');
  const endsAt = Math.min(end?.last ?? now, now);
  const to = Math.min(lastSessionUntil(toLocal(endsAt).day), lastOpened(now));
  if (input.start === undefined) return lookBack(input.lookback ?? DEFAULT_LOOKBACKS[timeframe], to, endsAt);
  const start = parseEdge('start', input.start, now);
  if (start.first > endsAt) {
    throw unprocessable(
      'start',
      `start (${input.start}) is after end (${input.end ?? 'now'}).`,
      'Swap start and end, or choose an earlier start.',
    );
  }
  const warnings = start.day < sessionDay(0) ? [beginning()] : [];
  return { from: firstSessionFrom(start.day), to, startsAt: start.first, endsAt, warnings };
}

function parseEdge(field: 'start' | 'end', text: string, now: number): Edge {
  const [date = '', time] = text.split('T');
  const day = parseIsoDate(date);
  const instant = time === undefined ? Number.NaN : Date.parse(text);
  if (day === undefined || (time !== undefined && Number.isNaN(instant))) {
    throw unprocessable(
      field,
      `${field} (${text}) is not a date that exists.`,
      'Write YYYY-MM-DD, or RFC 3339 such as 2026-03-09T10:30:00-04:00.',
    );
  }
  const edge =
    time === undefined
      ? { day, first: fromLocal(day, 0), last: fromLocal(day + 1, 0) - 1 }
      : { day: toLocal(instant).day, first: instant, last: instant };
  if (edge.first > now) {
    throw unprocessable(
      field,
      `${field} (${text}) lies in the future; it is ${localDate(now)} in New York.`,
      `Leave ${field} out, or choose a date until today.`,
    );
  }
  return edge;
}

/** `D` counts sessions, weeks, months and years are calendar time. */
function lookBack(lookback: string, to: number, endsAt: number): Range {
  const count = Number(lookback.slice(0, -1));
  const unit = lookback.slice(-1).toUpperCase();
  if (unit === 'D') return settle(to - count + 1, to, endsAt);
  const endDay = to < 0 ? toLocal(endsAt).day : sessionDay(to);
  const startDay = unit === 'W' ? endDay - 7 * count + 1 : monthsBefore(endDay, unit === 'M' ? count : 12 * count) + 1;
  return settle(startDay < sessionDay(0) ? -1 : firstSessionFrom(startDay), to, endsAt);
}

function settle(from: number, to: number, endsAt: number): Range {
  return { from: Math.max(0, from), to, startsAt: -Infinity, endsAt, warnings: from < 0 ? [beginning()] : [] };
}

/** The same day of the month, or the last one that the month has. */
function monthsBefore(day: Day, months: number): Day {
  const date = new Date(day * DAY_MS);
  const first = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() - months, 1);
  const next = new Date(first);
  const lastDay = new Date(Date.UTC(next.getUTCFullYear(), next.getUTCMonth() + 1, 0)).getUTCDate();
  return first / DAY_MS + Math.min(date.getUTCDate(), lastDay) - 1;
}

function beginning(): string {
  return `Data begins on ${isoDate(sessionDay(0))}.`;
}

function beforeData(field: string): Error {
  return unprocessable(field, `${field} is before the first session. ${beginning()}`, 'Choose a later date.');
}
