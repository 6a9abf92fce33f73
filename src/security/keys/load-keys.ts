import { sql, type Kysely } from 'kysely';
import type { SecurityTables } from '../tables.ts';
import { MAX_KEYS } from './key-ring.ts';
import type { KeyRow } from './rows.ts';

/** Every live key, and the ended ones with the oldest end first, as many as are held in memory. */
export async function loadKeys(db: Kysely<SecurityTables>, now: number): Promise<{ live: readonly KeyRow[]; ended: readonly KeyRow[] }> {
  const at = new Date(now);
  const live = await db
    .selectFrom('security_api_keys')
    .selectAll()
    .where('revoked_at', 'is', null)
    .where((eb) => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', at)]))
    .orderBy('created_at')
    .limit(MAX_KEYS)
    .execute();
  const ended = await db
    .selectFrom('security_api_keys')
    .selectAll()
    .where((eb) => eb.or([eb('revoked_at', 'is not', null), eb('expires_at', '<=', at)]))
    .orderBy(sql`least(revoked_at, expires_at)`, 'desc')
    .limit(MAX_KEYS)
    .execute();
  return { live, ended: ended.toReversed() };
}

/** All keys for people, the newest first. */
export async function listKeys(db: Kysely<SecurityTables>): Promise<readonly KeyRow[]> {
  return db.selectFrom('security_api_keys').selectAll().orderBy('created_at', 'desc').orderBy('id').limit(MAX_KEYS).execute();
}

/** Writes back when keys were last used, all in one statement; never moves a time backwards. */
export async function saveUsed(db: Kysely<SecurityTables>, used: readonly { id: string; at: number }[]): Promise<void> {
  if (used.length === 0) return;
  const list = JSON.stringify(used.map(({ id, at }) => ({ id, at: new Date(at).toISOString() })));
  await sql`
    update security_api_keys as k set last_used_at = greatest(k.last_used_at, u.at)
    from jsonb_to_recordset(${list}::jsonb) as u(id text, at timestamptz) where k.id = u.id`.execute(db);
}
