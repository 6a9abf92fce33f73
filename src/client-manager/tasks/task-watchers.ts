import type { Announcement, JsonText } from '../../protocol/index.ts';
import { BoundedCount, type Caps } from '../../shared/index.ts';
import type { MintedTask } from './minted-task.ts';
import { detailedText } from './stored-task.ts';

export interface TaskWatcher {
  readonly server: string;
  readonly principal: string;
  readonly tell: (announcement: Announcement) => void;
}

/** Changes on the way are told together after so long. */
const GATHER_MS = 100;

/** Who wants to hear of which tasks. */
export class TaskWatchers {
  readonly #caps: Caps;
  readonly #places: BoundedCount;
  readonly #byTask = new Map<string, Set<TaskWatcher>>();
  readonly #pollMs: number;
  readonly #timers = new Map<string, NodeJS.Timeout>();

  constructor(caps: Caps, options: { readonly cap: number; readonly pollMs: number }) {
    this.#caps = caps;
    this.#pollMs = options.pollMs;
    this.#places = new BoundedCount('tasks_watched', options.cap, caps);
  }

  /** The ids that there is room for. */
  add(ids: readonly string[], watcher: TaskWatcher): readonly string[] {
    const taken = [...new Set(ids)].filter(() => this.#places.enter());
    for (const id of taken) {
      const others = this.#byTask.get(id);
      if (others === undefined) this.#byTask.set(id, new Set([watcher]));
      else others.add(watcher);
    }
    return taken;
  }

  /** Once for what one `add` took. */
  remove(ids: readonly string[], watcher: TaskWatcher): void {
    for (const id of ids) {
      const others = this.#byTask.get(id);
      if (others?.delete(watcher) !== true) continue;
      this.#places.leave();
      if (others.size === 0) this.#byTask.delete(id);
    }
  }

  /** The task changed on its way. */
  soon(task: MintedTask): void {
    const { id } = task.facts;
    if (!this.#byTask.has(id) || this.#timers.has(id)) return;
    this.#timers.set(id, setTimeout(() => this.now(task), GATHER_MS).unref());
  }

  /** Tells where the task stands. */
  now(task: MintedTask): void {
    const { facts, state } = task;
    clearTimeout(this.#timers.get(facts.id));
    this.#timers.delete(facts.id);
    const watchers = this.#byTask.get(facts.id);
    if (watchers === undefined) return;
    const params = detailedText(facts, state, this.#pollMs);
    for (const watcher of watchers)
      if (watcher.server === facts.server && watcher.principal === facts.principal) this.tell(watcher, facts.id, params);
  }

  tell(watcher: TaskWatcher, id: string, params: JsonText): void {
    if (this.#byTask.get(id)?.has(watcher) === true) watcher.tell({ method: 'notifications/tasks', params });
  }

  stop(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    this.#byTask.clear();
    this.#caps.remove(this.#places);
  }
}
