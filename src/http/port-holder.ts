import { readdir, readFile, readlink } from 'node:fs/promises';
import { basename } from 'node:path';

export interface PortHolder {
  readonly pid: number;
  /** Program and script, without further arguments: those may hold secrets. */
  readonly command: string;
}

const LISTEN = '0A';
const COLUMNS = { local: 1, state: 3, inode: 9 } as const;

async function socketInodes(table: string, port: number): Promise<string[]> {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const lines = (await readFile(table, 'utf8').catch(() => '')).split('\n').slice(1);
  return lines.flatMap((line) => {
    const columns = line.trim().split(/\s+/);
    const listens = columns[COLUMNS.state] === LISTEN && columns[COLUMNS.local]?.endsWith(wanted) === true;
    return listens ? [columns[COLUMNS.inode] ?? ''] : [];
  });
}

async function holdsSocket(pid: string, links: ReadonlySet<string>): Promise<boolean> {
  const folder = `/proc/${pid}/fd`;
  for (const fd of await readdir(folder).catch(() => [])) {
    const link = await readlink(`${folder}/${fd}`).catch(() => '');
    if (links.has(link)) return true;
  }
  return false;
}

async function commandOf(pid: string): Promise<string> {
  const [program = '', script = ''] = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
  const isScript = /\.[cm]?[jt]s$|\.py$|\.jar$/.test(script) || script.includes('/');
  const name = basename(program) || (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')).trim() || 'unknown program';
  return isScript && !script.startsWith('-') ? `${name} ${basename(script)}` : name;
}

/** Which process listens on a TCP port of this machine, as far as Linux lets us see. Never throws. */
export async function findPortHolder(port: number): Promise<PortHolder | undefined> {
  const inodes = (await Promise.all(['/proc/net/tcp', '/proc/net/tcp6'].map((table) => socketInodes(table, port)))).flat();
  if (inodes.length === 0) return undefined;
  const links = new Set(inodes.map((inode) => `socket:[${inode}]`));
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  for (const pid of pids) if (await holdsSocket(pid, links)) return { pid: Number(pid), command: await commandOf(pid) };
  return undefined;
}
