import { spawn, type ChildProcess } from 'node:child_process';
import { PATIENCE_MS, until } from './until.ts';

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface SpawnOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Leaves stdin open for `write`; otherwise it is closed from the start. */
  readonly stdin?: boolean;
  /** A process group of its own, so that a signal can go to the whole group. */
  readonly group?: boolean;
}

const MAX_OUTPUT = 8 * 1024 * 1024;
const owned = new Set<OwnedProcess>();

/** What every process that a test starts may see of our environment. */
const INHERITED = ['PATH', 'HOME', 'LANG', 'TMPDIR'];

export function cleanEnv(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  const base = INHERITED.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return { ...Object.fromEntries(base), ...extra };
}

/** A process that a test started and that ends with it. */
export class OwnedProcess {
  readonly #child: ChildProcess;
  readonly #group: boolean;
  #stdout = '';
  #stderr = '';
  readonly ended: Promise<Ending>;

  constructor(command: string, args: readonly string[], options: SpawnOptions = {}) {
    this.#group = options.group === true;
    this.#child = spawn(command, args, {
      env: cleanEnv(options.env),
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      stdio: [options.stdin === true ? 'pipe' : 'ignore', 'pipe', 'pipe'],
      detached: this.#group,
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.#stdout = (this.#stdout + text).slice(-MAX_OUTPUT)));
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#stderr = (this.#stderr + text).slice(-MAX_OUTPUT)));
    this.#child.stdin?.on('error', () => undefined);
    this.ended = new Promise((resolve) => {
      this.#child.once('error', (error) => {
        this.#stderr += String(error);
        resolve({ code: null, signal: null });
      });
      this.#child.once('close', (code, signal) => resolve({ code, signal }));
    });
    owned.add(this);
    void this.ended.then(() => owned.delete(this));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null && this.pid !== 0;
  }

  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  endInput(): void {
    this.#child.stdin?.end();
  }

  signal(name: NodeJS.Signals): void {
    if (!this.running) return;
    try {
      process.kill(this.#group ? -this.pid : this.pid, name);
    } catch {
      // It ended in between.
    }
  }

  /** The match in what it printed so far or will print; fails at once if it ends without. */
  async printed(stream: 'stdout' | 'stderr', pattern: RegExp, patienceMs = PATIENCE_MS): Promise<RegExpExecArray> {
    const look = (): RegExpExecArray | undefined => {
      const match = pattern.exec(this[stream]);
      if (match === null && !this.running) throw new Error(`The process ended without printing ${String(pattern)}:\n${this.#tail()}`);
      return match ?? undefined;
    };
    try {
      return await until(`${stream} matches ${String(pattern)}`, look, patienceMs);
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${this.#tail()}`, { cause: error });
    }
  }

  /** How it ended; fails if it does not within the deadline, and ends it then. */
  async ending(patienceMs = PATIENCE_MS): Promise<Ending> {
    const timer = setTimeout(() => this.signal('SIGKILL'), patienceMs);
    const ending = await this.ended;
    clearTimeout(timer);
    return ending;
  }

  /** SIGTERM, then SIGKILL when it takes too long. */
  async stop(graceMs = 20_000): Promise<Ending> {
    this.signal('SIGTERM');
    return this.ending(graceMs);
  }

  #tail(): string {
    return `stdout: ${this.#stdout.slice(-2000)}\nstderr: ${this.#stderr.slice(-4000)}`;
  }
}

/** Runs a program to its end. */
export async function run(
  command: string,
  args: readonly string[],
  options: SpawnOptions = {},
): Promise<Ending & { readonly stdout: string; readonly stderr: string }> {
  const child = new OwnedProcess(command, args, options);
  const ending = await child.ending();
  return { ...ending, stdout: child.stdout, stderr: child.stderr };
}

/** Ends every process that is still there: for `afterAll`, whatever happened before. */
export async function endProcesses(): Promise<void> {
  await Promise.all([...owned].map((child) => child.stop()));
}

process.on('exit', () => {
  for (const child of owned) child.signal('SIGKILL');
});
