import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach } from 'vitest';
import { metric } from './metrics.ts';
import { LAUNCHER } from './paths.ts';
import { MARK, newMark } from './process-marks.ts';
import { endProcesses, OwnedProcess, run, type Ending } from './processes.ts';
import { until } from './until.ts';
import { ask } from './wire.ts';

export interface GatewayOptions {
  /** What stockpulse.yaml holds; JSON is YAML. */
  readonly config?: object;
  readonly env?: Readonly<Record<string, string>>;
  /** A folder of an earlier start; a new one otherwise. */
  readonly dataDir?: string;
}

export interface CliAnswer extends Ending {
  readonly stdout: string;
  readonly stderr: string;
}

/** The gateway as its users run it: a process of its own, reached by URL and by command. */
export class GatewayProcess {
  readonly process: OwnedProcess;
  readonly url: string;
  readonly dataDir: string;
  readonly agentKey: string;
  readonly approverKey: string;
  /** Every process that this gateway started carries it, where the server's `env` passes it on. */
  readonly mark: string;
  readonly #env: Readonly<Record<string, string>>;

  constructor(started: {
    process: OwnedProcess;
    url: string;
    env: Readonly<Record<string, string>>;
    dataDir: string;
    keys: Keys;
    mark: string;
  }) {
    this.process = started.process;
    this.url = started.url;
    this.dataDir = started.dataDir;
    this.agentKey = started.keys.agent;
    this.approverKey = started.keys.approver;
    this.mark = started.mark;
    this.#env = started.env;
  }

  get stderr(): string {
    return this.process.stderr;
  }

  endpoint(path: string): string {
    return `${this.url}${path}`;
  }

  /** Runs the command against this gateway's data folder. */
  cli(...args: string[]): Promise<CliAnswer> {
    return run(process.execPath, [LAUNCHER, ...args], { env: this.#env, cwd: this.dataDir });
  }

  /** The same, and its JSON. Throws if it failed. */
  async cliJson(...args: string[]): Promise<unknown> {
    const { code, stdout, stderr } = await this.cli(...args, '--json');
    if (code !== 0) throw new Error(`stockpulse ${args.join(' ')} ended with ${String(code)}: ${stdout}${stderr}`);
    return JSON.parse(stdout) as unknown;
  }

  /** What a desktop host would start to speak stdio with this gateway. */
  stdioTarget(...args: string[]): { command: string; args: string[]; env: Record<string, string> } {
    return { command: process.execPath, args: [LAUNCHER, 'stdio', ...args], env: { ...this.#env } };
  }

  /** The text of /metrics. */
  async metrics(): Promise<string> {
    return (await ask(this.endpoint('/metrics'), { method: 'GET' })).text;
  }

  /** Waits until all these servers are connected: on a busy machine that takes longer than a list waits. */
  async connected(servers: readonly string[]): Promise<void> {
    await until(`connected: ${servers.join(', ')}`, async () => {
      const text = await this.metrics();
      return servers.every((server) => metric(text, 'stockpulse_upstream_state', { server, state: 'ready' }) === 1);
    });
  }

  /** The call lines of the log so far. */
  callLines(): Record<string, unknown>[] {
    return this.logLines().filter(({ event }) => event === 'call');
  }

  logLines(): Record<string, unknown>[] {
    const lines = this.stderr.split('\n').filter((line) => line.startsWith('{') && line.endsWith('}'));
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  stop(): Promise<Ending> {
    return this.process.stop();
  }

  async kill(): Promise<void> {
    this.process.signal('SIGKILL');
    await this.process.ended;
  }
}

interface Keys {
  readonly agent: string;
  readonly approver: string;
}

async function keysOf(dataDir: string): Promise<Keys> {
  // A replica that joins a database with keys has neither file.
  const agent = (await readFile(join(dataDir, 'agent.key'), 'utf8').catch(() => '')).trim();
  const first = await readFile(join(dataDir, 'first-keys.txt'), 'utf8').catch(() => '');
  return { agent, approver: /^approver key.*: (\S+)$/m.exec(first)?.[1] ?? '' };
}

const folders = new Set<string>();

/** A folder that `endGateways` removes. */
export async function tempFolder(prefix = 'stockpulse-e2e-'): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), prefix));
  folders.add(folder);
  return folder;
}

export const READY = /^StockPulse MCP ready at (http:\/\/\S+)$/m;

/** Spawns `stockpulse start` without waiting for it. */
export async function spawnGateway(
  options: GatewayOptions = {},
): Promise<{ process: OwnedProcess; dataDir: string; env: Record<string, string>; mark: string }> {
  const dataDir = options.dataDir ?? (await tempFolder());
  const configFile = join(dataDir, 'stockpulse.yaml');
  if (options.config !== undefined) await writeFile(configFile, JSON.stringify(options.config));
  const mark = options.env?.[MARK] ?? newMark();
  const env = { STOCKPULSE_DATA_DIR: dataDir, PORT: '0', [MARK]: mark, ...options.env };
  return { process: new OwnedProcess(process.execPath, [LAUNCHER, 'start'], { env, cwd: dataDir }), dataDir, env, mark };
}

/** Starts the gateway and waits until it is ready. */
export async function startGatewayProcess(options: GatewayOptions = {}): Promise<GatewayProcess> {
  const spawned = await spawnGateway(options);
  const [, url = ''] = await spawned.process.printed('stdout', READY);
  return new GatewayProcess({ ...spawned, url, keys: await keysOf(spawned.dataDir) });
}

/** Shows what the gateway logged last when a test of this file fails: without it a failure elsewhere cannot be understood. */
export function showLogOnFailure(gateway: () => GatewayProcess | undefined): void {
  beforeEach(({ onTestFailed }) => {
    onTestFailed(() => console.error(`the gateway's log ended with:\n${gateway()?.stderr.slice(-4000) ?? '(it did not start)'}`));
  });
}

/** Ends every process and removes every folder of this file's tests: for `afterAll`. */
export async function endGateways(): Promise<void> {
  await endProcesses();
  await Promise.all([...folders].map((folder) => rm(folder, { recursive: true, force: true, maxRetries: 5 })));
  folders.clear();
}
