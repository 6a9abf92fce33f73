import { chmodSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import packageJson from '../package.json' with { type: 'json' };
import { createStockPulse, type StockPulse } from '../stockpulse/index.ts';
import { adminApi, portsOf } from './admin-api/index.ts';
import { createClientManager, type ClientManager, type UpstreamConfig, type UpstreamEvent } from './client-manager/index.ts';
import type { Config } from './config/index.ts';
import { ADMIN_PREFIX, type DoctorCheck } from './contract/index.ts';
import { createGateway, type McpGateway } from './gateway/index.ts';
import { createHttpHost, type HttpEvent, type HttpHost, type Readiness } from './http/index.ts';
import { Log, Metrics, Recorder, Redactor, type LogLevel } from './observability/index.ts';
import type { Target } from './protocol/index.ts';
import { Registry } from './registry/index.ts';
import {
  createApiKeys,
  createAuditTrail,
  securityMigrations,
  type ApiKeys,
  type FirstKeys,
  type SecurityTables,
} from './security/index.ts';
import { createLocalServer } from './server-manager/index.ts';
import { AppError, Caps, messageOf, systemClock, type Clock } from './shared/index.ts';
import { acquireOwnership, openStorage, readOwner, typedDb, type OwnerInfo, type Storage } from './storage/index.ts';

export const VERSION: string = packageJson.version;

/** A running gateway. */
export interface Gateway {
  readonly url: string;
  /** The 0600 socket of the management API. */
  readonly socketPath: string;
  /** The secrets that the first start made: they are shown once and cannot be read again. */
  readonly firstKeys: FirstKeys | undefined;
  /** The 0600 file with the agent key, for `stockpulse stdio`. */
  readonly agentKeyFile: string;
  close(): Promise<void>;
  /** Serves one stdio client until its input ends. Throws `unknown_server`. */
  serveStdio(input: Readable, output: Writable, options?: { readonly server?: string }): Promise<void>;
}

export interface StartOptions {
  /** Storage and the local socket only, no upstreams: for a command while nobody runs. */
  readonly offline?: boolean;
  readonly log?: 'stderr' | 'silent';
}

/** How we introduce ourselves, to clients and to upstreams. */
const IDENTITY = { name: 'stockpulse-mcp', title: 'StockPulse MCP', version: VERSION };
const GRACE_MS = 10_000;
const LIST_WAIT_MS = 2000;
const PAGE_SIZE = 200;
const STDIO_IN_FLIGHT = 256;
const LIST_TTL_MS = 300_000;

/** Who owns the data folder now, if anybody. */
export function findOwner(dataDir: string): OwnerInfo | undefined {
  return readOwner(dataDir);
}

function marketClock(setting: Config['market']['clock'], wall: Clock): Clock {
  if (setting === 'wall') return wall;
  if ('frozen' in setting) {
    const at = Date.parse(setting.frozen);
    return { now: () => at };
  }
  const [start, began, { speed }] = [Date.parse(setting.start), wall.now(), setting];
  return { now: () => start + (wall.now() - began) * speed };
}

function upstreamConfigs(config: Config): UpstreamConfig[] {
  return Object.entries(config.mcpServers).map(([name, server]) => {
    const { deadlineSeconds, ...rest } = server;
    return { ...rest, name, deadlineMs: deadlineSeconds * 1000 };
  });
}

/** Values from configuration that must never be logged. */
function knownSecrets(config: Config): string[] {
  const perServer = Object.values(config.mcpServers).flatMap((server) =>
    Object.values(server.transport === 'http' ? server.headers : server.env),
  );
  const own = [config.security.bootstrapApiKey, config.security.masterKey, config.metrics.token, config.database.url, config.redis.url];
  return [...perServer, ...own.filter((value) => value !== undefined)];
}

const WARNINGS: ReadonlySet<string> = new Set([
  'connect_failed',
  'lost',
  'tools_left_out',
  'group_survives',
  'garbage',
  'frame_too_large',
  'failed',
  'connections_full',
  'forced_close',
]);

function logEvent(log: Log, event: UpstreamEvent | HttpEvent): void {
  const { kind, ...fields } = event;
  const level: LogLevel = WARNINGS.has(kind) ? 'warn' : kind === 'child_started' ? 'debug' : 'info';
  log.event(level, kind, fields);
}

/** The agent key where only this user can read it: the credential of `stockpulse stdio`. */
function writeKeyFile(file: string, secret: string): void {
  const fresh = `${file}.new`;
  writeFileSync(fresh, `${secret}\n`, { mode: 0o600 });
  chmodSync(fresh, 0o600);
  renameSync(fresh, file);
}

/** Undefined if there is none. */
function readKeyFile(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return undefined;
  }
}

