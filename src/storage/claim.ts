import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { storageError } from './errors.ts';
import type { StorageKind } from './types.ts';

const claimFile = (dataDir: string): string => join(dataDir, 'storage.json');

function claimedKind(dataDir: string): unknown {
  try {
    return (JSON.parse(readFileSync(claimFile(dataDir), 'utf8')) as { kind?: unknown }).kind;
  } catch {
    return undefined;
  }
}

/**
 * Refuses a data folder that belongs to the other kind of database (`storage_mismatch`): its keys would be made anew in a database that
 * nobody meant, because DATABASE_URL was set for one process and not for another.
 */
export function checkClaim(dataDir: string, kind: StorageKind): void {
  const claimed = claimedKind(dataDir);
  if (claimed === 'postgres' && kind === 'pglite') {
    const message = `The data folder ${dataDir} belongs to a gateway on PostgreSQL: set DATABASE_URL as for that one, or choose another folder (STOCKPULSE_DATA_DIR).`;
    throw storageError('storage_mismatch', message);
  }
  if (claimed === 'pglite' && kind === 'postgres') {
    const message = `The data folder ${dataDir} holds an embedded database, and DATABASE_URL is set: choose another folder for the gateway on PostgreSQL (STOCKPULSE_DATA_DIR), or unset DATABASE_URL.`;
    throw storageError('storage_mismatch', message);
  }
}

/** Notes which kind of database the folder belongs to, once that was opened. The folder must be owned by this process. */
export function claimFolder(dataDir: string, kind: StorageKind): void {
  if (claimedKind(dataDir) === kind) return;
  const fresh = `${claimFile(dataDir)}.new`;
  writeFileSync(fresh, `${JSON.stringify({ kind })}\n`, { mode: 0o600 });
  renameSync(fresh, claimFile(dataDir));
}
