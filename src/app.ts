import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import packageJson from '../package.json' with { type: 'json' };
import { createStockPulse, simulationClock, type StockPulse } from '../stockpulse/index.ts';
import { adminApi, portsOf } from './admin-api/index.ts';
import {
  clientManagerMigrations,
  createClientManager,
  upstreamConfigs,
  type ClientManager,
  type ServerConfig,
} from './client-manager/index.ts';
import { configNotes, secretsOf, type Config, type ConfigOrigin } from './config/index.ts';
import { ADMIN_PREFIX, type DoctorCheck } from './contract/index.ts';
import { createGateway, type McpGateway } from './gateway/index.ts';
import { createHttpHost, readinessOf, type HttpHost } from './http/index.ts';
import { addGauges, Log, Metrics, Recorder, Redactor, reportEvent } from './observability/index.ts';
import { serveLocalStreams, serveOwnStdio } from './local-clients.ts';
import type { Target } from './protocol/index.ts';
import { Registry } from './registry/index.ts';
import {
  apiCaller,
  checkMasterKey,
  createAuditTrail,
  createSealer,
  EgressGuard,
  masterKey,
  openKeys,
  readKeyFile,
  securityMigrations,
  writeKeyFile,
  type ApiKeys,
  type FirstKeys,
  type SecurityTables,
} from './security/index.ts';
import { createLocalServer } from './server-manager/index.ts';
import { Caps, systemClock } from './shared/index.ts';
import {
  acquireOwnership,
  checkClaim,
  claimFolder,
  openStorage,
  readOwner,
  typedDb,
  type OwnerInfo,
  type Storage,
} from './storage/index.ts';
import { windDown } from './wind-down.ts';

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
  /** How long what is under way at `close` may take to come to its end: milliseconds. For tests. */
  readonly graceMs?: number;
  /** Where the configuration came from: doctor tells when that changed. */
  readonly origin?: ConfigOrigin;
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

function observe(config: Config, options: StartOptions): Pick<Built, 'caps' | 'log' | 'redactor' | 'metrics'> & { recorder: Recorder } {
  const caps = new Caps();
  const level = options.log === 'silent' ? 'silent' : config.log.level === 'trace' ? 'debug' : config.log.level;
  const redactor = new Redactor(secretsOf(config));
  const log = new Log({ level, calls: config.log.calls, redactor });
  const metrics = new Metrics({ caps, process: options.offline !== true });
  const recorder = new Recorder([(records) => metrics.calls(records), (records) => log.calls(records)], (error) =>
    log.event('error', 'projection_failed', { error }),
  );
  return { log, redactor, metrics, recorder, caps };
}

function createPlatform(config: Config, keys: ApiKeys): StockPulse {
  const clock = simulationClock(config.market.clock, systemClock);
  return createStockPulse({ clock, seed: config.market.seed, authenticate: (headers) => apiCaller(keys, headers) });
}

/** Comes last of all: keys of a start that failed behind them would be shown to nobody, and the next start makes none. */
async function makeFirstKeys({ config, keys, agentKeyFile }: Built): Promise<FirstKeys | undefined> {
  const deliver = (made: FirstKeys): Promise<void> => Promise.resolve(writeKeyFile(agentKeyFile, made.agent));
  return keys.createFirst({ bootstrapSecret: config.security.bootstrapApiKey, deliver });
}

/** What `build` made. */
interface Built {
  readonly config: Config;
  readonly caps: Caps;
  readonly log: Log;
  readonly redactor: Redactor;
  readonly metrics: Metrics;
  readonly storage: Storage;
  readonly keys: ApiKeys;
  readonly keyNotes: readonly DoctorCheck[];
  readonly agentKeyFile: string;
  readonly registry: Registry;
  readonly platform: StockPulse;
  readonly upstreams: readonly ServerConfig[];
  readonly clients: ClientManager;
  readonly mcp: McpGateway;
  readonly ending: AbortController;
  readonly served: Set<Promise<unknown>>;
}

/** Where it listens. `url` is null while only the local socket is served. */
interface Place {
  url: string | null;
  socketPath: string;
}

