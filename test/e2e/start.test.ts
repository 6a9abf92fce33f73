import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const LAUNCHER = join(ROOT, 'bin', 'stockpulse.js');
const READY = /^StockPulse MCP ready at (http:\/\/\S+)\r?$/m;
const SLOW = 60_000;

let folder = '';
const groups: number[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stockpulse-e2e-'));
});

afterEach(() => {
  for (const group of groups.splice(0)) if (alive(-group)) process.kill(-group, 'SIGKILL');
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

/** True if a process (or, below zero, any process of a group) is there. */
function alive(id: number): boolean {
  try {
    process.kill(id, 0);
    return true;
  } catch {
    return false;
  }
}

function environment(more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const { PATH, HOME } = process.env;
  return { PATH, HOME, PORT: '0', STOCKPULSE_DATA_DIR: join(folder, 'data'), ...more };
}

interface Running {
  readonly child: ChildProcess;
  readonly pid: number;
  out: string;
  err: string;
  readonly ended: Promise<number | null>;
}

/** Starts a program as the leader of its own group, so that nothing of it can outlive the test. */
function run(command: string, args: readonly string[], env = environment()): Running {
  const child = spawn(command, args, { cwd: ROOT, env, detached: true, stdio: 'pipe' });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${command} did not start`);
  groups.push(pid);
  const running: Running = { child, pid, out: '', err: '', ended: once(child, 'close').then(([code]) => code as number | null) };
  child.stdout.on('data', (chunk: Buffer) => (running.out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (running.err += chunk.toString()));
  child.stdin.on('error', () => {});
  return running;
}

async function ready(running: Running): Promise<URL> {
  const { child } = running;
  for (;;) {
    const url = READY.exec(running.out)?.[1];
    if (url !== undefined) return new URL(url);
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${running.out}${running.err}`);
    await Promise.race([once(child.stdout ?? child, 'data'), running.ended]);
  }
}

async function accepts(url: URL): Promise<boolean> {
  const socket = connect(Number(url.port), url.hostname);
  const result = await Promise.race([once(socket, 'connect').then(() => true), once(socket, 'error').then(() => false)]).catch(() => false);
  socket.destroy();
  return result;
}

const npmStart = (): Running => run('npm', ['start']);
const stockpulse = (args: readonly string[], env = environment()): Running => run(process.execPath, [LAUNCHER, ...args], env);

const hasScript = spawnSync('script', ['--version']).status === 0;

describe.skipIf(process.platform === 'win32')('npm start ends cleanly', { timeout: SLOW }, () => {
  const ways: [name: string, signal: (pid: number) => void][] = [
    ['SIGTERM to the pid of npm', (pid) => process.kill(pid, 'SIGTERM')],
    ['SIGINT to the pid of npm', (pid) => process.kill(pid, 'SIGINT')],
    ['SIGTERM to the group', (pid) => process.kill(-pid, 'SIGTERM')],
    ['SIGINT to the group', (pid) => process.kill(-pid, 'SIGINT')],
  ];

  it.each(ways)('%s', async (_name, signal) => {
    const gateway = npmStart();
    const url = await ready(gateway);
    expect(await accepts(url)).toBe(true);
    signal(gateway.pid);
    expect(await gateway.ended).toBe(0);
    expect(await accepts(url)).toBe(false);
    expect(alive(-gateway.pid)).toBe(false);
  });

  it.skipIf(!hasScript)('Ctrl-C on a terminal, where the first start shows its keys (needs script(1) of util-linux)', async () => {
    // Without exec the shell between would report the Ctrl-C that it got itself.
    const gateway = run('script', ['-qec', 'exec npm start', '/dev/null']);
    const url = await ready(gateway);
    const order = ['simulated', 'Agent key', 'Approver key', 'claude mcp add', '"mcpServers"', 'Ask your agent', 'doctor', 'ready at'];
    const places = order.map((part) => gateway.out.indexOf(part));
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(places).not.toContain(-1);
    expect(new Set(gateway.out.match(/spk_[0-9a-z]+/g)).size).toBe(2);
    gateway.child.stdin?.write('\u0003');
    expect(await gateway.ended).toBe(0);
    expect(await accepts(url)).toBe(false);
  });
});

