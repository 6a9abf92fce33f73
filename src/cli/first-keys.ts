import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Gateway } from './app-port.ts';

export type FirstKeys = NonNullable<Gateway['firstKeys']>;

/** Writes the first start's keys where only this user can read them; the path. */
export function saveFirstKeys(dataDir: string, keys: FirstKeys): string {
  const file = join(dataDir, 'first-keys.txt');
  const text = [
    'The keys of the first start. Put them where you keep secrets, then remove this file.',
    `agent key, for agents and their hosts: ${keys.agent}`,
    `approver key, yours, never an agent's: ${keys.approver}`,
    '',
  ].join('\n');
  // The mode counts only for a new file.
  rmSync(file, { force: true });
  writeFileSync(file, text, { mode: 0o600, flag: 'wx' });
  return file;
}
