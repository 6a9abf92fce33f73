import type { Target } from '../protocol/index.ts';
import { AppError } from '../shared/index.ts';
import { checkServer } from './check.ts';
import { DEFAULT_LIMITS, type Limits } from './limits.ts';
import { endOrphans } from './stdio/orphans.ts';
import { ChildRecords } from './stdio/records.ts';
import type { CheckReport, ClientManager, ClientManagerOptions, ClientManagerStats, UpstreamConfig } from './types.ts';
import { Upstream } from './upstream.ts';

class Manager implements ClientManager {
  readonly #options: ClientManagerOptions;
  readonly #limits: Limits;
  readonly #records: ChildRecords;
  readonly #upstreams = new Map<string, Upstream>();
  #stopped = false;

  constructor(options: ClientManagerOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#records = new ChildRecords(options.childrenDir);
    for (const config of options.servers)
      this.#upstreams.set(config.name, new Upstream({ ...options, config, limits: this.#limits, records: this.#records }));
  }

  target(name: string): Target | undefined {
    return this.#upstreams.get(name);
  }

  async start(): Promise<void> {
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

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all([...this.#upstreams.values()].map((upstream) => upstream.stop()));
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
