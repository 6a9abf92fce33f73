import { describe, expect, it } from 'vitest';
import { DAY_MS, isoDate, parseIsoDate } from './days.ts';
import { fromLocal, offsetAt, rfc3339, toLocal } from './new-york.ts';
import { firstSessionFrom, lastOpened, lastSessionUntil, phaseAt, SESSION_COUNT, sessionAt } from './sessions.ts';

function day(date: string): number {
  const found = parseIsoDate(date);
  if (found === undefined) throw new Error(`${date} does not exist`);
  return found;
}

function sessionsIn(year: number): string[] {
  const from = firstSessionFrom(day(`${year}-01-01`));
  const to = lastSessionUntil(day(`${year}-12-31`));
  return Array.from({ length: to - from + 1 }, (_, i) => sessionAt(from + i).date);
}

const isSession = (date: string): boolean => sessionAt(firstSessionFrom(day(date))).date === date;

/** Sessions of the New York Stock Exchange by year, as published. */
const COUNTS: Readonly<Record<number, number>> = {
  1990: 253, 1991: 253, 1992: 254, 1993: 253, 1994: 252, 1995: 252, 1996: 254, 1997: 253, 1998: 252, 1999: 252, 2000: 252,
  2001: 248, 2002: 252, 2003: 252, 2004: 252, 2005: 252, 2006: 251, 2007: 251, 2008: 253, 2009: 252, 2010: 252, 2011: 252,
  2012: 250, 2013: 252, 2014: 252, 2015: 252, 2016: 252, 2017: 251, 2018: 251, 2019: 252, 2020: 253, 2021: 252, 2022: 251,
  2023: 250, 2024: 252, 2025: 250, 2026: 251,
}; // prettier-ignore

describe('sessions', () => {
  it('has the known number of sessions in every year from 1990 on', () => {
    for (const [year, count] of Object.entries(COUNTS)) expect([year, sessionsIn(Number(year)).length]).toEqual([year, count]);
    expect(lastSessionUntil(day('2022-12-31')) + 1).toBe(8315);
  });

  it.each([
    '1994-04-27', '2001-09-11', '2001-09-12', '2001-09-13', '2001-09-14', '2004-06-11', '2007-01-02', '2012-10-29', '2012-10-30',
    '2018-12-05', '2025-01-09', '2022-06-20', '2023-06-19', '1998-01-19', '2021-12-24', '2022-12-26', '2023-01-02', '2000-04-21', '2026-04-03', '2026-07-03',
  ])('is shut on %s', (date) => expect(isSession(date)).toBe(false)); // prettier-ignore

  it.each(['1997-01-20', '2021-06-18', '2021-12-31', '2010-12-31', '2001-09-17', '2012-10-31', '2022-06-17'])('is open on %s', (date) =>
    expect(isSession(date)).toBe(true),
  );

  it('closes early exactly on the days published', () => {
    const early = (year: number): string[] => sessionsIn(year).filter((date) => sessionAt(firstSessionFrom(day(date))).earlyClose);
    expect(early(1991)).toEqual(['1991-12-24']);
    expect(early(1997)).toEqual(['1997-07-03', '1997-11-28', '1997-12-24', '1997-12-26']);
    expect(early(2002)).toEqual(['2002-07-05', '2002-11-29', '2002-12-24']);
    expect(early(2013)).toEqual(['2013-07-03', '2013-11-29', '2013-12-24']);
    expect(early(2019)).toEqual(['2019-07-03', '2019-11-29', '2019-12-24']);
    expect(early(2020)).toEqual(['2020-11-27', '2020-12-24']);
    expect(early(2021)).toEqual(['2021-11-26']);
    expect(early(2022)).toEqual(['2022-11-25']);
    expect(early(2024)).toEqual(['2024-07-03', '2024-11-29', '2024-12-24']);
    expect(early(2025)).toEqual(['2025-07-03', '2025-11-28', '2025-12-24']);
  });

  it('gives the times of a short day and of both sides of a clock change', () => {
    const short = sessionAt(firstSessionFrom(day('2024-11-29')));
    expect([short.preOpen, short.open, short.close, short.postClose].map(rfc3339)).toEqual([
      '2024-11-29T04:00:00-05:00',
      '2024-11-29T09:30:00-05:00',
      '2024-11-29T13:00:00-05:00',
      '2024-11-29T17:00:00-05:00',
    ]);
    expect(short.minutes).toBe(210);
    expect(rfc3339(sessionAt(firstSessionFrom(day('2026-03-06'))).open)).toBe('2026-03-06T09:30:00-05:00');
    expect(rfc3339(sessionAt(firstSessionFrom(day('2026-03-09'))).open)).toBe('2026-03-09T09:30:00-04:00');
  });

  it('moves through the phases of a day at their exact instants', () => {
    const at = (time: string): string => phaseAt(Date.parse(`2026-11-20T${time}-05:00`));
    expect(['03:59:59.999', '04:00:00', '09:29:59.999', '09:30:00', '15:59:59.999', '16:00:00', '19:59:59.999', '20:00:00'].map(at)).toEqual([
      'closed', 'pre', 'pre', 'regular', 'regular', 'post', 'post', 'closed',
    ]); // prettier-ignore
    expect(phaseAt(Date.parse('2026-11-26T12:00:00-05:00'))).toBe('closed');
    expect(phaseAt(Date.parse('2026-11-27T13:00:00-05:00'))).toBe('post');
    expect(sessionAt(lastOpened(Date.parse('2026-11-23T09:29:59-05:00'))).date).toBe('2026-11-20');
    expect(sessionAt(lastOpened(Date.parse('2026-11-23T09:30:00-05:00'))).date).toBe('2026-11-23');
  });

  it('throws beyond its range', () => {
    expect(() => sessionAt(-1)).toThrow(RangeError);
    expect(() => sessionAt(SESSION_COUNT)).toThrow(RangeError);
  });
});

describe('New York time', () => {
  it('agrees with the time zone database on every hour around every clock change, 1990 to 2037', () => {
    const format = new Intl.DateTimeFormat('en-US', { timeZone: 'America/New_York', timeZoneName: 'longOffset' });
    const expected = (at: number): number => (format.format(at).includes('-04:00') ? -240 : -300);
    for (let year = 1990; year <= 2037; year++) {
      for (let i = 0; i < 365; i++) {
        const noon = Date.UTC(year, 0, 1, 12) + i * DAY_MS;
        if (offsetAt(noon) === offsetAt(noon - DAY_MS)) continue;
        for (let hour = -36; hour <= 12; hour++) {
          const at = noon + hour * 3_600_000;
          expect([at, offsetAt(at)]).toEqual([at, expected(at)]);
        }
      }
      for (const month of [0, 6]) expect(offsetAt(Date.UTC(year, month, 15))).toBe(expected(Date.UTC(year, month, 15)));
    }
  });

  it('goes from local to instant and back on every session', () => {
    for (let index = 0; index < SESSION_COUNT; index += 7) {
      const { day: date, open } = sessionAt(index);
      expect(toLocal(open)).toEqual({ day: date, millisecondOfDay: 570 * 60_000 });
      expect(toLocal(fromLocal(date, 0)).millisecondOfDay).toBe(0);
    }
  });

  it('knows which dates exist', () => {
    expect(parseIsoDate('2023-02-29')).toBeUndefined();
    expect(parseIsoDate('2024-2-9')).toBeUndefined();
    expect(isoDate(day('2024-02-29'))).toBe('2024-02-29');
  });
});
