import { readdirSync, readFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';

/** The variable that marks the processes of one test, so that leftovers are found whoever started them. */
export const MARK = 'STOCKPULSE_E2E_MARK';

export const newMark = (): string => randomBytes(12).toString('hex');

/** False where processes cannot be listed this way. */
export const canListProcesses = process.platform === 'linux';

/** Ids of the running processes that carry the mark; zombies have no environment and do not count. Linux only. */
export function markedProcesses(mark: string): number[] {
  const wanted = `${MARK}=${mark}`;
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(wanted);
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** The command line of a process; empty if it is gone. */
export function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return '';
  }
}
