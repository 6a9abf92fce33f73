/** Deadlines in milliseconds, and the cap on waiting callers. */
export interface StorageLimits {
  /** Waiting for a connection while its holder does nothing (embedded), or for a pooled one (PostgreSQL). */
  readonly waitMs: number;
  /** Waiting for the embedded connection in all, however busy its holders are. */
  readonly queueMs: number;
  readonly statementMs: number;
  /** A transaction that sends no statement for this long is rolled back. */
  readonly idleInTransactionMs: number;
  readonly maxWaiting: number;
  readonly readyMs: number;
  readonly closeMs: number;
  /** Opening in all, the making of a new folder and crash recovery included. */
  readonly openMs: number;
  /** All pending migrations together, waiting for another replica's migrations included. */
  readonly migrationMs: number;
}

export const defaultLimits: StorageLimits = Object.freeze({
  waitMs: 5000,
  queueMs: 30_000,
  statementMs: 30_000,
  idleInTransactionMs: 60_000,
  maxWaiting: 1000,
  readyMs: 2000,
  closeMs: 5000,
  openMs: 60_000,
  migrationMs: 600_000,
});