function observe(config: Config, options: StartOptions): { log: Log; metrics: Metrics; recorder: Recorder; caps: Caps } {
  const caps = new Caps();
  const level = options.log === 'silent' ? 'silent' : config.log.level === 'trace' ? 'debug' : config.log.level;
  const log = new Log({ level, calls: config.log.calls, redactor: new Redactor(knownSecrets(config)) });
  const metrics = new Metrics({ caps, process: options.offline !== true });
  const recorder = new Recorder([(records) => metrics.calls(records), (records) => log.calls(records)], (error) =>
    log.event('error', 'projection_failed', { error }),
  );
  return { log, metrics, recorder, caps };
}

function createPlatform(config: Config, keys: ApiKeys): StockPulse {
  return createStockPulse({
    clock: marketClock(config.market.clock, systemClock),
    seed: config.market.seed,
    authenticate(headers) {
      const secret = headers['apca-api-secret-key'];
      const authorization = typeof secret === 'string' ? `Bearer ${secret}` : headers.authorization;
      const who = keys.authenticate(typeof authorization === 'string' ? authorization : undefined);
      if (who.ok) return { ok: true, id: who.principal.id, scopes: who.principal.scopes };
      return {
        ok: false,
        status: who.status,
        code: 40110000,
        message: who.message,
        headers: { 'www-authenticate': 'Bearer realm="StockPulse"' },
      };
    },
  });
}

async function openKeys(
  config: Config,
  storage: Storage,
  caps: Caps,
  log: Log,
  file: string,
): Promise<{ keys: ApiKeys; firstKeys: FirstKeys | undefined }> {
  const keys: ApiKeys = await createApiKeys({
    db: typedDb<SecurityTables>(storage),
    clock: systemClock,
    caps,
    onFault: (error) => log.event('warn', 'keys_fault', { error }),
    onRotated(principalId, secret) {
      // The file's own key was rotated: desktop hosts that start `stockpulse stdio` go on working.
      const held = keys.authenticate(`Bearer ${readKeyFile(file) ?? ''}`);
      if (held.ok && held.principal.id === principalId) writeKeyFile(file, secret);
    },
  });
  const deliver = (made: FirstKeys): Promise<void> => Promise.resolve(writeKeyFile(file, made.agent));
  const firstKeys = await keys.createFirst({ bootstrapSecret: config.security.bootstrapApiKey, deliver });
  keys.start();
  return { keys, firstKeys };
}

interface Core {
  readonly config: Config;
  readonly caps: Caps;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly storage: Storage;
  readonly keys: ApiKeys;
  readonly registry: Registry;
  readonly clients: ClientManager;
  readonly mcp: McpGateway;
}

function createMcp(
  config: Config,
  parts: Pick<Core, 'caps' | 'log' | 'registry' | 'clients'> & { recorder: Recorder; local: Target; platform: StockPulse },
): McpGateway {
  const { caps, log, registry, clients, recorder, local, platform } = parts;
  const { limits } = config;
  return createGateway({
    registry,
    recorder,
    caps,
    clock: systemClock,
    target: (server) => (server === platform.name ? local : clients.target(server)),
    settings: { ...IDENTITY, pageSize: PAGE_SIZE, listWaitMs: LIST_WAIT_MS, deadlineMs: limits.callSeconds * 1000 },
    limits: {
      bodyBytes: limits.bodyBytes,
      sessions: limits.sessions,
      sessionIdleMs: limits.sessionIdleMinutes * 60_000,
      inFlight: limits.inFlight,
      inFlightPerStream: STDIO_IN_FLIGHT,
    },
    onError: (error) => log.event('error', 'face_failed', { error }),
  });
}

