import type { Kysely } from 'kysely';
import { AppError } from '../../shared/index.ts';
import { insertAudit } from '../audit.ts';
import type { SecurityTables } from '../tables.ts';
import { insertKey, type MadeKey } from './create-key.ts';
import { lockKey } from './find-key.ts';
import { checkApprover, checkOverlap, type KeyActor } from './input.ts';
import { scopesOf, type KeyRow } from './rows.ts';
import { newSecret } from './secret.ts';

export interface RotatedKey extends MadeKey {
  readonly previous: KeyRow;
}

/** A limited key keeps its length of life, counted anew. */
function nextExpiry(row: KeyRow, now: number): Date | null {
  return row.expires_at === null ? null : new Date(now + (row.expires_at.getTime() - row.created_at.getTime()));
}

function checkRotatable(row: KeyRow): void {
  if (row.replaced_by !== null) throw new AppError('key_replaced', `This key was already replaced by ${row.replaced_by}: rotate that one.`);
  if (row.revoked_at !== null) throw new AppError('key_revoked', 'This key was revoked and stays so: create another one.');
}

/**
 * Gives a key a new secret under the same name, scopes and principal; the old one works until the overlap ends, or its own end if that
 * comes first. Throws `key_not_found`, `key_replaced`, `key_revoked`, `approver_required`, `invalid_request`.
 */
export async function rotateKey(
  db: Kysely<SecurityTables>,
  input: { readonly id: string; readonly overlapSeconds: number },
  actor: KeyActor,
  now: number,
): Promise<RotatedKey> {
  const overlap = checkOverlap(input.overlapSeconds);
  const secret = newSecret();
  return db.transaction().execute(async (trx) => {
    const old = await lockKey(trx, input.id);
    checkRotatable(old);
    const scopes = scopesOf(old);
    checkApprover(scopes, actor);
    const facts = { name: old.name, scopes, expiresAt: nextExpiry(old, now), createdBy: actor.principal.id, secret, lineage: old.lineage };
    const row = await insertKey(trx, facts, now);
    const ends = new Date(Math.min(now + overlap, old.expires_at?.getTime() ?? Infinity));
    const previous = await trx
      .updateTable('security_api_keys')
      .set({ expires_at: ends, replaced_by: row.id })
      .where('id', '=', old.id)
      .returningAll()
      .executeTakeFirstOrThrow();
    const detail = { newKey: row.id, name: old.name, overlapEnds: ends.toISOString(), approver: actor.approver?.id ?? null };
    await insertAudit(trx, { actor: actor.principal.id, action: 'key.rotate', subject: old.id, detail }, now);
    return { row, secret, previous };
  });
}
