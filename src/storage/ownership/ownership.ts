import { existsSync, mkdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { AppError, messageOf } from '../../shared/index.ts';
import { storageError } from '../errors.ts';
import { tryLock, type HeldLock } from './lock.ts';
import { readOwnerInfo, removeOwnerInfo, writeOwnerInfo, type OwnerInfo } from './owner-info.ts';

/** The data folder is ours until `release` or the death of the process. */
export interface Ownership {
  /** Tells others who we are: `readOwner` in any process returns it from now on. */
  describe(info: OwnerInfo): void;
  /** Idempotent. */
  release(): void;
}

/** Somebody else owns the data folder; `owner` says who, if it could be read. */
export class AlreadyOwnedError extends AppError {
  readonly owner: OwnerInfo | undefined;

  constructor(dataDir: string, owner: OwnerInfo | undefined) {
    const who = owner === undefined ? '' : `, pid ${owner.pid}${owner.url === undefined ? '' : `, ${owner.url}`}`;
    super('already_running', `already running${who}. One process owns a data folder: stop it, or choose another folder.`, {
      detail: { dataDir },
    });
    this.name = 'AlreadyOwnedError';
    this.owner = owner;
  }
}

const acquireMs = 2000;
const retryMs = 50;

/** Folders that this process owns, by their real path. */
const held = new Map<string, HeldLock>();

const lockPath = (folder: string): string => join(folder, 'owner.lock');

/**
 * Makes the data folder if needed (mode 0700) and takes it for this process. A probe by `readOwner` holds the lock for an instant, so a busy
 * lock is tried again for two seconds. Rejects AlreadyOwnedError, or `data_dir_unusable` when the folder cannot be written.
 */
export async function acquireOwnership(dataDir: string): Promise<Ownership> {
  const folder = makeFolder(dataDir);
  if (held.has(folder)) throw new AlreadyOwnedError(folder, readOwnerInfo(folder));
  const deadline = performance.now() + acquireMs;
  for (;;) {
    const lock = lockOrExplain(folder);
    if (lock) return own(folder, lock);
    if (performance.now() >= deadline) throw new AlreadyOwnedError(folder, currentInfo(folder));
    // A timer that keeps the process alive: a second start has nothing else to live for until it is told no.
    await wait(retryMs);
    if (held.has(folder)) throw new AlreadyOwnedError(folder, readOwnerInfo(folder));
  }
}

/** Whether somebody (this process included) owns the folder now, and who; undefined when nobody does. Blocks for at most 0.2 s. */
export function readOwner(dataDir: string): OwnerInfo | undefined {
  const folder = realFolder(dataDir);
  if (folder === undefined || !existsSync(lockPath(folder))) return undefined;
  if (held.has(folder)) return readOwnerInfo(folder);
  const lock = lockOrExplain(folder);
  if (!lock) return currentInfo(folder);
  lock.release();
  return undefined;
}

/** Whether this process owns the folder. */
export function ownsFolder(dataDir: string): boolean {
  const folder = realFolder(dataDir);
  return folder !== undefined && held.has(folder);
}

function own(folder: string, lock: HeldLock): Ownership {
  held.set(folder, lock);
  // Overwrites what a crashed owner left behind.
  const describe = (info: OwnerInfo): void => {
    if (held.get(folder) === lock) writeOwnerInfo(folder, info);
  };
  describe({ pid: process.pid, startedAt: new Date().toISOString(), version: '' });
  return {
    describe,
    release: () => {
      if (held.get(folder) !== lock) return;
      removeOwnerInfo(folder);
      held.delete(folder);
      lock.release();
    },
  };
}

/** The holder's description. A new owner needs a moment to replace that of a dead one, so a dead pid is read again for a while. */
function currentInfo(folder: string): OwnerInfo {
  const unknown: OwnerInfo = { pid: 0, startedAt: '', version: '' };
  let info = readOwnerInfo(folder);
  for (let attempt = 0; attempt < 10 && (info === undefined || !isAlive(info.pid)); attempt += 1) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    info = readOwnerInfo(folder);
  }
  return info ?? unknown;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it lives, under another user.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

function makeFolder(dataDir: string): string {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    return realpathSync(dataDir);
  } catch (error) {
    throw unusable(dataDir, error);
  }
}

function realFolder(dataDir: string): string | undefined {
  try {
    return realpathSync(dataDir);
  } catch {
    return undefined;
  }
}

function lockOrExplain(folder: string): HeldLock | undefined {
  try {
    return tryLock(lockPath(folder));
  } catch (error) {
    throw unusable(folder, error);
  }
}

function unusable(dataDir: string, error: unknown): AppError {
  const message = `The data folder ${dataDir} cannot be used: ${messageOf(error)}. Make it writable, or set STOCKPULSE_DATA_DIR to another one.`;
  return storageError('data_dir_unusable', message, { cause: error });
}
