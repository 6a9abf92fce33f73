import type { CacheHint, Call, HeaderParam, Implementation } from '../protocol/index.ts';
import type { CatalogueTool, Registry, ServerEntry, ServerState } from '../registry/index.ts';
import { ConnectError, type Connection } from './connection.ts';
import { discoverTools, type Discovered } from './discovery.ts';
import type { Emit } from './events.ts';
import type { Limits } from './limits.ts';
import { Refresher } from './refresher.ts';
import type { UpstreamConfig } from './types.ts';
import { settledWithin } from './waiting.ts';

export interface CatalogueOptions {
  readonly config: UpstreamConfig;
  readonly registry: Registry;
  readonly gateway: Implementation;
  readonly limits: Limits;
  readonly emit: Emit;
}

/** A connection whose server's list is kept up to date, until the signal is aborted. */
interface Source {
  readonly connection: Connection;
  readonly signal: AbortSignal;
}

/**
 * The registry's entry of one upstream. Its tool list is read again when the server announces a change, when the list's lifetime is
 * over, and when an answer shows that it is out of date. A failed reading and a lost connection leave the last known list.
 */
export class Catalogue {
  readonly #options: CatalogueOptions;
  readonly #refresher: Refresher;
  #source: Source | undefined;
  /** An announced change is put even if nothing is different: clients are told of it (PROTOCOL B). */
  #announced = false;
  #ttlMs = 0;
  #doubtedAt = -Infinity;

  constructor(options: CatalogueOptions) {
    this.#options = options;
    this.#refresher = new Refresher(options.limits.refreshDelayMs, () => this.#refresh());
    options.registry.put(this.#entry({ state: 'connecting' }));
  }

  setState(state: ServerState): void {
    this.#options.registry.setState(this.#options.config.name, state);
  }

  /** A new connection and the list that was read over it. `signal` is aborted when it is over. */
  publish(source: Source, discovered: Discovered, state: ServerState): void {
    this.#source = source;
    this.#announced = false;
    source.connection.onToolsChanged(() => {
      if (this.#source !== source) return;
      this.#announced = true;
      this.#refresher.soon();
    });
    this.#put(source.connection, discovered, state);
    this.#refresher.forget();
    this.#schedule(discovered.toolsCache.ttlMs);
  }

  /** The connection is over: nothing is read before the next one. */
  leave(connection: Connection): void {
    if (this.#source?.connection !== connection) return;
    this.#source = undefined;
    this.#refresher.forget();
  }

  /** An answer shows that the list is out of date. It is read soon, but not for each such answer of a server that gives no others. */
  doubt(): void {
    if (this.#mayDoubt()) this.#refresher.soon();
  }

  /**
   * The arguments that the tool mirrors into headers now, after they were refused; undefined if they are no others than those that
   * were refused and the list was read a moment ago (PROTOCOL C3). Waits no longer than `ms`.
   */
  async presentHeaders(call: Call, ms: number, signal: AbortSignal): Promise<readonly HeaderParam[] | undefined> {
    const read = this.#refresher.reading || this.#mayDoubt();
    if (read) await settledWithin(this.#refresher.now(), ms, signal);
    const name = call.toolName ?? call.params?.value.name;
    const tool = this.#known()?.tools.find(({ definition }) => definition.name === name);
    const params = tool?.headerParams ?? call.headerParams;
    return read || !sameJson(params, call.headerParams) ? params : undefined;
  }

  stop(): void {
    this.#source = undefined;
    this.#refresher.stop();
  }

  #mayDoubt(): boolean {
    const now = performance.now();
    if (now - this.#doubtedAt < this.#options.limits.refreshMinMs) return false;
    this.#doubtedAt = now;
    return true;
  }

  #schedule(ttlMs: number): void {
    this.#ttlMs = ttlMs;
    this.#refresher.later(Math.max(ttlMs, this.#options.limits.refreshMinMs));
  }

  async #refresh(): Promise<void> {
    const source = this.#source;
    if (source === undefined) return;
    const announced = this.#announced;
    this.#announced = false;
    const { gateway, limits, config, emit } = this.#options;
    let ttlMs = this.#ttlMs;
    try {
      const discovered = await discoverTools(source.connection, { gateway, limits, scopes: config.scopes, signal: source.signal });
      if (this.#source !== source) return;
      ({ ttlMs } = discovered.toolsCache);
      this.#take(source.connection, discovered, announced);
    } catch (error) {
      if (this.#source !== source) return;
      emit({ kind: 'refresh_failed', reason: error instanceof ConnectError ? error.reason : 'an unexpected error' });
    }
    this.#schedule(ttlMs);
  }

  #take(connection: Connection, discovered: Discovered, announced: boolean): void {
    const known = this.#known();
    if (!announced && known !== undefined && sameJson(known.facts, connection.facts) && sameList(known, discovered)) return;
    this.#put(connection, discovered, known?.state ?? { state: 'connecting' });
    this.#options.emit({ kind: 'catalogue_refreshed', tools: discovered.tools.length });
  }

  #put({ eras, facts }: Connection, discovered: Discovered, state: ServerState): void {
    this.#options.registry.put({ ...this.#entry(state), ...discovered, eras, facts });
    const reasons = discovered.warnings.slice(0, 50);
    if (reasons.length > 0) this.#options.emit({ kind: 'tools_left_out', reasons });
  }

  #known(): ServerEntry | undefined {
    return this.#options.registry.get(this.#options.config.name);
  }

  #entry(state: ServerState): ServerEntry {
    const { name, transport } = this.#options.config;
    const known = this.#known();
    return {
      name,
      kind: 'upstream',
      transport,
      eras: known?.eras ?? [],
      facts: known?.facts ?? { info: undefined, capabilities: {}, instructions: undefined },
      tools: known?.tools ?? [],
      toolsCache: known?.toolsCache ?? { ttlMs: 0, cacheScope: 'private' },
      warnings: known?.warnings ?? [],
      state,
    };
  }
}

interface List {
  readonly tools: readonly CatalogueTool[];
  readonly toolsCache: CacheHint;
  readonly warnings: readonly string[];
}

/** Lifetimes may differ: an intermediary counts its own down, and the list is none the newer for it. */
function sameList(one: List, other: List): boolean {
  return (
    one.tools.length === other.tools.length &&
    one.toolsCache.cacheScope === other.toolsCache.cacheScope &&
    one.tools.every((tool, i) => tool.definition.text === other.tools[i]?.definition.text) &&
    sameJson(one.warnings, other.warnings)
  );
}

const sameJson = (one: unknown, other: unknown): boolean => one === other || JSON.stringify(one) === JSON.stringify(other);
