import { chmodSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/** A lock file held by this process until `release` or its death. */
export interface HeldLock {
  release(): void;
}

const sqliteBusy = 5;

/**
 * Takes the exclusive lock on a SQLite file without waiting; undefined when another process (or thread) holds it.
 * The operating system frees it when the process dies, however it dies. Children never inherit it (POSIX fcntl locks).
 * The file is opened through SQLite only: POSIX frees a process's locks when it closes any other descriptor of the file.
 */
export function tryLock(path: string): HeldLock | undefined {
  const db = new DatabaseSync(path, { timeout: 0 });
  try {
    chmodSync(path, 0o600);
    // No journal file beside the lock: nothing is ever written.
    db.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    db.close();
    if (isBusy(error)) return undefined;
    throw error;
  }
  return { release: () => db.close() };
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' && (error.errcode & 0xff) === sqliteBusy;
}
