import { createHmac } from 'node:crypto';
import type { Kysely } from 'kysely';
import type { DoctorCheck } from '../../contract/index.ts';
import type { Clock } from '../../shared/index.ts';
import type { SecurityTables } from '../tables.ts';

export interface KnownMasterOptions {
  readonly db: Kysely<SecurityTables>;
  readonly clock: Clock;
  readonly master: Buffer;
  /** Whether other processes may use the database at the same time. */
  readonly shared: boolean;
  /** False for a look only: the first process that serves with a key decides which one is the database's. */
  readonly remember: boolean;
}

/** Names the key without telling anything of it. */
const idOf = (master: Buffer): string => createHmac('sha256', master).update('stockpulse master key id').digest('hex');

const LOST = 'what was sealed with the other key cannot be opened here: tasks are "not found", waiting questions to clients are lost';

const SHARED: DoctorCheck = {
  name: 'master key',
  status: 'warning',
  message: `This process has another master key than the one with which this database was first used: ${LOST}, pages of lists do not go on.`,
  advice: 'Set STOCKPULSE_MASTER_KEY to the same value for every process on this database (docs/operations.md says how to change it).',
};

const ALONE: DoctorCheck = {
  name: 'master key',
  status: 'warning',
  message: `The master key is not the one of the last start: ${LOST}.`,
  advice: 'If that was not meant, restore master.key (or STOCKPULSE_MASTER_KEY) from a backup and restart.',
};

/**
 * Compares the master key with the one that the database knows, by an id, and makes it known at the first use. A finding if it is another:
 * a shared database keeps the first one, and one of our own takes the new one.
 */
export async function checkMasterKey({ db, clock, master, shared, remember }: KnownMasterOptions): Promise<DoctorCheck[]> {
  const row = { one: true, key_id: idOf(master), since: new Date(clock.now()) };
  if (remember)
    await db
      .insertInto('security_master_key')
      .values(row)
      .onConflict((conflict) => conflict.column('one').doNothing())
      .execute();
  const known = await db.selectFrom('security_master_key').select('key_id').executeTakeFirst();
  if (known === undefined || known.key_id === row.key_id) return [];
  if (shared) return [SHARED];
  if (remember) await db.updateTable('security_master_key').set(row).execute();
  return [ALONE];
}
