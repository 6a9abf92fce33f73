import { type Day, civil, dayOf, parseIsoDate, weekday } from './days.ts';

const SUNDAY = 0;
const MONDAY = 1;
const TUESDAY = 2;
const WEDNESDAY = 3;
const THURSDAY = 4;
const FRIDAY = 5;
const SATURDAY = 6;

/** Minutes of the local day. */
export const REGULAR_CLOSE = 16 * 60;
const EARLY_CLOSE = 13 * 60;
const EARLY_CLOSE_BEFORE_1993 = 14 * 60;

/** Whole days on which the exchange stayed shut outside its rules, NYSE notices. */
const SPECIAL_CLOSURES = new Set<Day | undefined>(
  [
    '1994-04-27', // funeral of President Nixon
    '2001-09-11',
    '2001-09-12',
    '2001-09-13',
    '2001-09-14',
    '2004-06-11', // funeral of President Reagan
    '2007-01-02', // mourning for President Ford
    '2012-10-29', // hurricane Sandy
    '2012-10-30',
    '2018-12-05', // mourning for President G. H. W. Bush
    '2025-01-09', // mourning for President Carter
  ].map(parseIsoDate),
);

/** Fridays around a holiday and one turn of the century that closed at 13:00 by notice. */
const SPECIAL_EARLY_CLOSES = new Set<Day | undefined>(['1997-12-26', '1999-12-31', '2003-12-26'].map(parseIsoDate));

function nthWeekday(year: number, month: number, wanted: number, nth: number): Day {
  const first = dayOf(year, month, 1);
  return first + ((wanted - weekday(first) + 7) % 7) + (nth - 1) * 7;
}

function lastMondayOfMay(year: number): Day {
  const last = dayOf(year, 5, 31);
  return last - ((weekday(last) - MONDAY + 7) % 7);
}

/** Easter Sunday of the Gregorian calendar (the anonymous algorithm of 1876). */
function easter(year: number): Day {
  const golden = year % 19;
  const century = Math.floor(year / 100);
  const rest = year % 100;
  const correction = Math.floor((century - Math.floor((century + 8) / 25) + 1) / 3);
  const epact = (19 * golden + century - Math.floor(century / 4) - correction + 15) % 30;
  const shift = (32 + 2 * (century % 4) + 2 * Math.floor(rest / 4) - epact - (rest % 4)) % 7;
  const moon = Math.floor((golden + 11 * epact + 22 * shift) / 451);
  const month = Math.floor((epact + shift - 7 * moon + 114) / 31);
  return dayOf(year, month, ((epact + shift - 7 * moon + 114) % 31) + 1);
}

/** A fixed date moves from Saturday to Friday and from Sunday to Monday. */
function observed(day: Day): Day {
  const name = weekday(day);
  if (name === SATURDAY) return day - 1;
  return name === SUNDAY ? day + 1 : day;
}

/** NYSE rule 7.2: New Year's Day on a Saturday is not moved into the old year. */
function newYear(year: number): Day {
  const day = dayOf(year, 1, 1);
  return weekday(day) === SUNDAY ? day + 1 : day;
}

/** The days of a year on which US stock exchanges are shut by rule; from 1990 on. */
export function holidays(year: number): ReadonlySet<Day> {
  const days = [
    newYear(year),
    nthWeekday(year, 2, MONDAY, 3),
    easter(year) - 2,
    lastMondayOfMay(year),
    observed(dayOf(year, 7, 4)),
    nthWeekday(year, 9, MONDAY, 1),
    nthWeekday(year, 11, THURSDAY, 4),
    observed(dayOf(year, 12, 25)),
  ];
  if (year >= 1998) days.push(nthWeekday(year, 1, MONDAY, 3));
  if (year >= 2022) days.push(observed(dayOf(year, 6, 19)));
  return new Set(days);
}

/** Whether a day has a session, given the holidays of its year. */
export function isSessionDay(day: Day, shut: ReadonlySet<Day>): boolean {
  const name = weekday(day);
  return name !== SATURDAY && name !== SUNDAY && !shut.has(day) && !SPECIAL_CLOSURES.has(day);
}

/** Before 2013 a Wednesday eve of Independence Day was whole and the Friday after it short. */
function isIndependenceShort(year: number, dayOfMonth: number, name: number): boolean {
  if (year < 1995) return false;
  if (dayOfMonth === 3) return name === MONDAY || name === TUESDAY || name === THURSDAY || (name === WEDNESDAY && year >= 2013);
  return dayOfMonth === 5 && name === FRIDAY && year < 2013;
}

/** The planned closing time of a session day in minutes of the local day. Snow, fires and circuit breakers are not followed. */
export function closingMinute(day: Day): number {
  const { year, month, dayOfMonth } = civil(day);
  const name = weekday(day);
  const eve = month === 12 && dayOfMonth === 24;
  // The Friday after Thanksgiving was whole before 1992.
  const afterThanksgiving = year >= 1992 && month === 11 && day === nthWeekday(year, 11, THURSDAY, 4) + 1;
  if (eve || afterThanksgiving) return year < 1993 ? EARLY_CLOSE_BEFORE_1993 : EARLY_CLOSE;
  if (SPECIAL_EARLY_CLOSES.has(day) || (month === 7 && isIndependenceShort(year, dayOfMonth, name))) return EARLY_CLOSE;
  return REGULAR_CLOSE;
}
