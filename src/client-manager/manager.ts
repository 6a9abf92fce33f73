import type { Target } from '../protocol/index.ts';
import { catalogueOf } from '../registry/index.ts';
import { AppError } from '../shared/index.ts';
import { typedDb } from '../storage/index.ts';
import { checkServer } from './check.ts';
import { Failures } from './failures.ts';
import { DEFAULT_LIMITS, type Limits } from './limits.ts';
import { endOrphans } from './stdio/orphans.ts';
import { ChildRecords } from './stdio/records.ts';
import { TaskKeeper } from './tasks/keeper.ts';
import { MintingTarget } from './tasks/minting-target.ts';
import { makesTasks } from './tasks/task-calls.ts';
import type { ClientManagerTables } from './tables.ts';
import type { CheckReport, ClientManager, ClientManagerOptions, ClientManagerStats, UpstreamConfig } from './types.ts';
import { Upstream } from './upstream.ts';
import { Verdicts } from './verdicts.ts';

class Manager implements ClientManager {
  readonly #options: ClientManagerOptions;
  readonly #limits: Limits;
  readonly #records: ChildRecords;
  readonly #verdicts: Verdicts;
  readonly #upstreams = new Map<string, Upstream>();
  readonly #tasks: TaskKeeper;
  /** The upstreams as they are called. */
  readonly #targets = new Map<string, MintingTarget>();
  #stopped = false;
  #stopping: Promise<void> | undefined;

  constructor(options: ClientManagerOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#records = new ChildRecords(options.childrenDir);
    const onFault = (error: unknown): void => options.onEvent({ server: '', kind: 'verdicts_fault', error });
    const db = options.storage === undefined ? undefined : typedDb<ClientManagerTables>(options.storage);
    this.#verdicts = new Verdicts({ db, clock: options.clock, holdMs: this.#limits.verdictMs, onFault });
    const shared = { ...options, limits: this.#limits, records: this.#records, verdicts: this.#verdicts };
    const onTaskFault = (error: unknown): void => options.onEvent({ server: '', kind: 'tasks_fault', error });
    this.#tasks = new TaskKeeper({ ...shared, db, onFault: onTaskFault });
    for (const config of options.servers) {
      const upstream = new Upstream({ ...shared, config });
      this.#upstreams.set(config.name, upstream);
      this.#targets.set(config.name, this.#targetOf(config, upstream));
    }
  }

  target(name: string): Target | undefined {
    return this.#targets.get(name);
  }

  async start(): Promise<void> {
    await this.#verdicts.load([...this.#upstreams.keys()]);
    await this.#tasks.start();
    await endOrphans(this.#records, this.#limits.termMs, this.#options.onEvent);
    if (this.#stopped) return;
    await Promise.all([...this.#upstreams.values()].map((upstream) => upstream.start()));
  }

  async restart(name: string): Promise<void> {
    const upstream = this.#upstreams.get(name);
    if (upstream === undefined)
      throw new AppError('unknown_server', `There is no upstream server "${name}". "stockpulse servers list" shows their names.`);
    await upstream.restart();
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
    await Promise.all([...this.#upstreams.values()].map((upstream) => upstream.stop()));
    await this.#tasks.stop();
    for (const target of this.#targets.values()) target.stop();
    await this.#verdicts.flush();
  }

  #targetOf(config: UpstreamConfig, inner: Upstream): MintingTarget {
    const { caps, clock, registry, onEvent } = this.#options;
    const { name } = config;
    return new MintingTarget({
      config,
      inner,
      keeper: this.#tasks,
      failures: new Failures(name, this.#limits.frameBytes),
      limits: this.#limits,
      caps,
      clock,
      emit: (event) => onEvent({ ...event, server: name }),
      makesTasks: () => {
        const entry = registry.get(name);
        return entry?.eras.includes('modern') === true && makesTasks(catalogueOf(entry, 'modern').facts.capabilities);
      },
    });
  }

  stats(): ClientManagerStats {
    return { children: this.#records.size, byServer: [...this.#upstreams.values()].map(({ stats }) => stats) };
  }

  check(config: UpstreamConfig, signal: AbortSignal = new AbortController().signal): Promise<CheckReport> {
    const { gateway, onEvent } = this.#options;
    return checkServer({ config, gateway, limits: this.#limits, records: this.#records, onEvent }, signal);
  }
}

/** Puts every server into the registry as `connecting`; nothing runs before `start`. */
export function createClientManager(options: ClientManagerOptions): ClientManager {
  return new Manager(options);
}
