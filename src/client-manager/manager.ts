import type { Target } from '../protocol/index.ts';
import type { EgressGuard } from '../security/index.ts';
import { AppError } from '../shared/index.ts';
import { typedDb } from '../storage/index.ts';
import { MemoryStore } from './cache/store.ts';
import { PinBoard, type Waiting } from './pins/pin-board.ts';
import { checkServer } from './check.ts';
import { DEFAULT_LIMITS, type Limits } from './limits.ts';
import { endOrphans } from './stdio/orphans.ts';
import { ApiServer, checkApi, type ApiConfig, type ApiServerOptions } from './openapi/index.ts';
import { RegistryEntry } from './registry-entry.ts';
import { Served } from './served.ts';
import { ChildRecords } from './stdio/records.ts';
import { TaskKeeper } from './tasks/keeper.ts';
import type { ClientManagerTables } from './tables.ts';
import type { CheckReport, ClientManager, ClientManagerOptions, ClientManagerStats, ServerConfig } from './types.ts';
import { Verdicts } from './verdicts.ts';

/** A document behind a URL is read again after this long. */
const API_REFRESH_MS = 3_600_000;

/** Kept results of all servers together. */
const KEPT = { entries: 10_000, bytes: 64 * 1024 * 1024 } as const;

class Manager implements ClientManager {
  readonly #options: ClientManagerOptions;
  readonly #limits: Limits;
  readonly #records: ChildRecords;
  readonly #verdicts: Verdicts;
  readonly #servers = new Map<string, Served | ApiServer>();
  /** Kept results of all servers. */
  readonly #store: MemoryStore;
  readonly #pins: PinBoard;
  readonly #tasks: TaskKeeper;
  #stopped = false;
  #stopping: Promise<void> | undefined;

  constructor(options: ClientManagerOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#records = new ChildRecords(options.childrenDir);
    const onFault = (error: unknown): void => options.onEvent({ server: '', kind: 'verdicts_fault', error });
    const db = options.storage === undefined ? undefined : typedDb<ClientManagerTables>(options.storage);
    this.#verdicts = new Verdicts({
      db,
      clock: options.clock,
      holdMs: this.#limits.verdictMs,
      onFault,
    });
    const base = { ...options, limits: this.#limits, records: this.#records, verdicts: this.#verdicts };
    const onTaskFault = (error: unknown): void => options.onEvent({ server: '', kind: 'tasks_fault', error });
    this.#tasks = new TaskKeeper({ ...base, db, onFault: onTaskFault });
    this.#store = new MemoryStore({ ...KEPT, caps: options.caps });
    const onPinFault = (error: unknown): void => options.onEvent({ server: '', kind: 'pins_fault', error });
    this.#pins = new PinBoard({ db, clock: options.clock, onFault: onPinFault });
    const shared = { ...base, keeper: this.#tasks, store: this.#store, pins: this.#pins };
    for (const config of options.servers) {
      const server = config.transport === 'openapi' ? this.#apiOf(config) : new Served({ ...shared, config });
      this.#servers.set(config.name, server);
    }
  }

  target(name: string): Target | undefined {
    const server = this.#servers.get(name);
    return server instanceof Served ? server.target : server;
  }

  async start(): Promise<void> {
    const names = [...this.#servers.keys()];
    await Promise.all([this.#verdicts.load(names), this.#pins.load(names)]);
    await this.#tasks.start();
    await endOrphans(this.#records, this.#limits.termMs, this.#options.onEvent);
    if (this.#stopped) return;
    await Promise.all([...this.#servers.values()].map((server) => server.start()));
  }

  async restart(name: string): Promise<void> {
    const server = this.#servers.get(name);
    if (server === undefined) throw unknownServer(name);
    await server.restart();
  }

  waiting(name: string): readonly Waiting[] {
    return this.#pins.waiting(name);
  }

  async accept(name: string, tools: readonly string[] | 'all', by: string): Promise<readonly string[]> {
    const server = this.#servers.get(name);
    if (server === undefined) throw unknownServer(name);
    const accepted = this.#pins.accept(name, tools, by);
    if (accepted.length === 0) return accepted;
    this.#options.onEvent({ server: name, kind: 'tools_accepted', tools: accepted, by });
    if (server instanceof Served) await server.reread();
    await this.#pins.flush();
    return accepted;
  }

  drain(ms: number): Promise<void> {
    return this.#tasks.drain(ms);
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** Calls under way end at once; that their servers end may take longer. */
  async #stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all([...this.#servers.values()].map((server) => server.stop()));
    await this.#tasks.stop();
    for (const server of this.#servers.values()) if (server instanceof Served) server.end();
    this.#store.stop();
    await Promise.all([this.#verdicts.flush(), this.#pins.flush()]);
  }

  #apiOf(config: ApiConfig): ApiServer {
    const { caps, clock, registry, onEvent } = this.#options;
    const { connectMs, backoffFirstMs: firstMs, backoffMaxMs: maxMs } = this.#limits;
    const entry = new RegistryEntry(registry, config);
    return new ApiServer({
      config,
      caps,
      clock,
      connectMs,
      backoff: { firstMs, maxMs },
      refreshMs: API_REFRESH_MS,
      ...egressOf(this.#options.egress),
      emit: (event) => onEvent({ ...event, server: config.name }),
      onState: (state) => entry.setState(state),
      onCatalogue: (catalogue) => entry.show(['modern', 'legacy'], catalogue, undefined),
    });
  }

  stats(): ClientManagerStats {
    return {
      children: this.#records.size,
      byServer: [...this.#servers.values()].map(({ stats }) => stats),
    };
  }

  check(config: ServerConfig, signal: AbortSignal = new AbortController().signal): Promise<CheckReport> {
    const { gateway, onEvent, egress } = this.#options;
    if (config.transport === 'openapi') return checkApi(config, { connectMs: this.#limits.connectMs, ...egressOf(egress) }, signal);
    return checkServer({ config, gateway, egress, limits: this.#limits, records: this.#records, onEvent }, signal);
  }
}

const unknownServer = (name: string): AppError =>
  new AppError('unknown_server', `There is no upstream server "${name}". "stockpulse servers list" shows their names.`);

function egressOf(egress: EgressGuard | undefined): Pick<ApiServerOptions, 'lookup' | 'check'> {
  return egress === undefined ? {} : { lookup: egress.lookup('configured'), check: (url) => void egress.check(url, 'configured') };
}

/** Puts every server into the registry as `connecting`; nothing runs before `start`. */
export function createClientManager(options: ClientManagerOptions): ClientManager {
  return new Manager(options);
}