function createMcp(
  config: Config,
  parts: Pick<Built, 'caps' | 'log' | 'registry' | 'clients'> & { recorder: Recorder; local: Target; platform: StockPulse; master: Buffer },
): McpGateway {
  const { caps, log, registry, clients, recorder, local, platform } = parts;
  const { limits } = config;
  return createGateway({
    registry,
    recorder,
    caps,
    clock: systemClock,
    target: (server) => (server === platform.name ? local : clients.target(server)),
    policyOf: (server) => config.mcpServers[server],
    sealer: createSealer(parts.master),
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

function createUpstreams(config: Config, parts: Pick<Built, 'registry' | 'caps' | 'log' | 'storage' | 'upstreams'>): ClientManager {
  return createClientManager({
    ...parts,
    servers: parts.upstreams,
    clock: systemClock,
    gateway: IDENTITY,
    childrenDir: join(config.dataDir, 'children'),
    limits: { frameBytes: config.limits.resultBytes },
    egress: new EgressGuard({ allow: config.security.allowedAddresses }),
    onEvent: (event) => reportEvent(parts.log, event),
  });
}

function createHost(config: Config, parts: Pick<Built, 'keys' | 'caps' | 'log' | 'storage' | 'metrics'>): HttpHost {
  const { server, limits } = config;
  const { cert, key } = server.tls;
  return createHttpHost({
    host: server.host,
    port: server.port,
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
    onEvent: (event) => reportEvent(parts.log, event),
    ready: () => readinessOf({ storage: () => parts.storage.ready() }),
    metrics: () => parts.metrics.text(),
    metricsToken: config.metrics.token,
  });
}

/** The first question about all symbols would otherwise wait for the market to be computed. */
function warmUp(platform: StockPulse, stack: AsyncDisposableStack, log: Log): void {
  const controller = new AbortController();
  stack.defer(() => controller.abort());
  platform.warmUp(controller.signal).catch((error: unknown) => {
    if (!controller.signal.aborted) log.event('warn', 'warm_up_failed', { error });
  });
}

/** Everything up to the HTTP host; whatever was opened is on the stack, to be closed in reverse order. */
async function build(config: Config, options: StartOptions, stack: AsyncDisposableStack): Promise<Built> {
  const { caps, log, redactor, metrics, recorder } = observe(config, options);
  stack.defer(() => log.close());
  const onFault = (error: unknown): void => log.event('error', 'storage_fault', { error });
  checkClaim(config.dataDir, config.database.url === undefined ? 'pglite' : 'postgres');
  const migrations = [...securityMigrations, ...clientManagerMigrations];
  const storage = await openStorage({ databaseUrl: config.database.url, dataDir: config.dataDir, migrations, onFault });
  stack.defer(() => storage.close());
  claimFolder(config.dataDir, storage.kind);
  const master = masterKey(config.dataDir, config.security.masterKey);
  const parts = { db: typedDb<SecurityTables>(storage), clock: systemClock, shared: storage.kind === 'postgres' };
  const keyNotes = await checkMasterKey({ ...parts, master, remember: options.offline !== true });
  for (const { message, advice } of keyNotes) log.event('warn', 'master_key_differs', { message, advice });
  const agentKeyFile = join(config.dataDir, 'agent.key');
  const keys = await openKeys({ ...parts, caps, agentKeyFile, onFault: (error) => log.event('warn', 'keys_fault', { error }) });
  stack.defer(() => keys.stop());
  stack.defer(() => recorder.flush());
  const registry = new Registry();
  const platform = createPlatform(config, keys);
  const local = createLocalServer({ ...platform, registry, clock: systemClock, listTtlMs: LIST_TTL_MS, simulated: true });
  const upstreams = upstreamConfigs(config.mcpServers);
  const clients = createUpstreams(config, { registry, caps, log, storage, upstreams });
  stack.defer(() => clients.stop());
  const mcp = createMcp(config, { caps, log, registry, clients, recorder, local, platform, master });
  stack.defer(() => mcp.close());
  addGauges(metrics, { servers: () => registry.list(), upstreams: () => clients.stats(), sessions: () => mcp.sessions });
  return {
    config,
    caps,
    log,
    redactor,
    metrics,
    storage,
    keys,
    keyNotes,
    agentKeyFile,
    registry,
    platform,
    upstreams,
    clients,
    mcp,
    ending: new AbortController(),
    served: new Set(),
  };
}

/** Mounts every surface on a host and starts to listen. */
async function serve(built: Built, options: StartOptions, startedAt: number, stack: AsyncDisposableStack): Promise<Place> {
  const { config, redactor, storage, keys, registry, platform, upstreams, clients, mcp, log, caps } = built;
  const host = createHost(config, built);
  const place: Place = { url: null, socketPath: '' };
  const facts = {
    version: VERSION,
    startedAt,
    url: () => place.url,
    dataDir: config.dataDir,
    configFile: options.origin?.digest && options.origin.file,
    notes: () => [...built.keyNotes, ...configNotes(config, options.origin)],
    redact: (text: string) => redactor.text(text),
  };
  const ports = portsOf({ ...facts, storage, registry, clients, upstreams, mcp, caps });
  const audit = createAuditTrail({ db: typedDb<SecurityTables>(storage), clock: systemClock });
  host.surface('admin', adminApi({ version: VERSION, apiKeys: keys, audit, registry, ...ports }), ADMIN_PREFIX);
  host.surface('mcp', mcp.http);
  host.surface('api', platform.plugin, '/stockpulse');
  serveLocalStreams(host, mcp, log);
  host.onWebSocket(mcp.websocket);
  host.onPost(mcp.post);
  stack.defer(() => windDown({ ...built, host }, options.graceMs ?? GRACE_MS));
  if (options.offline === true) {
    await clients.stop();
    place.socketPath = (await host.listenLocal()) ?? '';
    return place;
  }
  const { url, socketPath = '' } = await host.listen();
  return Object.assign(place, { url: config.server.publicUrl ?? url, socketPath });
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
  const built = await build(config, options, stack);
  const { url, socketPath } = await serve(built, options, startedAt, stack);
  const { log, clients, mcp, keys, agentKeyFile, platform, ending, served } = built;
  const firstKeys = await makeFirstKeys(built);
  const owner = { pid: process.pid, socketPath, startedAt: new Date(startedAt).toISOString(), version: VERSION };
  ownership.describe(url === null ? owner : { ...owner, url });
  log.event('info', 'started', { version: VERSION, url, storage: built.storage.kind, upstreams: built.upstreams.map(({ name }) => name) });
  log.flush();
  if (options.offline !== true) {
    void clients.start().catch((error: unknown) => log.event('error', 'upstreams_failed', { error }));
    warmUp(platform, stack, log);
  }
  const running = stack.move();
  return {
    url: url ?? '',
    socketPath,
    firstKeys,
    agentKeyFile,
    close: () => running.disposeAsync(),
    async serveStdio(input, output, { server } = {}) {
      const client = { input, output, server, closing: ending.signal };
      const serving = serveOwnStdio(mcp, keys, readKeyFile(agentKeyFile), client).finally(() => served.delete(serving));
      served.add(serving);
      await serving;
    },
  };
}
