/** What the suite says of one check, and how the project's exceptions judge it. Pure. */

export type Status = 'SUCCESS' | 'FAILURE' | 'WARNING' | 'INFO' | 'SKIPPED';
export type Reason = 'legacy_wire' | 'suite_skips' | 'unsafe' | 'fixture_lacks';

/** One check of one scenario that may miss, in one cell of one requirement set. */
export interface Exception {
  readonly set: string;
  readonly cell: string;
  readonly scenario: string;
  readonly check: string;
  readonly reason: Reason;
  readonly note: string;
}

export interface Check {
  readonly id: string;
  readonly status: Status;
  readonly message: string;
}

export interface ScenarioResult {
  readonly scenario: string;
  readonly scored: boolean;
  readonly checks: readonly Check[];
}

/** All scenarios of one requirement set against one server, or of one client. */
export interface CellResult {
  readonly set: string;
  readonly cell: string;
  readonly scenarios: readonly ScenarioResult[];
}

export interface Miss {
  readonly set: string;
  readonly cell: string;
  readonly scenario: string;
  readonly check: string;
  readonly status: Status;
  readonly message: string;
}

/** The suite's own order: what did not run says nothing about what did. */
const SEVERITY: Readonly<Record<Status, number>> = { FAILURE: 4, WARNING: 3, SUCCESS: 2, INFO: 1, SKIPPED: 0 };
const MISSES: ReadonlySet<Status> = new Set(['FAILURE', 'WARNING', 'SKIPPED']);

export const isMiss = (status: Status): boolean => MISSES.has(status);

/** One verdict per id: a check that ran several times counts as its worst run. */
export function worstOf(checks: readonly Check[]): Check[] {
  const worst = new Map<string, Check>();
  for (const check of checks) {
    const seen = worst.get(check.id);
    if (seen === undefined || SEVERITY[check.status] > SEVERITY[seen.status]) worst.set(check.id, check);
  }
  return [...worst.values()];
}

/** A scenario passes if none of its checks misses. */
export const passes = ({ checks }: ScenarioResult): boolean => !checks.some(({ status }) => isMiss(status));

export function missesOf({ set, cell, scenarios }: CellResult): Miss[] {
  return scenarios.flatMap(({ scenario, checks }) =>
    checks.filter(({ status }) => isMiss(status)).map(({ id, status, message }) => ({ set, cell, scenario, check: id, status, message })),
  );
}

type Place = Pick<Miss, 'set' | 'cell' | 'scenario' | 'check'>;

export const placeOf = ({ set, cell, scenario, check }: Place): string => `${set} | ${cell} | ${scenario} | ${check}`;

export interface Verdict {
  /** Misses that no row allows. */
  readonly unexpected: readonly Miss[];
  /** Rows of this cell that allow what did not miss. */
  readonly stale: readonly Place[];
}

/** Compares one cell with the rows that allow its misses. */
export function judge(result: CellResult, rows: readonly Place[]): Verdict {
  const misses = missesOf(result);
  const missed = new Set(misses.map(placeOf));
  const mine = rows.filter(({ set, cell }) => set === result.set && cell === result.cell);
  const allowed = new Set(mine.map(placeOf));
  return {
    unexpected: misses.filter((miss) => !allowed.has(placeOf(miss))),
    stale: mine.filter((row) => !missed.has(placeOf(row))),
  };
}
