import { sql, type Kysely } from 'kysely';
import { insertAudit } from '../audit.ts';
import { AGENT_SCOPES, APPROVER_SCOPES } from '../principal.ts';
import type { SecurityTables } from '../tables.ts';
import { insertKey } from './create-key.ts';
import { checkSuppliedSecret, newSecret } from './secret.ts';
import type { KeyRow } from './rows.ts';

/** The secrets of the first start, for the one time that they are shown. */
export interface FirstKeys {
  readonly agent: string;
  readonly approver: string;
}

export interface FirstKeysOptions {
  /** Becomes the agent key; 24 to 256 visible ASCII characters. */
  readonly bootstrapSecret?: string | undefined;
  /** Hands the keys to people before they are committed: if it fails there are no keys, and the next start makes new ones. */
  readonly deliver?: ((keys: FirstKeys) => Promise<void>) | undefined;
}

const FIRST_START = 'first-start';

/**
 * Makes the agent and the approver key if the installation never had a key, else returns undefined. The table is locked meanwhile, so
 * that of two replicas that start at once exactly one makes them. Throws `invalid_secret`.
 */
export async function makeFirstKeys(
  db: Kysely<SecurityTables>,
  options: FirstKeysOptions,
  now: number,
): Promise<{ keys: FirstKeys; rows: readonly KeyRow[] } | undefined> {
  const { bootstrapSecret, deliver } = options;
  return db.transaction().execute(async (trx) => {
    await sql`lock table security_api_keys in share row exclusive mode`.execute(trx);
    const known = await trx.selectFrom('security_api_keys').select('id').limit(1).executeTakeFirst();
    if (known !== undefined) return undefined;
    if (bootstrapSecret !== undefined) checkSuppliedSecret(bootstrapSecret);
    const keys: FirstKeys = { agent: bootstrapSecret ?? newSecret(), approver: newSecret() };
    const made = { expiresAt: null, createdBy: FIRST_START };
    const rows = [
      await insertKey(trx, { ...made, name: 'agent', scopes: AGENT_SCOPES, secret: keys.agent }, now),
      await insertKey(trx, { ...made, name: 'approver', scopes: APPROVER_SCOPES, secret: keys.approver }, now),
    ];
    for (const row of rows)
      await insertAudit(
        trx,
        { actor: FIRST_START, action: 'key.create', subject: row.id, detail: { name: row.name, scopes: row.scopes } },
        now,
      );
    await deliver?.(keys);
    return { keys, rows };
  });
}
