import type { PGlite } from '@electric-sql/pglite';

const maxWalBytes = 32 * 1024 * 1024;
const checkEveryCalls = 500;
const checkEveryBytes = 4 * 1024 * 1024;
const vacuumEveryTicks = 12;

/**
 * What PostgreSQL's background processes do and a single-process one does not: checkpoints, so that the log stays small and recovery short,
 * and vacuuming, so that deleted rows give their room back. It runs between statements, outside any transaction.
 */
export class Maintenance {
  readonly #db: PGlite;
  #calls = 0;
  #bytes = 0;
  #ticks = 0;
  #dirty = false;

  constructor(db: PGlite) {
    this.#db = db;
  }

  note(bytes: number): void {
    this.#calls += 1;
    this.#bytes += bytes;
    this.#dirty = true;
  }

  async afterWork(): Promise<void> {
    if (this.#calls < checkEveryCalls && this.#bytes < checkEveryBytes) return;
    await this.#checkpointIfDue();
  }

  /** Called every 5 seconds. */
  async quietMoment(): Promise<void> {
    if (!this.#dirty) return;
    this.#ticks += 1;
    if (this.#calls > 0) await this.#checkpointIfDue();
    if (this.#ticks < vacuumEveryTicks) return;
    this.#ticks = 0;
    this.#dirty = await this.#vacuumOne();
  }

  async #checkpointIfDue(): Promise<void> {
    this.#calls = 0;
    this.#bytes = 0;
    const { rows } = await this.#db.query<{ behind: number }>(
      'select pg_wal_lsn_diff(pg_current_wal_lsn(), redo_lsn)::float8 as behind from pg_control_checkpoint()',
    );
    if ((rows[0]?.behind ?? 0) > maxWalBytes) await this.#db.exec('checkpoint');
  }

  /** Vacuums the table with the most dead rows, by autovacuum's own default thresholds; true when another may be due. */
  async #vacuumOne(): Promise<boolean> {
    const { rows } = await this.#db.query<{ name: string }>(
      `select format('%I.%I', schemaname, relname) as name from pg_stat_user_tables
       where n_dead_tup > 50 + 0.2 * n_live_tup or n_mod_since_analyze > 50 + 0.1 * n_live_tup
       order by n_dead_tup desc limit 1`,
    );
    const name = rows[0]?.name;
    if (name === undefined) return false;
    await this.#db.exec(`vacuum (analyze) ${name}`);
    return true;
  }
}
