import type { Exception } from './verdict.ts';

export const MODERN_SET = '2026-07-28';
export const LEGACY_SET = '2025-11-25';

/** Cells of the server leg, besides the `direct` ones: those are the test servers themselves, without the gateway. */
export const SERVER_CELLS = ['modern', 'legacy', 'dual'] as const;
export const CLIENT_CELL = 'client';

const everywhere = [...SERVER_CELLS, 'direct modern', 'direct dual'];

/** Everything that the gateway does not pass, with the reason. A row that passes fails the test. */
export const EXCEPTIONS: readonly Exception[] = [
  ...everywhere.map((cell): Exception => ({
    set: MODERN_SET,
    cell,
    scenario: 'tasks-status-notifications',
    check: 'tasks-status-notifications',
    reason: 'suite_skips',
    note: 'The suite skips it whatever the server does.',
  })),
  {
    set: MODERN_SET,
    cell: 'legacy',
    scenario: 'input-required-result-ignore-extra-params',
    check: 'sep-2322-ignore-unexpected-params',
    reason: 'unsafe',
    note: 'Answers to questions that were not asked yet are not passed on: the server may ask something else.',
  },
];