function addGauges(metrics: Metrics, registry: Registry, clients: ClientManager, mcp: McpGateway): void {
  const states = ['stopped', 'connecting', 'ready', 'backing_off'] as const;
  metrics.gauge('stockpulse_upstream_state', '1 for the state that each server is in.', () =>
    registry
      .list()
      .flatMap(({ name, state }) => states.map((each) => ({ labels: { server: name, state: each }, value: state.state === each ? 1 : 0 }))),
  );
  metrics.gauge('stockpulse_upstream_children', 'Child processes of stdio servers.', () => [
    { labels: {}, value: clients.stats().children },
  ]);
  metrics.gauge('stockpulse_upstream_in_flight', 'Calls under way at each upstream.', () =>
    clients.stats().byServer.map(({ name, inFlight }) => ({ labels: { server: name }, value: inFlight })),
  );
  metrics.gauge('stockpulse_upstream_restarts', 'Connections made to each upstream after the first one.', () =>
    clients.stats().byServer.map(({ name, restarts }) => ({ labels: { server: name }, value: restarts })),
  );
  metrics.gauge('stockpulse_sessions', 'Sessions of legacy clients.', () => [{ labels: {}, value: mcp.sessions }]);
}

/** What doctor says about settings that no other check sees. */
function configNotes(config: Config): DoctorCheck[] {
  const notes: DoctorCheck[] = [];
  if (config.redis.url !== undefined) {
    notes.push({
      name: 'redis',
      status: 'warning',
      message: 'REDIS_URL is set, and not used yet.',
      advice: 'Run one replica; remove the setting to silence this.',
    });
  }
  for (const name of config.disabledServers) notes.push({ name: `server ${name}`, status: 'ok', message: 'disabled in the configuration' });
  return notes;
}

async function readiness(storage: Storage): Promise<Readiness> {
  try {
    await storage.ready();
    return { ok: true, checks: [{ name: 'storage', ok: true }] };
  } catch (error) {
    return { ok: false, checks: [{ name: 'storage', ok: false, message: messageOf(error) }] };
  }
}

function createUpstreams(
  config: Config,
  servers: readonly UpstreamConfig[],
  parts: Pick<Core, 'registry' | 'caps' | 'log'>,
): ClientManager {
  return createClientManager({
    ...parts,
    servers,
    clock: systemClock,
    gateway: IDENTITY,
    childrenDir: join(config.dataDir, 'children'),
    limits: { frameBytes: config.limits.resultBytes },
    onEvent: (event) => logEvent(parts.log, event),
  });
}

function createHost(config: Config, options: StartOptions, parts: Pick<Core, 'keys' | 'caps' | 'log' | 'storage' | 'metrics'>): HttpHost {
  const { server, limits } = config;
  const { cert, key } = server.tls;
  return createHttpHost({
    // While nobody runs, a command needs the local socket only.
    host: options.offline === true ? '127.0.0.1' : server.host,
    port: options.offline === true ? 0 : server.port,
    socketPath: join(config.dataDir, 'admin.sock'),
    publicUrl: server.publicUrl,
    tls: cert === undefined || key === undefined ? undefined : { cert, key },
    trustedProxies: server.trustedProxies,
    allowedHosts: server.allowedHosts,
    allowedOrigins: server.allowedOrigins,
    authenticator: parts.keys,
    caps: parts.caps,
    clock: systemClock,
    limits: {
      bodyBytes: limits.bodyBytes,
      requestsPerSecondPerKey: limits.requestsPerSecond,
      requestBurstPerKey: limits.requestsPerSecond * 2,
    },
    onEvent: (event) => logEvent(parts.log, event),
    ready: () => readiness(parts.storage),
    metrics: () => parts.metrics.text(),
    metricsToken: config.metrics.token,
  });
}

async function serveOwnStdio(
  mcp: McpGateway,
  keys: ApiKeys,
  secret: string | undefined,
  client: { input: Readable; output: Writable; server: string | undefined },
): Promise<void> {
  const who = keys.authenticate(`Bearer ${secret ?? ''}`);
  if (!who.ok) throw new AppError('agent_key_refused', `The key in agent.key is refused: ${who.message}`);
  if (!mcp.has(client.server))
    throw new AppError('unknown_server', `There is no server ${client.server}. "stockpulse servers list" shows those that there are.`);
  await mcp.stdio(client.input, client.output, who.principal, client.server);
}

