/** A civil date as the number of days since 1970-01-01. */
export type Day = number;

export const DAY_MS = 86_400_000;
export const MINUTE_MS = 60_000;

export interface Civil {
  readonly year: number;
  /** 1 to 12 */
  readonly month: number;
  readonly dayOfMonth: number;
}

/** The day of a proleptic Gregorian date; `month` counts from 1. */
export function dayOf(year: number, month: number, dayOfMonth: number): Day {
  return Date.UTC(year, month - 1, dayOfMonth) / DAY_MS;
}

export function civil(day: Day): Civil {
  const date = new Date(day * DAY_MS);
  return { year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, dayOfMonth: date.getUTCDate() };
}

/** 0 is Sunday, 6 is Saturday. */
export function weekday(day: Day): number {
  return (((day + 4) % 7) + 7) % 7;
}

/** `YYYY-MM-DD` */
export function isoDate(day: Day): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10);
}

/** The day of `YYYY-MM-DD`, or undefined when the text is no date that exists (2023-02-29). */
export function parseIsoDate(text: string): Day | undefined {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return undefined;
  const milliseconds = Date.parse(`${text}T00:00:00Z`);
  if (Number.isNaN(milliseconds)) return undefined;
  const day = milliseconds / DAY_MS;
  return isoDate(day) === text ? day : undefined;
}
