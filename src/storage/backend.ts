import type { PostgresPool } from 'kysely';
import type { StorageKind } from './types.ts';

/** One of the two databases, behind the pool that Kysely's PostgreSQL dialect expects. */
export interface Backend {
  readonly kind: StorageKind;
  readonly pool: PostgresPool;
  /** Refuses new callers, lets statements finish within `ms`, then ends every connection. */
  close(ms: number): Promise<void>;
}
