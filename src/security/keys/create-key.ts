import type { Kysely } from 'kysely';
import { AppError, randomText } from '../../shared/index.ts';
import { isUniqueViolation } from '../../storage/index.ts';
import { insertAudit } from '../audit.ts';
import type { Scope } from '../principal.ts';
import type { SecurityTables } from '../tables.ts';
import { checkApprover, checkExpiry, checkName, checkScopes, type KeyActor, type NewKey } from './input.ts';
import type { KeyRow } from './rows.ts';
import { checkSuppliedSecret, newSecret, secretHash, secretHint } from './secret.ts';

/** A key just made, with its secret for the one time that it is shown. */
export interface MadeKey {
  readonly row: KeyRow;
  readonly secret: string;
}

/** What every row of a new key needs; `lineage` joins it to the key that it replaces. */
export interface KeyFacts {
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly expiresAt: Date | null;
  readonly createdBy: string;
  readonly secret: string;
  readonly lineage?: string;
}

const ID_LENGTH = 12;

/** Writes the row of a new key with the given handle. Throws `secret_taken` if another key has this secret. */
export async function insertKey(db: Kysely<SecurityTables>, facts: KeyFacts, now: number): Promise<KeyRow> {
  const id = `key_${randomText(ID_LENGTH)}`;
  try {
    return await db
      .insertInto('security_api_keys')
      .values({
        id,
        lineage: facts.lineage ?? id,
        name: facts.name,
        scopes: JSON.stringify(facts.scopes),
        secret_hash: secretHash(facts.secret),
        hint: secretHint(facts.secret),
        created_at: new Date(now),
        created_by: facts.createdBy,
        expires_at: facts.expiresAt,
      })
      .returningAll()
      .executeTakeFirstOrThrow();
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    // The database's own error would carry the row, and the row the hash.
    throw new AppError('secret_taken', 'Another key already has this secret: choose a new one.');
  }
}

/** Makes a key. Throws `invalid_request`, `unknown_scope`, `scopes_not_combinable`, `approver_required`, `invalid_secret`, `secret_taken`. */
export async function createKey(
  db: Kysely<SecurityTables>,
  input: NewKey & { readonly secret?: string | undefined },
  actor: KeyActor,
  now: number,
): Promise<MadeKey> {
  const name = checkName(input.name);
  const scopes = checkScopes(input.scopes);
  const expiresAt = checkExpiry(input.expiresInDays, now);
  checkApprover(scopes, actor);
  if (input.secret !== undefined) checkSuppliedSecret(input.secret);
  const secret = input.secret ?? newSecret();
  const row = await db.transaction().execute(async (trx) => {
    const made = await insertKey(trx, { name, scopes, expiresAt, createdBy: actor.principal.id, secret }, now);
    await insertAudit(
      trx,
      {
        actor: actor.principal.id,
        action: 'key.create',
        subject: made.id,
        detail: { name, scopes, expiresAt: expiresAt?.toISOString() ?? null, approver: actor.approver?.id ?? null },
      },
      now,
    );
    return made;
  });
  return { row, secret };
}
