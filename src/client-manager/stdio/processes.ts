import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** A process in /proc/<pid>/stat. `startedAt` is in clock ticks since boot. */
export interface ProcessStat {
  readonly pid: number;
  readonly state: string;
  readonly group: number;
  readonly session: number;
  readonly startedAt: number;
}

const TICKS_PER_SECOND = 100;

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** Linux only; undefined if there is no such process (proc_pid_stat(5), fields 3, 5, 6 and 22). */
export function processStat(pid: number): ProcessStat | undefined {
  const text = readText(`/proc/${pid}/stat`);
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ');
  if (fields === undefined || fields.length < 20) return undefined;
  return { pid, state: fields[0] as string, group: Number(fields[2]), session: Number(fields[3]), startedAt: Number(fields[19]) };
}

/** Tells apart two processes that had the same pid, across reboots too; undefined if there is no such process. */
export function identityOf(pid: number): string | undefined {
  if (process.platform === 'linux') {
    const stat = processStat(pid);
    return stat === undefined || stat.state === 'Z' ? undefined : `${bootId()}:${stat.startedAt}`;
  }
  if (process.platform === 'win32') return undefined;
  try {
    return (
      execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim() ||
      undefined
    );
  } catch {
    return undefined;
  }
}

/** Names this boot of the machine; empty where the system does not say. */
export function bootId(): string {
  return readText('/proc/sys/kernel/random/boot_id')?.trim() ?? '';
}

/** Clock ticks since boot, on the clock of `startedAt`; 0 where the system does not say. */
export function ticksNow(): number {
  return Math.floor(Number(readText('/proc/uptime')?.split(' ')[0] ?? 0) * TICKS_PER_SECOND);
}

/** The living members of a process group (linux); zombies do not count. */
export function groupMembers(group: number): ProcessStat[] {
  const members: ProcessStat[] = [];
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const stat = processStat(pid);
    if (stat?.group === group && stat.state !== 'Z') members.push(stat);
  }
  return members;
}

/** Sends to all of a group; false if there is none. Never throws. */
export function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  if (!Number.isInteger(group) || group <= 1) return false;
  try {
    return process.kill(-group, signal);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** True while any process of the group runs. */
export function groupAlive(group: number): boolean {
  if (process.platform === 'win32' || !signalGroup(group, 0)) return false;
  return process.platform !== 'linux' || groupMembers(group).length > 0;
}
