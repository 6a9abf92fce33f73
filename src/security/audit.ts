import type { Kysely } from 'kysely';
import type { Clock } from '../shared/index.ts';
import type { SecurityTables } from './tables.ts';

/** One change that somebody made. `detail` never holds a secret. */
export interface AuditEntry {
  /** Principal id of who did it. */
  readonly actor: string;
  /** `<noun>.<verb>`, stable. */
  readonly action: string;
  /** What it was done to. */
  readonly subject: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

export interface AuditRow extends AuditEntry {
  readonly id: string;
  /** RFC 3339, UTC. */
  readonly at: string;
}

/** Management verbs as they happened (DESIGN 9). Append-only: the table refuses updates and deletes. */
export interface AuditTrail {
  /** Writes one row; rejects if it could not be written, and then the verb must not happen. */
  record(entry: AuditEntry): Promise<void>;
  /** The newest first, at most `limit` (1000). */
  list(limit: number): Promise<readonly AuditRow[]>;
}

const MAX_LISTED = 1000;

/** Writes a row with the given handle, so that a verb and its row share one transaction. `at` is milliseconds since the epoch. */
export async function insertAudit(db: Kysely<SecurityTables>, entry: AuditEntry, at: number): Promise<void> {
  await db
    .insertInto('security_audit')
    .values({ at: new Date(at), actor: entry.actor, action: entry.action, subject: entry.subject, detail: JSON.stringify(entry.detail) })
    .execute();
}

/** The audit trail on our tables. */
export function createAuditTrail(options: { db: Kysely<SecurityTables>; clock: Clock }): AuditTrail {
  const { db, clock } = options;
  return {
    record: (entry) => insertAudit(db, entry, clock.now()),
    async list(limit) {
      const rows = await db.selectFrom('security_audit').selectAll().orderBy('id', 'desc').limit(Math.min(limit, MAX_LISTED)).execute();
      return rows.map((row) => ({
        id: String(row.id),
        at: row.at.toISOString(),
        actor: row.actor,
        action: row.action,
        subject: row.subject,
        detail: row.detail as Record<string, unknown>,
      }));
    },
  };
}
