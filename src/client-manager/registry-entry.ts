import type { Era } from '../protocol/index.ts';
import { NO_LISTS, type Catalogue, type ListName, type Registry, type ServerEntry, type ServerState } from '../registry/index.ts';
import { sameCatalogue } from './catalogue.ts';
import type { ServerConfig } from './types.ts';

const NOTHING: Catalogue = {
  facts: { info: undefined, capabilities: {}, instructions: undefined },
  tools: [],
  toolsCache: { ttlMs: 0, cacheScope: 'private' },
  ...NO_LISTS,
  warnings: [],
};

/** One upstream's entry in the registry, made of what it shows in its preferred era and, where it has a second one, in the legacy one. */
export class RegistryEntry {
  readonly #registry: Registry;
  readonly #config: Pick<ServerConfig, 'name' | 'transport'>;
  #eras: readonly Era[] = [];
  #main: Catalogue = NOTHING;
  #legacy: Catalogue | undefined;

  /** Puts the server into the registry: its place is the order of the first put. */
  constructor(registry: Registry, config: Pick<ServerConfig, 'name' | 'transport'>) {
    this.#registry = registry;
    this.#config = config;
    registry.put(this.#entry(), []);
  }

  setState(state: ServerState): void {
    this.#registry.setState(this.#config.name, state);
  }

  /**
   * What the server shows now. `announced` are lists that it says have changed: clients are told of them even if nothing is different
   * (PROTOCOL B). Without a difference, an announcement and a new `state` only the lists' lifetimes start anew.
   */
  show(eras: readonly Era[], main: Catalogue, legacy: Catalogue | undefined, more: Shown = {}): void {
    const { announced = [], state } = more;
    const lists = LISTS.filter(
      (list) => announced.includes(list) || differs(list, this.#main, main) || differs(list, this.#legacy ?? this.#main, legacy ?? main),
    );
    const same = sameEras(this.#eras, eras) && sameCatalogue(this.#main, main) && sameOrNone(this.#legacy, legacy);
    this.#eras = eras;
    this.#main = main;
    this.#legacy = legacy;
    if (!same || lists.length > 0 || state !== undefined) this.#registry.put(this.#entry(state), lists);
    else this.#registry.renew(this.#entry());
  }

  #entry(state = this.#known()?.state ?? ({ state: 'connecting' } as const)): ServerEntry {
    const { name, transport } = this.#config;
    const legacy = this.#legacy === undefined ? {} : { legacy: this.#legacy };
    return {
      name,
      kind: 'upstream',
      transport,
      eras: this.#eras,
      ...this.#main,
      ...legacy,
      state,
    };
  }

  #known(): ServerEntry | undefined {
    return this.#registry.get(this.#config.name);
  }
}

export interface Shown {
  readonly announced?: readonly ListName[];
  readonly state?: ServerState;
}

const LISTS: readonly ListName[] = ['tools', 'prompts', 'resources'];

/** A list that did not change is the same object: `CatalogueReader` sees to that. */
function differs(list: ListName, one: Catalogue, other: Catalogue): boolean {
  if (list === 'tools') return others(one.tools, other.tools);
  if (list === 'prompts') return others(one.prompts.items, other.prompts.items);
  return others(one.resources.items, other.resources.items) || others(one.templates.items, other.templates.items);
}

const others = (one: readonly unknown[], other: readonly unknown[]): boolean => one !== other && one.length + other.length > 0;
const sameOrNone = (one: Catalogue | undefined, other: Catalogue | undefined): boolean =>
  one === other || (one !== undefined && other !== undefined && sameCatalogue(one, other));
const sameEras = (one: readonly Era[], other: readonly Era[]): boolean => one.join() === other.join();
