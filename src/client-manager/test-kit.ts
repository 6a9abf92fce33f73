/** What the tests of this room share: managers over the fixture servers, and calls as the gateway makes them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decodeMessage, type Call, type CallEvent, type Outcome, type Params } from '../protocol/index.ts';
import { Registry } from '../registry/index.ts';
import { Caps, systemClock } from '../shared/index.ts';
import {
  createClientManager,
  type ClientManager,
  type HttpConfig,
  type Limits,
  type StdioConfig,
  type UpstreamConfig,
  type UpstreamEvent,
} from './index.ts';

const FIXTURES = new URL('../../test/fixtures/upstreams/', import.meta.url);
export const STDIO_SCRIPT = fileURLToPath(new URL('stdio.ts', FIXTURES));

/** The fixture's own type, as far as the tests use it: rooms do not import from test/. */
export interface HttpUpstream {
  readonly url: string;
  readonly calls: readonly Record<string, unknown>[];
  readonly cancelled: readonly unknown[];
  readonly requests: readonly {
    readonly method: string;
    readonly headers: Record<string, string | string[] | undefined>;
    readonly body: string;
  }[];
  readonly sessions: ReadonlySet<string>;
  forgetSessions(): void;
  set(options: Record<string, unknown>): void;
  close(): Promise<void>;
}

export async function httpUpstream(options: Record<string, unknown> = {}): Promise<HttpUpstream> {
  const module = (await import(new URL('http.ts', FIXTURES).href)) as {
    startHttpUpstream: (options: Record<string, unknown>) => Promise<HttpUpstream>;
  };
  return module.startHttpUpstream(options);
}

/** What a hand-written server answers to one request: a result, or an error with the HTTP status that goes with it. */
export type Answer = { readonly result: unknown } | { readonly error: { code: number; message: string }; readonly status?: number };

export interface ScriptedUpstream {
  readonly url: string;
  /** Methods in the order in which they came. */
  readonly methods: string[];
  close(): Promise<void>;
}

/** A modern HTTP server of which the test says how it answers; undefined means the plain answer of a server without tools. */
export async function scriptedUpstream(
  answer: (method: string, params: Record<string, unknown>) => Answer | undefined | Promise<Answer>,
): Promise<ScriptedUpstream> {
  const methods: string[] = [];
  const server = createServer((req, res) => {
    let body = '';
    req.on('data', (chunk) => (body += String(chunk)));
    req.on('end', () => {
      const { id, method, params } = JSON.parse(body) as { id: number; method: string; params: Record<string, unknown> };
      methods.push(method);
      const plain = method === 'tools/list' ? { tools: [] } : { supportedVersions: ['2026-07-28'], capabilities: { tools: {} } };
      void Promise.resolve(answer(method, params)).then((own = { result: plain }) => {
        const { status = 200, ...rest } = { status: undefined, ...own };
        res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ jsonrpc: '2.0', id, ...rest }));
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    methods,
    close: () => new Promise((resolve) => server.close(() => resolve()).closeAllConnections()),
  };
}

const COMMON = {
  era: 'auto',
  scopes: [],
  deadlineMs: 20_000,
  maxInFlight: 200,
  maxLeases: 8,
  roots: [],
  unlisted: 'refuse',
  tools: {},
} as const;

export function stdioConfig(name: string, flags: readonly string[] = [], more: Partial<StdioConfig> = {}): StdioConfig {
  return { ...COMMON, name, transport: 'stdio', command: process.execPath, args: [STDIO_SCRIPT, ...flags], env: {}, ...more };
}

export function httpConfig(name: string, url: string, more: Partial<HttpConfig> = {}): HttpConfig {
  return { ...COMMON, name, transport: 'http', url, headers: {}, ...more };
}

export interface Kit {
  readonly manager: ClientManager;
  readonly registry: Registry;
  readonly caps: Caps;
  readonly events: UpstreamEvent[];
  readonly dir: string;
  readonly call: (server: string, tool: string, args?: Record<string, unknown>, options?: CallOptions) => Promise<Outcome>;
  /** The text of a result, or what came instead. */
  readonly text: (server: string, tool: string, args?: Record<string, unknown>, options?: CallOptions) => Promise<string>;
  /** Stops the manager, removes the folder, and says what was left. */
  end(): Promise<void>;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
  readonly deadlineMs?: number;
  readonly onEvent?: (event: CallEvent) => void;
  readonly paramsText?: string;
  readonly call?: Partial<Call>;
}

export async function kit(
  servers: readonly UpstreamConfig[],
  limits: Partial<Limits> = {},
  dir?: string,
  legacyClients = true,
): Promise<Kit> {
  const childrenDir = dir ?? (await mkdtemp(join(tmpdir(), 'client-manager-')));
  const registry = new Registry();
  const caps = new Caps();
  const events: UpstreamEvent[] = [];
  const manager = createClientManager({
    servers,
    registry,
    caps,
    clock: systemClock,
    gateway: { name: 'gateway', version: '1.2.3' },
    childrenDir,
    limits: { backoffFirstMs: 50, backoffMaxMs: 200, closeMs: 500, termMs: 500, ...limits },
    onEvent: (event) => events.push(event),
  });
  if (legacyClients) for (const { name } of servers) await manager.target(name)?.prepare?.('legacy');
  const call: Kit['call'] = (server, tool, args = {}, options = {}) => {
    const target = manager.target(server);
    if (target === undefined) throw new Error(`no target ${server}`);
    const context = { signal: options.signal ?? new AbortController().signal, onEvent: options.onEvent ?? (() => undefined) };
    return target.handle(toolCall(tool, args, options), context);
  };
  return {
    manager,
    registry,
    caps,
    events,
    dir: childrenDir,
    call,
    text: async (...parameters) => textOf(await call(...parameters)),
    end: async () => {
      await manager.stop();
      await rm(childrenDir, { recursive: true, force: true });
    },
  };
}

export function paramsOf(text: string): Params | undefined {
  const message = decodeMessage(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${text}}`);
  if (message.kind !== 'request') throw new Error('bad params');
  return message.params;
}

/** A call of a tool as the gateway makes it. */
export function toolCall(name: string, args: Record<string, unknown>, options: CallOptions = {}): Call {
  return {
    method: 'tools/call',
    params: paramsOf(options.paramsText ?? JSON.stringify({ name, arguments: args })),
    subject: undefined,
    sideEffect: 'write',
    edits: [],
    headerParams: [],
    client: { revision: '2026-07-28', info: { name: 'client', version: '0' }, capabilities: {} },
    caller: { principal: 'key:test', scopes: new Set() },
    offers: { text: '{}', value: {} },
    state: undefined,
    answers: undefined,
    logLevel: undefined,
    progress: false,
    deadlineMs: options.deadlineMs ?? 15_000,
    ...options.call,
  };
}

export function textOf(outcome: Outcome): string {
  if (outcome.kind === 'failed') return `failed ${outcome.failure.code} ${outcome.failure.executed}`;
  if (outcome.kind === 'stream') return 'stream';
  if (outcome.kind === 'error') return `error ${outcome.error.code} ${outcome.error.message}`;
  const content = outcome.result.value.content as { text: string }[] | undefined;
  return content?.[0]?.text ?? outcome.kind;
}

/** Waits until `condition` holds; the test's own timeout is the limit. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
