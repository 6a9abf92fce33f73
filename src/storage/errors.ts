import { AppError } from '../shared/index.ts';

/** Every code that this room throws; `DatabaseError`s of PostgreSQL itself pass through with their SQLSTATE. */
export type StorageErrorCode =
  | 'already_running'
  | 'data_dir_unusable'
  | 'storage_unavailable'
  | 'storage_failed'
  | 'storage_busy'
  | 'storage_timeout'
  | 'storage_transaction_expired'
  | 'storage_closed'
  | 'storage_mismatch'
  | 'storage_newer'
  | 'storage_version'
  | 'storage_migration_failed';

export function storageError(code: StorageErrorCode, message: string, options: { detail?: unknown; cause?: unknown } = {}): AppError {
  return new AppError(code, message, options);
}

export function closedError(): AppError {
  return storageError('storage_closed', 'The database is closed: StockPulse MCP is shutting down.');
}

const sqlState = (error: unknown): string | undefined => {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined;
  return error.code;
};

/** Whether a statement failed because the row exists already (SQLSTATE 23505), of the named constraint if one is given. */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  if (sqlState(error) !== '23505') return false;
  return constraint === undefined || (error as { constraint?: string }).constraint === constraint;
}
