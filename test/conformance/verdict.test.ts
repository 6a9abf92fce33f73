import { describe, expect, it } from 'vitest';
import { EXCEPTIONS } from './exceptions.ts';
import { judge, placeOf, worstOf, type CellResult, type Check, type Status } from './verdict.ts';

const check = (id: string, status: Status): Check => ({ id, status, message: '' });
const cell = (...checks: Check[]): CellResult => ({ set: 's', cell: 'c', scenarios: [{ scenario: 'x', scored: true, checks }] });
const row = (id: string, name = 'c') => ({ set: 's', cell: name, scenario: 'x', check: id });

describe('a check that ran several times', () => {
  it.each([
    [['SUCCESS', 'FAILURE', 'SUCCESS'], 'FAILURE'],
    [['WARNING', 'SUCCESS'], 'WARNING'],
    [['SKIPPED', 'SUCCESS'], 'SUCCESS'],
    [['SKIPPED', 'SKIPPED'], 'SKIPPED'],
  ] as const)('%j counts as %s', (statuses, expected) => {
    expect(worstOf(statuses.map((status) => check('a', status)))).toEqual([check('a', expected)]);
  });
});

describe('judging a cell', () => {
  it('finds misses that no row allows', () => {
    const result = cell(check('a', 'FAILURE'), check('b', 'WARNING'), check('c', 'SKIPPED'), check('d', 'INFO'), check('e', 'SUCCESS'));
    expect(judge(result, [row('a')]).unexpected.map((miss) => miss.check)).toEqual(['b', 'c']);
  });

  it('finds rows that allow nothing, also where the check is gone', () => {
    const result = cell(check('a', 'SUCCESS'));
    expect(judge(result, [row('a'), row('gone')]).stale.map((each) => each.check)).toEqual(['a', 'gone']);
  });

  it('leaves the rows of other cells alone', () => {
    expect(judge(cell(check('a', 'FAILURE')), [row('a', 'other')])).toMatchObject({ unexpected: [{ check: 'a' }], stale: [] });
  });
});

it('no exception stands there twice, and each says why', () => {
  expect(new Set(EXCEPTIONS.map(placeOf)).size).toBe(EXCEPTIONS.length);
  expect(EXCEPTIONS.filter(({ note }) => note.length < 20)).toEqual([]);
});
