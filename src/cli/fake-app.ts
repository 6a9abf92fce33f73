import { EventEmitter, once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, type Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { Config } from '../config/index.ts';
import type { AppPort, Gateway, Owner, StartOptions } from './app-port.ts';
import type { CliContext } from './context.ts';
import { runCli } from './program.ts';

/** What the fake management API was asked. */
export interface Asked {
  readonly route: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: unknown;
}

export type Reply = { readonly status?: number; readonly body: unknown };

class TestStream extends PassThrough {
  isTTY = false;
  columns = 80;
  all = '';

  constructor() {
    super();
    this.on('data', (chunk: Buffer) => {
      this.all += chunk.toString();
    });
  }
}

/** The command in front of a management API that answers from a table. For tests only. */
export class Harness {
  readonly dataDir = mkdtempSync(join(tmpdir(), 'stockpulse-cli-'));
  readonly socketPath = join(this.dataDir, 'api.sock');
  readonly stdin = new PassThrough();
  readonly stdout = new TestStream();
  readonly stderr = new TestStream();
  readonly signals = new EventEmitter();
  readonly exits: number[] = [];
  readonly asked: Asked[] = [];
  readonly started: (StartOptions | undefined)[] = [];
  readonly ports: number[] = [];
  closed = 0;
  owner: Owner | undefined;
  firstKeys: Gateway['firstKeys'];
  /** Thrown by the next starts, one after the other. */
  readonly startErrors: Error[] = [];
  serveStdio: Gateway['serveStdio'] = async (input) => void (await once(input.resume(), 'end'));
  close: () => Promise<void> = async () => {};
  onUpgrade: (request: IncomingMessage, socket: Duplex) => void = (_request, socket) => void socket.destroy();
  env: Record<string, string> = {};
  readonly #replies: Readonly<Record<string, Reply>>;
  readonly #server: Server;

  constructor(replies: Readonly<Record<string, Reply>> = {}) {
    this.#replies = replies;
    this.#server = createServer((request, response) => {
      void (async () => {
        const route = `${request.method ?? ''} ${request.url ?? ''}`;
        const sent = await text(request);
        const body: unknown = sent === '' ? undefined : JSON.parse(sent);
        this.asked.push({ route, headers: request.headers, body });
        const reply = this.#replies[route] ?? { status: 404, body: { error: { code: 'not_found', message: `no ${route}` } } };
        response.writeHead(reply.status ?? 200, { 'content-type': 'application/json' }).end(JSON.stringify(reply.body));
      })();
    });
    this.#server.on('upgrade', (request, socket) => this.onUpgrade(request, socket));
  }

  /** Makes the fake gateway run already. */
  async running(): Promise<this> {
    await this.#listen();
    this.owner = {
      pid: 4711,
      url: 'http://127.0.0.1:8080',
      socketPath: this.socketPath,
      startedAt: '2026-01-01T00:00:00Z',
      version: '1.0.0',
    };
    writeFileSync(join(this.dataDir, 'agent.key'), 'agent-secret\n');
    return this;
  }

  async run(...argv: string[]): Promise<number> {
    return runCli(argv, this.context());
  }

  async end(): Promise<void> {
    if (this.#server.listening) {
      this.#server.closeAllConnections();
      await new Promise((done) => this.#server.close(done));
    }
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  context(): CliContext {
    const { stdin, stdout, stderr, signals, exits, dataDir } = this;
    return {
      env: { STOCKPULSE_DATA_DIR: dataDir, ...this.env },
      cwd: dataDir,
      stdin,
      stdout,
      stderr,
      signals,
      node: '/opt/node',
      script: '/opt/stockpulse/bin/stockpulse.js',
      nodeVersion: 'v24.0.0',
      loadApp: () => Promise.resolve(this.#app()),
      exit: (code) => void exits.push(code),
    };
  }

  #app(): AppPort {
    return { VERSION: '1.2.3', findOwner: () => this.owner, startGateway: (config, options) => this.#start(config, options) };
  }

  async #start(config: Config, options?: StartOptions): Promise<Gateway> {
    this.started.push(options);
    this.ports.push(config.server.port);
    const error = this.startErrors.shift();
    if (error !== undefined) throw error;
    await this.#listen();
    return {
      url: `http://127.0.0.1:${config.server.port}`,
      socketPath: this.socketPath,
      firstKeys: this.firstKeys,
      agentKeyFile: join(this.dataDir, 'agent.key'),
      close: async () => {
        this.closed++;
        await this.close();
      },
      serveStdio: (input, output, given) => this.serveStdio(input, output, given),
    };
  }

  async #listen(): Promise<void> {
    if (!this.#server.listening) await once(this.#server.listen(this.socketPath), 'listening');
  }
}

/** An error as the gateway throws them. */
export function appError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code, detail: undefined });
}
