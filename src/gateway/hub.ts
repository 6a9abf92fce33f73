import type { Target } from '../protocol/index.ts';
import type { Registry, RegistryChange } from '../registry/index.ts';
import type { Sealer } from '../security/index.ts';
import { BoundedCount, type Caps } from '../shared/index.ts';
import { listsOf } from './capabilities.ts';
import type { Hub, Watch, WatchFilter, WatchRequest } from './client-port.ts';
import type { ServerPolicy } from './frame.ts';
import { HubWatch, type WatchContext } from './hub-watch.ts';

export interface HubLimits {
  readonly watches: number;
  /** URIs and task ids, each, that one watch may name; those beyond are not honoured. */
  readonly idsPerWatch: number;
  /** URIs and task ids of all watches together. */
  readonly ids: number;
  /** How long changes are collected before clients are told. */
  readonly collectMs: number;
  readonly acknowledgeMs: number;
}

export const HUB_LIMITS: HubLimits = { watches: 20_000, idsPerWatch: 1000, ids: 200_000, collectMs: 50, acknowledgeMs: 300 };

export interface HubOptions {
  readonly registry: Registry;
  readonly targets: (server: string) => Target | undefined;
  readonly policyOf: (server: string) => Pick<ServerPolicy, 'scopes'> | undefined;
  readonly sealer: Sealer;
  readonly caps: Caps;
  readonly onError: (error: unknown) => void;
  readonly limits?: Partial<HubLimits>;
}

/** Watches by endpoint, told of changes of the catalogue together: one timer collects for all of them. */
class CatalogueHub implements Hub {
  readonly #registry: Registry;
  readonly #limits: HubLimits;
  readonly #context: WatchContext;
  readonly #watches: BoundedCount;
  readonly #ids: BoundedCount;
  readonly #byPath = new Map<string, Set<HubWatch>>();
  readonly #pending = new Set<HubWatch>();
  readonly #unsubscribe: () => void;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor({ registry, targets, policyOf, sealer, caps, onError, limits }: HubOptions) {
    this.#registry = registry;
    this.#limits = { ...HUB_LIMITS, ...limits };
    this.#watches = new BoundedCount('watches', this.#limits.watches, caps);
    this.#ids = new BoundedCount('watched_ids', this.#limits.ids, caps);
    this.#context = {
      registry,
      targets,
      scopesOf: (server) => policyOf(server)?.scopes ?? [],
      sealer,
      onError,
      acknowledgeMs: this.#limits.acknowledgeMs,
      onPending: (watch) => this.#collect(watch),
      onClosed: (watch) => this.#forget(watch),
    };
    this.#unsubscribe = registry.onChange((change) => this.#changed(change));
  }

  get size(): number {
    return this.#watches.size;
  }

  watch(request: WatchRequest): Watch | undefined {
    if (this.#closed || !this.#watches.enter()) return undefined;
    const filter = this.#admitted(request.filter);
    const watch = new HubWatch({ ...request, filter }, listsOf(request.endpoint, this.#registry), this.#context);
    let others = this.#byPath.get(watch.path);
    if (others === undefined) this.#byPath.set(watch.path, (others = new Set()));
    others.add(watch);
    if (request.replaces instanceof HubWatch) watch.replace(request.replaces);
    return watch;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#unsubscribe();
    clearTimeout(this.#timer);
    for (const watches of this.#byPath.values()) for (const watch of watches) watch.close();
  }

  /** Each id once, as many as there is room for. */
  #admitted(filter: WatchFilter): WatchFilter {
    const admit = (ids: readonly string[]): readonly string[] =>
      [...new Set(ids)].slice(0, this.#limits.idsPerWatch).filter(() => this.#ids.enter());
    return { ...filter, uris: admit(filter.uris), taskIds: admit(filter.taskIds) };
  }

  #changed({ server, lists }: RegistryChange): void {
    if (lists.length === 0) return;
    for (const path of ['/mcp', `/mcp/${server}`]) for (const watch of this.#byPath.get(path) ?? []) watch.changed(lists);
  }

  #collect(watch: HubWatch): void {
    this.#pending.add(watch);
    this.#timer ??= setTimeout(() => this.#flush(), this.#limits.collectMs);
  }

  #flush(): void {
    this.#timer = undefined;
    const pending = [...this.#pending];
    this.#pending.clear();
    for (const watch of pending) watch.flush();
  }

  #forget(watch: HubWatch): void {
    this.#watches.leave();
    for (let left = watch.places; left > 0; left--) this.#ids.leave();
    this.#pending.delete(watch);
    const others = this.#byPath.get(watch.path);
    others?.delete(watch);
    if (others?.size === 0) this.#byPath.delete(watch.path);
  }
}

/** Change notifications of endpoints: list changes as the registry reports them, the rest from the servers behind the endpoint (PROTOCOL C8). */
export function createHub(options: HubOptions): Hub {
  return new CatalogueHub(options);
}
