import { civil, type Day, dayOf, isoDate, MINUTE_MS } from './days.ts';
import { closingMinute, holidays, isSessionDay, REGULAR_CLOSE } from './holidays.ts';
import { fromLocal, toLocal } from './new-york.ts';

export const FIRST_YEAR = 1990;
export const LAST_YEAR = 2099;

const PRE_OPEN = 4 * 60;
const OPEN = 9 * 60 + 30;
/** Late trading lasts four hours: to 20:00, or to 17:00 after an early close. */
const POST_MINUTES = 4 * 60;

export const EXTENDED_MINUTES = POST_MINUTES + OPEN - PRE_OPEN;

export type Phase = 'pre' | 'regular' | 'post' | 'closed';

/** One trading day; times in milliseconds since the epoch. */
export interface Session {
  /** Position among all sessions since 1990-01-02, which is 0. */
  readonly index: number;
  readonly day: Day;
  readonly date: string;
  readonly preOpen: number;
  readonly open: number;
  readonly close: number;
  readonly postClose: number;
  readonly earlyClose: boolean;
  /** Minutes of the regular session: 390, or fewer on an early close. */
  readonly minutes: number;
}

interface Table {
  readonly days: Int32Array;
  readonly closes: Int16Array;
  /** year * 12 + month - 1 */
  readonly months: Int32Array;
  /** Which session of its month it is, from 1. */
  readonly ordinals: Uint8Array;
}

function buildTable(): Table {
  const days: number[] = [];
  for (let year = FIRST_YEAR; year <= LAST_YEAR; year++) {
    const shut = holidays(year);
    for (let day = dayOf(year, 1, 1); day < dayOf(year + 1, 1, 1); day++) if (isSessionDay(day, shut)) days.push(day);
  }
  const months = days.map((day) => civil(day).year * 12 + civil(day).month - 1);
  const ordinals = new Uint8Array(days.length);
  for (let i = 0; i < days.length; i++) ordinals[i] = months[i] === months[i - 1] ? (ordinals[i - 1] ?? 0) + 1 : 1;
  return { days: Int32Array.from(days), closes: Int16Array.from(days, closingMinute), months: Int32Array.from(months), ordinals };
}

const table = buildTable();

export const SESSION_COUNT = table.days.length;

function at(array: Int32Array | Int16Array | Uint8Array, index: number): number {
  const value = array[index];
  if (value === undefined) throw new RangeError(`There is no session ${index}: the calendar covers ${FIRST_YEAR} to ${LAST_YEAR}.`);
  return value;
}

const made: (Session | undefined)[] = [];

/** Throws a RangeError outside the calendar. */
export function sessionAt(index: number): Session {
  return (made[index] ??= makeSession(index));
}

function makeSession(index: number): Session {
  const day = at(table.days, index);
  const closeMinute = at(table.closes, index);
  const open = fromLocal(day, OPEN);
  const minutes = closeMinute - OPEN;
  const close = open + minutes * MINUTE_MS;
  return {
    index,
    day,
    date: isoDate(day),
    preOpen: fromLocal(day, PRE_OPEN),
    open,
    close,
    postClose: close + POST_MINUTES * MINUTE_MS,
    earlyClose: closeMinute !== REGULAR_CLOSE,
    minutes,
  };
}

export function sessionDay(index: number): Day {
  return at(table.days, index);
}

/** year * 12 + month - 1 of a session. */
export function sessionMonth(index: number): number {
  return at(table.months, index);
}

/** Monday-based number of the week in which a session lies. */
export function sessionWeek(index: number): number {
  return Math.floor((at(table.days, index) + 3) / 7);
}

export function sessionOrdinal(index: number): number {
  return at(table.ordinals, index);
}

/** Minutes of the regular session. */
export function sessionMinutes(index: number): number {
  return at(table.closes, index) - OPEN;
}

/** Index of the first session on or after a day; SESSION_COUNT when there is none. */
export function firstSessionFrom(day: Day): number {
  let low = 0;
  let high = SESSION_COUNT;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (at(table.days, middle) < day) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Index of the last session on or before a day; -1 when there is none. */
export function lastSessionUntil(day: Day): number {
  return firstSessionFrom(day + 1) - 1;
}

/** Index of the last session whose regular trading has begun; -1 when there is none. */
export function lastOpened(now: number): number {
  const index = lastSessionUntil(toLocal(now).day);
  return index >= 0 && now < sessionAt(index).open ? index - 1 : index;
}

export function phaseAt(now: number): Phase {
  const { day } = toLocal(now);
  const index = lastSessionUntil(day);
  if (index < 0 || sessionDay(index) !== day) return 'closed';
  const session = sessionAt(index);
  if (now < session.preOpen || now >= session.postClose) return 'closed';
  if (now < session.open) return 'pre';
  return now < session.close ? 'regular' : 'post';
}
