import type { ServerEntry, ServerState } from './server-entry.ts';

export interface RegistryChange {
  readonly server: string;
  /** `catalogue`: tools or facts changed. `state`: only the state did. `removed`: it is gone. */
  readonly what: 'catalogue' | 'state' | 'removed';
  /** Lists that clients are to be told of; empty for a change of state. */
  readonly lists: readonly ListName[];
}

/** Lists whose changes are announced (`notifications/<name>/list_changed`). Templates go with `resources`. */
export type ListName = 'tools' | 'prompts' | 'resources';

const ALL_LISTS: readonly ListName[] = ['tools', 'prompts', 'resources'];

/**
 * The catalogue of servers and their capabilities, with health as their managers report it. It stores and emits, and calls nobody.
 * Order is the order in which servers were first put, which is config order.
 */
export class Registry {
  readonly #servers = new Map<string, ServerEntry>();
  readonly #listeners = new Set<(change: RegistryChange) => void>();
  #version = 0;

  /** Grows with every change of any catalogue: what was derived from an older version is stale. */
  get version(): number {
    return this.#version;
  }

  /** `lists`: those that changed, or that the server says did. */
  put(entry: ServerEntry, lists: readonly ListName[] = ALL_LISTS): void {
    this.#servers.set(entry.name, entry);
    this.#emit({ server: entry.name, what: 'catalogue', lists });
  }

  setState(name: string, state: ServerState): void {
    const entry = this.#servers.get(name);
    if (entry !== undefined) this.renew({ ...entry, state });
  }

  /** An entry that shows nothing else than the one before: only the state or the time of reading are other ones. */
  renew(entry: ServerEntry): void {
    this.#servers.set(entry.name, entry);
    this.#emit({ server: entry.name, what: 'state', lists: [] });
  }

  remove(name: string): void {
    if (this.#servers.delete(name)) this.#emit({ server: name, what: 'removed', lists: ALL_LISTS });
  }

  get(name: string): ServerEntry | undefined {
    return this.#servers.get(name);
  }

  list(): readonly ServerEntry[] {
    return [...this.#servers.values()];
  }

  /** Calls back on every change until the returned function is called. */
  onChange(listener: (change: RegistryChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #emit(change: RegistryChange): void {
    if (change.what !== 'state') this.#version++;
    for (const listener of this.#listeners) listener(change);
  }
}
