import { chmodSync, readFileSync, renameSync, writeFileSync } from 'node:fs';

/** Writes a secret where only this user can read it, whole or not at all. */
export function writeKeyFile(file: string, secret: string): void {
  const fresh = `${file}.new`;
  writeFileSync(fresh, `${secret}\n`, { mode: 0o600 });
  // The mode above counts only for a new file.
  chmodSync(fresh, 0o600);
  renameSync(fresh, file);
}

/** The secret in the file; undefined if there is none. */
export function readKeyFile(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}
