import { type Day, civil, DAY_MS, dayOf, isoDate, MINUTE_MS, weekday } from './days.ts';

export const TIME_ZONE = 'America/New_York';

const HOUR_MS = 3_600_000;
const STANDARD_OFFSET = -300;
const SUMMER_OFFSET = -240;

interface SummerTime {
  readonly start: number;
  readonly end: number;
}

const summers = new Map<number, SummerTime>();

function nthSunday(year: number, month: number, nth: number): Day {
  const first = dayOf(year, month, 1);
  return first + ((7 - weekday(first)) % 7) + (nth - 1) * 7;
}

function lastSunday(year: number, month: number): Day {
  const last = month === 12 ? dayOf(year, 12, 31) : dayOf(year, month + 1, 1) - 1;
  return last - weekday(last);
}

/** Uniform Time Act as amended in 1986 and, from 2007 on, by the Energy Policy Act of 2005. Clocks change at 2 a.m. local time. */
function summerTime(year: number): SummerTime {
  const known = summers.get(year);
  if (known) return known;
  const startDay = year >= 2007 ? nthSunday(year, 3, 2) : nthSunday(year, 4, 1);
  const endDay = year >= 2007 ? nthSunday(year, 11, 1) : lastSunday(year, 10);
  const summer = { start: startDay * DAY_MS + 7 * HOUR_MS, end: endDay * DAY_MS + 6 * HOUR_MS };
  summers.set(year, summer);
  return summer;
}

/** New York's offset from UTC in minutes, east positive. Valid from 1987 on. */
export function offsetAt(milliseconds: number): number {
  const summer = summerTime(new Date(milliseconds).getUTCFullYear());
  return milliseconds >= summer.start && milliseconds < summer.end ? SUMMER_OFFSET : STANDARD_OFFSET;
}

export interface LocalTime {
  readonly day: Day;
  readonly millisecondOfDay: number;
}

export function toLocal(milliseconds: number): LocalTime {
  const local = milliseconds + offsetAt(milliseconds) * MINUTE_MS;
  const day = Math.floor(local / DAY_MS);
  return { day, millisecondOfDay: local - day * DAY_MS };
}

/** The instant of a local wall time. In the hour that a clock change repeats, the later of the two; sessions never lie in it. */
export function fromLocal(day: Day, minuteOfDay: number): number {
  const wall = day * DAY_MS + minuteOfDay * MINUTE_MS;
  const summer = summerTime(civil(day).year);
  const asSummer = wall - SUMMER_OFFSET * MINUTE_MS;
  const asStandard = wall - STANDARD_OFFSET * MINUTE_MS;
  return asStandard >= summer.start && asStandard < summer.end ? asSummer : asStandard;
}

/** RFC 3339 in New York's time with its offset, to the second: `2026-03-09T09:30:00-04:00`. */
export function rfc3339(milliseconds: number): string {
  const offset = offsetAt(milliseconds);
  const local = new Date(milliseconds + offset * MINUTE_MS).toISOString();
  return `${local.slice(0, 19)}${offset === SUMMER_OFFSET ? '-04:00' : '-05:00'}`;
}

/** The local date of an instant, `YYYY-MM-DD`. */
export function localDate(milliseconds: number): string {
  return isoDate(toLocal(milliseconds).day);
}
