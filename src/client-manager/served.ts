import { catalogueOf, type Registry } from '../registry/index.ts';
import type { Caps, Clock } from '../shared/index.ts';
import { CachingTarget, type ToolCaching } from './cache/caching-target.ts';
import type { ResultStore } from './cache/store.ts';
import { DEFAULT_ENGINE, GuardedTarget } from './engine/guarded-target.ts';
import type { OwnEvent, UpstreamEvent } from './events.ts';
import { Failures } from './failures.ts';
import type { Limits } from './limits.ts';
import type { PinBoard } from './pins/pin-board.ts';
import { toolJudge } from './pins/tool-judge.ts';
import type { ChildRecords } from './stdio/records.ts';
import type { TaskKeeper } from './tasks/keeper.ts';
import { MintingTarget } from './tasks/minting-target.ts';
import { makesTasks } from './tasks/task-calls.ts';
import type { ClientManagerOptions, ToolPolicy, UpstreamConfig, UpstreamStats } from './types.ts';
import { Upstream } from './upstream.ts';
import type { Verdicts } from './verdicts.ts';

export interface ServedOptions extends Pick<ClientManagerOptions, 'gateway' | 'egress'> {
  readonly config: UpstreamConfig;
  readonly registry: Registry;
  readonly caps: Caps;
  readonly clock: Clock;
  readonly limits: Limits;
  readonly records: ChildRecords;
  readonly verdicts: Verdicts;
  readonly keeper: TaskKeeper;
  readonly store: ResultStore;
  readonly pins: PinBoard;
  readonly onEvent: (event: UpstreamEvent) => void;
}

/** Characters of a result that is kept, at most. */
const MAX_KEPT = 1024 * 1024;
const REREAD_MS = 5_000;

/** One upstream, and all that stands in front of it: minted tasks, kept results, the guards of its calls. */
export class Served {
  readonly #options: ServedOptions;
  readonly #upstream: Upstream;
  readonly #guarded: GuardedTarget;
  readonly #caching: CachingTarget;
  /** As it is called. */
  readonly target: MintingTarget;

  constructor(options: ServedOptions) {
    const { config, caps, clock, limits, registry, keeper, store, pins, onEvent } = options;
    const { name, maxInFlight, maxQueued = 0, retries = 0, pin = 'off' } = config;
    this.#options = options;
    const failures = new Failures(name, limits.frameBytes);
    const emit = (event: OwnEvent): void => onEvent({ ...event, server: name });
    const longest = Math.max(config.deadlineMs, ...Object.values(config.tools).map(({ deadlineSeconds = 0 }) => deadlineSeconds * 1000));
    const own = { config: { ...config, deadlineMs: longest }, judge: toolJudge(pins, name, pin) };
    this.#upstream = new Upstream({ ...options, ...own, onEvent: (event) => this.#heard(event) });
    const policy = { ...DEFAULT_ENGINE, maxInFlight, maxQueued, retries };
    this.#guarded = new GuardedTarget({ server: name, inner: this.#upstream, failures, caps, emit, policy });
    this.#caching = new CachingTarget({
      server: name,
      inner: this.#guarded,
      store,
      clock,
      tools: cachingOf(config.tools),
      maxText: MAX_KEPT,
    });
    this.target = new MintingTarget({
      config,
      inner: this.#caching,
      keeper,
      failures,
      limits,
      caps,
      clock,
      emit,
      makesTasks: () => {
        const entry = registry.get(name);
        return entry?.eras.includes('modern') === true && makesTasks(catalogueOf(entry, 'modern').facts.capabilities);
      },
    });
  }

  get stats(): UpstreamStats {
    return { ...this.#upstream.stats, breaker: this.#guarded.breaker };
  }

  start(): Promise<void> {
    return this.#upstream.start();
  }

  restart(): Promise<void> {
    return this.#upstream.restart();
  }

  /** Reads the tools again: what is shown of them has changed. */
  async reread(): Promise<void> {
    await Promise.all((['modern', 'legacy'] as const).map((era) => this.#upstream.refresh('tools', era, REREAD_MS)));
  }

  /** Ends the connections; calls under way end with them. */
  stop(): Promise<void> {
    this.#guarded.stop();
    return this.#upstream.stop();
  }

  /** Frees what is left, once no call is under way. */
  end(): void {
    this.target.stop();
  }

  #heard(event: UpstreamEvent): void {
    if (event.kind === 'connected') this.#guarded.connected();
    else if (event.kind === 'catalogue_refreshed') this.#caching.drop(event.list === 'tools' ? 'tools' : 'resources');
    this.#options.onEvent(event);
  }
}

function cachingOf(tools: Readonly<Record<string, ToolPolicy>>): ReadonlyMap<string, ToolCaching> {
  const kept = Object.entries(tools).flatMap(([name, { cacheSeconds, cacheShared = false }]) =>
    cacheSeconds === undefined ? [] : [[name, { ttlMs: cacheSeconds * 1000, shared: cacheShared }] as const],
  );
  return new Map(kept);
}
