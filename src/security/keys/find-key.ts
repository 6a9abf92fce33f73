import type { Kysely } from 'kysely';
import { AppError } from '../../shared/index.ts';
import type { SecurityTables } from '../tables.ts';
import type { KeyRow } from './rows.ts';

/** The key, locked until the transaction ends so that two changes of it cannot cross. Throws `key_not_found`. */
export async function lockKey(trx: Kysely<SecurityTables>, id: string): Promise<KeyRow> {
  const row = await trx.selectFrom('security_api_keys').selectAll().where('id', '=', id).forUpdate().executeTakeFirst();
  if (row === undefined) throw new AppError('key_not_found', 'There is no API key with this id; list them with: stockpulse keys list.');
  return row;
}
