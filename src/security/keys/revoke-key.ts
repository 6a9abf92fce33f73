import type { Kysely } from 'kysely';
import { insertAudit } from '../audit.ts';
import type { SecurityTables } from '../tables.ts';
import { lockKey } from './find-key.ts';
import type { KeyActor } from './input.ts';
import type { KeyRow } from './rows.ts';

/**
 * Ends a key at once, and with it the secrets that it replaced and that still overlap. Revoking twice changes nothing. It needs no
 * approver, because it only ever takes power away. Returns the changed rows, the named key first. Throws `key_not_found`.
 */
export async function revokeKey(db: Kysely<SecurityTables>, id: string, actor: KeyActor, now: number): Promise<readonly KeyRow[]> {
  return db.transaction().execute(async (trx) => {
    const key = await lockKey(trx, id);
    const changed = await trx
      .updateTable('security_api_keys')
      .set({ revoked_at: new Date(now) })
      .where('lineage', '=', key.lineage)
      .where('created_at', '<=', key.created_at)
      .where((eb) => eb.or([eb('id', '=', id), eb('replaced_by', 'is not', null)]))
      .where('revoked_at', 'is', null)
      .returningAll()
      .execute();
    const detail = { name: key.name, alreadyRevoked: key.revoked_at !== null, ended: changed.map((row) => row.id) };
    await insertAudit(trx, { actor: actor.principal.id, action: 'key.revoke', subject: id, detail }, now);
    const named = changed.find((row) => row.id === id) ?? key;
    return [named, ...changed.filter((row) => row.id !== id)];
  });
}
