import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Who holds a data folder. It means something only while the lock is held. */
export interface OwnerInfo {
  readonly pid: number;
  /** Where the process listens, once it does. */
  readonly url?: string;
  /** The management socket, once it exists. */
  readonly socketPath?: string;
  /** RFC 3339. */
  readonly startedAt: string;
  /** Empty until the process has described itself. */
  readonly version: string;
}

const infoPath = (dataDir: string): string => join(dataDir, 'owner.json');

/** Replaces the description in one step, so that a reader never sees half of it. */
export function writeOwnerInfo(dataDir: string, info: OwnerInfo): void {
  const draft = `${infoPath(dataDir)}.${process.pid}`;
  writeFileSync(draft, `${JSON.stringify(info)}\n`, { mode: 0o600 });
  renameSync(draft, infoPath(dataDir));
}

export function removeOwnerInfo(dataDir: string): void {
  rmSync(infoPath(dataDir), { force: true });
}

/** What the file says, true or not; undefined when it is missing or not a description. */
export function readOwnerInfo(dataDir: string): OwnerInfo | undefined {
  try {
    return toOwnerInfo(JSON.parse(readFileSync(infoPath(dataDir), 'utf8')));
  } catch {
    return undefined;
  }
}

function toOwnerInfo(value: unknown): OwnerInfo | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { pid, url, socketPath, startedAt, version } = value as Record<string, unknown>;
  if (typeof pid !== 'number' || typeof startedAt !== 'string' || typeof version !== 'string') return undefined;
  return {
    pid,
    startedAt,
    version,
    ...(typeof url === 'string' ? { url } : {}),
    ...(typeof socketPath === 'string' ? { socketPath } : {}),
  };
}
