import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { statSync } from 'node:fs';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { ConnectError } from '../connection.ts';
import type { Emit } from '../events.ts';
import type { Limits } from '../limits.ts';
import type { StdioConfig } from '../types.ts';
import { endGroup } from './end-group.ts';
import { Pacer } from '../pacer.ts';
import { signalGroup } from './processes.ts';
import type { ChildRecords } from './records.ts';
import { StderrTail } from './stderr-tail.ts';

type Process = ChildProcessByStdio<Writable, Readable, Readable>;

export interface ChildOptions {
  readonly config: StdioConfig;
  readonly purpose: 'serve' | 'probe' | 'check';
  readonly limits: Limits;
  readonly records: ChildRecords;
  readonly emit: Emit;
}

/** All that a child inherits; everything else comes from its own `env` block (DESIGN 7). */
const INHERITED = ['PATH', 'HOME', 'LANG', 'TMPDIR'];
/** Without these most programs do not even start on Windows. */
const INHERITED_ON_WINDOWS = ['SystemRoot', 'SystemDrive', 'PATHEXT', 'COMSPEC', 'TEMP', 'TMP', 'USERPROFILE', 'APPDATA', 'LOCALAPPDATA'];

function environment(own: Readonly<Record<string, string>>): Record<string, string> {
  const names = process.platform === 'win32' ? [...INHERITED, ...INHERITED_ON_WINDOWS] : INHERITED;
  const inherited = names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]] as const]));
  return { ...Object.fromEntries(inherited), ...own };
}

/** A running child in its own process group. It is reaped, with its whole group, however it ends. */
export class Child {
  readonly pid: number;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly noise: Pacer;
  /** Resolves when the process itself has ended. */
  readonly exited: Promise<string>;
  readonly #process: Process;
  readonly #options: ChildOptions;
  readonly #stderr: StderrTail;
  readonly #stderrNoise: Pacer;
  readonly #reaped: Promise<void>;
  #wanted = false;
  #running = true;

  private constructor(process: Process, pid: number, options: ChildOptions) {
    this.pid = pid;
    this.stdin = process.stdin;
    this.stdout = process.stdout;
    this.#process = process;
    this.#options = options;
    this.#stderr = new StderrTail(options.limits.stderrLines, options.limits.stderrLineBytes);
    this.noise = new Pacer(process.stdout, options.limits.noiseBytes);
    this.#stderrNoise = new Pacer(process.stderr, options.limits.noiseBytes);
    process.stderr.on('data', (chunk: Buffer) => {
      this.#stderr.feed(chunk);
      this.#stderrNoise.noise(chunk.length);
    });
    // A pipe that breaks is no news beside the exit that broke it.
    for (const stream of [process.stdin, process.stdout, process.stderr]) stream.on('error', () => undefined);
    this.exited = new Promise((resolve) => {
      process.once('exit', (code, signal) => resolve(this.#onExit(code, signal)));
    });
    this.#reaped = this.exited.then(() => this.#reap());
  }

  /** Starts the child without a shell. Throws a ConnectError that names the command. */
  static async start(options: ChildOptions): Promise<Child> {
    const { command, args, env, cwd } = options.config;
    let child: Process;
    try {
      child = spawn(command, args, {
        cwd,
        env: environment(env),
        stdio: ['pipe', 'pipe', 'pipe'],
        detached: process.platform !== 'win32',
        windowsHide: true,
      });
    } catch (error) {
      throw new ConnectError(startProblem(options.config, error as NodeJS.ErrnoException), error);
    }
    if (child.pid === undefined) {
      const [error] = (await once(child, 'error')) as [NodeJS.ErrnoException];
      throw new ConnectError(startProblem(options.config, error), error);
    }
    child.on('error', () => undefined);
    const running = new Child(child, child.pid, options);
    await running.#record();
    options.emit({ kind: 'child_started', pid: running.pid, purpose: options.purpose });
    return running;
  }

  get running(): boolean {
    return this.#running;
  }

  get stderr(): readonly string[] {
    return this.#stderr.lines;
  }

  /** Ends the child the way the specification says: close stdin, wait, SIGTERM, wait, SIGKILL. Resolves when its whole group is gone. */
  async stop(patienceMs = this.#options.limits.closeMs): Promise<void> {
    this.#wanted = true;
    this.stdin.end();
    const timer = new AbortController();
    const late = delay(patienceMs, 'late', { signal: timer.signal }).catch(() => 'stopped');
    const first = await Promise.race([this.exited, late]);
    timer.abort();
    if (first === 'late' && this.#running) await this.#terminate();
    await this.#reaped;
  }

  async #record(): Promise<void> {
    try {
      this.#options.records.add(this.pid, this.#options.config.name);
    } catch (error) {
      await this.stop(0);
      throw new ConnectError('its process could not be recorded in the data folder, so it was ended', error);
    }
  }

  async #terminate(): Promise<void> {
    if (process.platform === 'win32') {
      spawn('taskkill', ['/pid', String(this.pid), '/T', '/F'], { stdio: 'ignore', windowsHide: true }).on('error', () =>
        this.#process.kill(),
      );
      return;
    }
    await endGroup(this.pid, this.#options.limits.termMs);
  }

  #onExit(code: number | null, signal: NodeJS.Signals | null): string {
    this.#running = false;
    const { emit } = this.#options;
    emit({ kind: 'child_exited', pid: this.pid, code, signal, wanted: this.#wanted, stderr: this.stderr });
    return signal === null ? `its process ended with exit code ${code}` : `its process was ended by ${signal}`;
  }

  /** The leader is gone; what it started may not be. Pipes that a survivor holds open are closed on our side. */
  async #reap(): Promise<void> {
    const { limits, records, emit } = this.#options;
    const ended = await endGroup(this.pid, limits.termMs);
    if (!ended) emit({ kind: 'group_survives', pid: this.pid });
    const { stdin, stderr } = this.#process;
    this.noise.stop();
    this.#stderrNoise.stop();
    stdin.destroy();
    stderr.destroy();
    // What the child said last may still be in the pipe.
    if (!this.stdout.readableEnded) await Promise.race([once(this.stdout, 'close').catch(() => undefined), delay(LAST_WORDS_MS)]);
    this.stdout.destroy();
    if (ended) records.remove(this.pid);
  }

  /** SIGKILL to the whole group, now. */
  kill(): void {
    this.#wanted = true;
    signalGroup(this.pid, 'SIGKILL');
    this.#process.kill('SIGKILL');
  }
}

const LAST_WORDS_MS = 200;

function startProblem({ command, cwd }: StdioConfig, error: NodeJS.ErrnoException): string {
  if (cwd !== undefined && statSync(cwd, { throwIfNoEntry: false })?.isDirectory() !== true)
    return `its working folder (cwd) does not exist or is no folder`;
  if (error.code === 'ENOENT') return `the command "${command}" was not found: install it, or give its full path`;
  if (error.code === 'EACCES') return `the command "${command}" may not be executed: check its permissions`;
  return `the command "${command}" could not be started (${error.code ?? error.message})`;
}