describe('the command', { timeout: SLOW }, () => {
  it('shows keys at the first start only, off a terminal in a file for this user alone', async () => {
    const first = stockpulse(['start']);
    await ready(first);
    const file = join(folder, 'data', 'first-keys.txt');
    expect(first.out).toContain(file);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const secrets = readFileSync(file, 'utf8').match(/spk_[0-9a-z]+/g) ?? [];
    expect(secrets).toHaveLength(2);
    for (const secret of secrets) expect(first.out + first.err).not.toContain(secret);
    first.child.kill('SIGTERM');
    expect(await first.ended).toBe(0);

    const second = stockpulse(['start']);
    await ready(second);
    expect(second.out).not.toMatch(/spk_|key/i);
    expect(second.out.trimEnd().split('\n').at(-1)).toMatch(READY);
    second.child.kill('SIGTERM');
    expect(await second.ended).toBe(0);
  });

  it('refuses a second start on the same folder (3) and on the same port (4), and goes on', async () => {
    const gateway = stockpulse(['start']);
    const url = await ready(gateway);
    const again = stockpulse(['start']);
    expect(await again.ended).toBe(3);
    expect(again.err).toContain(`already running, pid ${gateway.pid}, ${url.origin}`);
    const elsewhere = stockpulse(['start'], environment({ PORT: url.port, STOCKPULSE_DATA_DIR: join(folder, 'other') }));
    expect(await elsewhere.ended).toBe(4);
    expect(elsewhere.err).toContain(url.port);
    // That start got as far as its database, and still the first one that succeeds shows the keys.
    const other = join(folder, 'other');
    const third = stockpulse(['start'], environment({ STOCKPULSE_DATA_DIR: other }));
    await ready(third);
    expect(third.out).toContain(join(other, 'first-keys.txt'));
    expect(readFileSync(join(other, 'first-keys.txt'), 'utf8')).toMatch(/^approver key.*: spk_/m);
    third.child.kill('SIGINT');
    expect(await third.ended).toBe(0);
    expect(await accepts(url)).toBe(true);
    gateway.child.kill('SIGINT');
    expect(await gateway.ended).toBe(0);
  });

  it('refuses a wrong configuration (2) with its place, before it makes anything', async () => {
    const file = join(folder, 'wrong.yaml');
    writeFileSync(file, 'server:\n  prot: 1\n');
    const gateway = stockpulse(['start'], environment({ STOCKPULSE_CONFIG: file }));
    expect(await gateway.ended).toBe(2);
    expect(gateway.err).toContain(`${file}:2:3  server.prot: unknown key. Did you mean port?`);
    expect(gateway.out).toBe('');
    expect(() => statSync(join(folder, 'data'))).toThrow('ENOENT');
  });

  it('keys made while nobody runs work at the next start', async () => {
    const made = stockpulse(['keys', 'create', 'early', '--json']);
    expect(await made.ended, made.err).toBe(0);
    const { secret } = JSON.parse(made.out) as { secret: string };
    const gateway = stockpulse(['start']);
    const url = await ready(gateway);
    const ask = async (key: string): Promise<number> =>
      (await fetch(new URL('/mcp', url), { headers: { authorization: `Bearer ${key}` } })).status;
    expect(await ask(secret)).not.toBe(401);
    expect(await ask(`${secret}x`)).toBe(401);
    gateway.child.kill('SIGTERM');
    expect(await gateway.ended).toBe(0);
  });
});

const HELLO = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'e2e', version: '1' } };
const INPUT = [
  { jsonrpc: '2.0', id: 1, method: 'initialize', params: HELLO },
  { jsonrpc: '2.0', method: 'notifications/initialized' },
  { jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name: 'get_market_status', arguments: {} } },
]
  .map((message) => `${JSON.stringify(message)}\n`)
  .join('');

/** Answers come as they are ready. */
const byNumber = (ids: readonly unknown[]): unknown[] => ids.toSorted((a, b) => Number(a) - Number(b));

function answers(out: string): unknown[] {
  const lines = out.split('\n').filter((line) => line !== '');
  return lines.map((line) => (JSON.parse(line) as { id?: unknown }).id).filter((id) => id !== undefined);
}

describe('stockpulse stdio', { timeout: SLOW }, () => {
  async function talk(): Promise<Running> {
    const host = stockpulse(['stdio', '--server', 'stockpulse']);
    host.child.stdin?.end(INPUT);
    expect(await host.ended, host.err).toBe(0);
    return host;
  }

  it('speaks through the running gateway, answers due after the end of stdin included', async () => {
    const gateway = stockpulse(['start']);
    await ready(gateway);
    expect(byNumber(answers((await talk()).out))).toEqual([1, 2]);
    gateway.child.kill('SIGTERM');
    expect(await gateway.ended).toBe(0);
  });

  it('is the gateway if none runs, and leaves nothing behind', async () => {
    const host = await talk();
    expect(byNumber(answers(host.out))).toEqual([1, 2]);
    expect(host.out).not.toContain('spk_');
    expect(alive(-host.pid)).toBe(false);
  });

  it('takes the place of a gateway that goes away in mid-stream', async () => {
    const gateway = stockpulse(['start']);
    await ready(gateway);
    const host = stockpulse(['stdio', '--server', 'stockpulse']);
    const [first, ...others] = INPUT.split('\n');
    host.child.stdin?.write(`${first}\n`);
    while (!host.out.includes('\n')) await once(host.child.stdout ?? host.child, 'data');
    process.kill(-gateway.pid, 'SIGKILL');
    while (!host.err.includes('this process serves it')) await once(host.child.stderr ?? host.child, 'data');
    host.child.stdin?.end(others.join('\n'));
    expect(await host.ended, host.err).toBe(0);
    expect(host.err).toContain('The gateway went away');
    expect(answers(host.out)).toEqual([1, 2]);
  });
});