/** Bare `/mcp` streams of `stockpulse stdio` on the local socket. */
function serveLocalStreams(host: HttpHost, mcp: McpGateway, log: Log): void {
  host.onLocalUpgrade('mcp-stdio', ({ principal, request, accept, refuse }) => {
    const server = /^\/mcp(?:\/([a-z0-9-]+))?$/.exec(request.url ?? '')?.[1];
    if (!mcp.has(server)) {
      refuse({
        code: 'server_not_found',
        message: `There is no server ${server ?? ''} here. "stockpulse servers list" shows those that there are.`,
      });
      return;
    }
    const stream = accept();
    mcp
      .stdio(stream, stream, principal, server)
      .catch((error: unknown) => log.event('error', 'stdio_failed', { error }))
      .finally(() => stream.end());
  });
}

/**
 * Builds everything from the configuration and starts it: owns the data folder, opens the storage, listens, then connects to the upstreams
 * in the background. Throws an AppError (`already_running`, `port_in_use`, `storage_unavailable`, ...) and leaves nothing running.
 */
export async function startGateway(config: Config, options: StartOptions = {}): Promise<Gateway> {
  await using stack = new AsyncDisposableStack();
  const startedAt = systemClock.now();
  const ownership = await acquireOwnership(config.dataDir);
  stack.defer(() => ownership.release());
  const { caps, log, metrics, recorder } = observe(config, options);
  stack.defer(() => log.close());
  const onFault = (error: unknown): void => log.event('error', 'storage_fault', { error });
  const storage = await openStorage({
    databaseUrl: config.database.url,
    dataDir: config.dataDir,
    migrations: [...securityMigrations],
    onFault,
  });
  stack.defer(() => storage.close());
  const agentKeyFile = join(config.dataDir, 'agent.key');
  const { keys, firstKeys } = await openKeys(config, storage, caps, log, agentKeyFile);
  stack.defer(() => keys.stop());
  stack.defer(() => recorder.flush());

  const registry = new Registry();
  const platform = createPlatform(config, keys);
  const local = createLocalServer({ ...platform, registry, clock: systemClock, listTtlMs: LIST_TTL_MS, simulated: true });
  const upstreams = options.offline === true ? [] : upstreamConfigs(config);
  const clients = createUpstreams(config, upstreams, { registry, caps, log });
  stack.defer(() => clients.stop());
  const mcp = createMcp(config, { caps, log, registry, clients, recorder, local, platform });
  stack.defer(() => mcp.close());
  addGauges(metrics, registry, clients, mcp);

  const host = createHost(config, options, { keys, caps, log, storage, metrics });
  let url: string | null = null;
  const sources = {
    version: VERSION,
    startedAt,
    url: () => url,
    dataDir: config.dataDir,
    storage,
    registry,
    clients,
    upstreams,
    mcp,
    caps,
    notes: configNotes(config),
  };
  const audit = createAuditTrail({ db: typedDb<SecurityTables>(storage), clock: systemClock });
  host.surface('admin', adminApi({ version: VERSION, apiKeys: keys, audit, registry, ...portsOf(sources) }), ADMIN_PREFIX);
  host.surface('mcp', mcp.http);
  host.surface('api', platform.plugin, '/stockpulse');
  serveLocalStreams(host, mcp, log);
  stack.defer(() => host.close(GRACE_MS));
  const listening = await host.listen();
  url = config.server.publicUrl ?? listening.url;
  const socketPath = listening.socketPath ?? '';
  ownership.describe({ pid: process.pid, url, socketPath, startedAt: new Date(startedAt).toISOString(), version: VERSION });
  log.event('info', 'started', { version: VERSION, url, storage: storage.kind, upstreams: upstreams.map(({ name }) => name) });
  void clients.start().catch((error: unknown) => log.event('error', 'upstreams_failed', { error }));

  const running = stack.move();
  return {
    url,
    socketPath,
    firstKeys,
    agentKeyFile,
    close: () => running.disposeAsync(),
    serveStdio: (input, output, { server } = {}) => serveOwnStdio(mcp, keys, readKeyFile(agentKeyFile), { input, output, server }),
  };
}
