import type { AskClient, CallerSession, SessionWatcher } from '../../protocol/index.ts';

/** A session as the targets of its calls know it. */
export class SessionPeer implements CallerSession {
  readonly #asker: () => AskClient | undefined;
  readonly #watchers = new Set<SessionWatcher>();
  #over = false;

  /** `asker`: how the client is asked apart from its requests, now. */
  constructor(asker: () => AskClient | undefined) {
    this.#asker = asker;
  }

  get ask(): AskClient | undefined {
    return this.#over ? undefined : this.#asker();
  }

  /** Who wants to be told. */
  get watchers(): number {
    return this.#watchers.size;
  }

  watch(watcher: SessionWatcher): () => void {
    if (this.#over) watcher.ended();
    else this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  }

  rootsChanged(): void {
    for (const watcher of this.#watchers) watcher.rootsChanged();
  }

  end(): void {
    this.#over = true;
    for (const watcher of this.#watchers) watcher.ended();
    this.#watchers.clear();
  }
}
