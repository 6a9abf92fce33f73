/** Starts and stops the processes that a measurement needs. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const KEY = 'bench-agent-key-0123456789abcdef';
const root = fileURLToPath(new URL('..', import.meta.url));
const peer = (name: string): string => fileURLToPath(new URL(`peers/${name}.ts`, import.meta.url));

export interface Running {
  readonly port: number;
  stop(): Promise<void>;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await once(child, 'exit');
  clearTimeout(timer);
}

/** The first line on standard output that `pick` makes a port of. */
async function portFrom(child: ChildProcess, pick: (line: string) => number | undefined): Promise<number> {
  if (child.stdout === null) throw new Error('no stdout');
  const lines = createInterface({ input: child.stdout });
  const timer = setTimeout(() => child.kill('SIGKILL'), 60_000);
  for await (const line of lines) {
    const port = pick(line);
    if (port === undefined) continue;
    clearTimeout(timer);
    child.stdout.resume();
    return port;
  }
  throw new Error(`${child.spawnargs.join(' ')} ended before it listened`);
}

export async function startPeer(name: string, ...args: string[]): Promise<Running> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', peer(name), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const port = await portFrom(child, (line) => (/^\d+$/.test(line) ? Number(line) : undefined));
  return { port, stop: () => ended(child) };
}

/** Our gateway as a user runs it, with every check, record and metric on, in front of one server called `bench`. */
export async function startGateway(server: object): Promise<Running> {
  const folder = mkdtempSync(join(tmpdir(), 'stockpulse-bench-'));
  const config = join(folder, 'stockpulse.yaml');
  writeFileSync(config, JSON.stringify({ mcpServers: { bench: server }, limits: { requestsPerSecond: 1_000_000 } }));
  const env = {
    ...process.env,
    PORT: '0',
    STOCKPULSE_CONFIG: config,
    STOCKPULSE_DATA_DIR: join(folder, 'data'),
    STOCKPULSE_BOOTSTRAP_API_KEY: KEY,
  };
  const child = spawn(process.execPath, [join(root, 'bin/stockpulse.js'), 'start'], { env, stdio: ['ignore', 'pipe', 'ignore'] });
  const port = await portFrom(child, (line) => {
    const match = /ready at http:\/\/[^:]+:(\d+)/.exec(line);
    return match === null ? undefined : Number(match[1]);
  });
  const stop = async (): Promise<void> => {
    await ended(child);
    rmSync(folder, { recursive: true, force: true });
  };
  return { port, stop };
}

/** A gateway of others, from bench/npm, in front of the same stdio server in the legacy era. */
export async function startNpmPeer(name: string, args: (port: number, command: readonly string[]) => readonly string[]): Promise<Running> {
  const port = await freePort();
  const bin = join(root, 'bench/npm/node_modules/.bin', name);
  const command = [process.execPath, peer('upstream-stdio'), 'legacy'];
  const child = spawn(process.execPath, [bin, ...args(port, command)], { stdio: ['ignore', 'ignore', 'ignore'] });
  for (let i = 0; i < 300; i++) {
    if (await listens(port)) return { port, stop: () => ended(child) };
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  child.kill('SIGKILL');
  throw new Error(`${name} did not listen`);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

export const legacyStdioServer = { command: process.execPath, args: [peer('upstream-stdio'), 'legacy'], era: 'legacy' };

export const stdioServer = { command: process.execPath, args: ['--disable-warning=ExperimentalWarning', peer('upstream-stdio')] };
