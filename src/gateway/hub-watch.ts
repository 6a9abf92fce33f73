import { eraOf, type Announcement, type Era, type Interest, type JsonText, type Listening, type Target } from '../protocol/index.ts';
import type { ListName, Registry } from '../registry/index.ts';
import type { Sealer } from '../security/index.ts';
import type { Lists } from './capabilities.ts';
import type { Watch, WatchFilter, WatchRequest } from './client-port.ts';
import { openTaskId, showTask } from './task-ids.ts';
import { resolveUri, wrapResultUris, wrapUri } from './uris.ts';

/** What a watch works with. */
export interface WatchContext {
  readonly registry: Registry;
  readonly sealer: Sealer;
  readonly targets: (server: string) => Target | undefined;
  /** Scopes without which a caller hears nothing of a server. */
  readonly scopesOf: (server: string) => readonly string[];
  readonly onError: (error: unknown) => void;
  /** Something waits to be sent: `flush` is to be called soon. */
  readonly onPending: (watch: HubWatch) => void;
  readonly onClosed: (watch: HubWatch) => void;
  /** How long the servers have to say what they honour. */
  readonly acknowledgeMs: number;
}

/** What is wanted of one server, with the client's own texts by the server's. */
interface Wanted {
  readonly uris: Map<string, string>;
  readonly tasks: Map<string, { readonly sealed: string; readonly era: Era }>;
}

const LIST_NAMES = ['tools', 'prompts', 'resources'] as const satisfies readonly ListName[];
/** Changed resources that wait for the next flush; more make it come at once. */
const MAX_PENDING = 1000;
const URIS = { wrapUri, resolveUri, wrapResultUris } as const;
const NOTHING: Interest = { uris: [], taskIds: [] };

/** One client's watch of one endpoint. List changes and changed resources are collected, so that a burst becomes one notice of each. */
export class HubWatch implements Watch {
  readonly honoured: Promise<WatchFilter>;
  readonly #request: WatchRequest;
  readonly #context: WatchContext;
  readonly #lists: Lists;
  readonly #listenings: Listening[] = [];
  readonly #refused = new Set<string>();
  readonly #agreed = { uris: new Set<string>(), taskIds: new Set<string>() };
  readonly #changedLists = new Set<ListName>();
  readonly #changedUris = new Map<string, JsonText>();
  #acknowledge: () => void = () => undefined;
  #closed = false;

  /** `lists`: those that the endpoint has. The request's URIs and task ids are those that there is room for. */
  constructor(request: WatchRequest, lists: Lists, context: WatchContext) {
    const { filter } = request;
    this.#request = request;
    this.#context = context;
    this.#lists = {
      tools: filter.tools && lists.tools,
      prompts: filter.prompts && lists.prompts,
      resources: filter.resources && lists.resources,
    };
    this.honoured = this.#open();
  }

  get path(): string {
    return this.#request.endpoint.path;
  }

  refuses(uri: string): boolean {
    return this.#refused.has(uri);
  }

  /** How many URIs and task ids it holds places for. */
  get places(): number {
    const { uris, taskIds } = this.#request.filter;
    return uris.length + taskIds.length;
  }

  /** Lists of a server behind the endpoint changed. */
  changed(lists: readonly ListName[]): void {
    const before = this.#changedLists.size;
    for (const list of lists) if (this.#lists[list]) this.#changedLists.add(list);
    if (this.#changedLists.size > before) this.#context.onPending(this);
  }

  /** Takes over what another watch of the same client has collected and not sent, and closes it. */
  replace(other: HubWatch): void {
    for (const list of other.#changedLists) if (this.#lists[list]) this.#changedLists.add(list);
    for (const [uri, params] of other.#changedUris) this.#changedUris.set(uri, params);
    other.close();
    if (this.#changedLists.size + this.#changedUris.size > 0) this.#context.onPending(this);
  }

  /** Sends what was collected. */
  flush(): void {
    const lists = LIST_NAMES.filter((list) => this.#changedLists.has(list));
    const updates = [...this.#changedUris.values()];
    this.#changedLists.clear();
    this.#changedUris.clear();
    for (const list of lists) this.#tell(`notifications/${list}/list_changed`, undefined);
    for (const params of updates) this.#tell('notifications/resources/updated', params);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#changedLists.clear();
    this.#changedUris.clear();
    for (const listening of this.#listenings.splice(0)) this.#guard(() => listening.close());
    this.#acknowledge();
    this.#context.onClosed(this);
  }

  /** Starts to listen to each server that is concerned; done when all of them have said what they honour, or time is up. */
  #open(): Promise<WatchFilter> {
    const { promise, resolve } = Promise.withResolvers<WatchFilter>();
    const answers: Promise<void>[] = [];
    for (const [server, wanted] of this.#wanted()) {
      const listening = this.#listen(server, wanted);
      if (listening === undefined) continue;
      this.#listenings.push(listening);
      answers.push(listening.honoured.then((interest) => this.#agree(wanted, interest)));
    }
    const timer = setTimeout(() => this.#acknowledge(), this.#context.acknowledgeMs);
    this.#acknowledge = () => {
      clearTimeout(timer);
      resolve(this.#filter());
    };
    void Promise.allSettled(answers).then(() => this.#acknowledge());
    return promise;
  }

  #wanted(): Map<string, Wanted> {
    const { endpoint, principal, filter } = this.#request;
    const { registry, sealer } = this.#context;
    const byServer = new Map<string, Wanted>();
    const of = (server: string): Wanted => {
      let wanted = byServer.get(server);
      if (wanted === undefined) byServer.set(server, (wanted = { uris: new Map(), tasks: new Map() }));
      return wanted;
    };
    for (const shown of filter.uris) {
      const meant = resolveUri(endpoint, shown, registry);
      if (meant !== undefined) of(meant.server).uris.set(meant.uri, shown);
    }
    for (const sealed of filter.taskIds) {
      const task = openTaskId(sealer, sealed, principal.id);
      if (task === undefined || (endpoint.kind === 'server' && endpoint.server !== task.server)) continue;
      of(task.server).tasks.set(task.id, { sealed, era: task.era });
    }
    return byServer;
  }

  #listen(server: string, wanted: Wanted): Listening | undefined {
    const { principal, session } = this.#request;
    if (!this.#context.scopesOf(server).every((scope) => principal.scopes.has(scope))) return undefined;
    const interest = { uris: [...wanted.uris.keys()], taskIds: [...wanted.tasks.keys()], era: eraOf(this.#request.client.revision) };
    const onAnnouncement = (announcement: Announcement): void => this.#announced(server, wanted, announcement);
    return this.#guard(() =>
      this.#context.targets(server)?.listen?.(interest, { principal: principal.id, scopes: principal.scopes, session }, onAnnouncement),
    );
  }

  #agree(wanted: Wanted, interest: Interest = NOTHING): void {
    for (const uri of interest.uris) {
      const shown = wanted.uris.get(uri);
      if (shown !== undefined) this.#agreed.uris.add(shown);
    }
    for (const shown of wanted.uris.values()) if (!this.#agreed.uris.has(shown)) this.#refused.add(shown);
    for (const id of interest.taskIds) {
      const task = wanted.tasks.get(id);
      if (task !== undefined) this.#agreed.taskIds.add(task.sealed);
    }
  }

  #filter(): WatchFilter {
    const { uris, taskIds } = this.#request.filter;
    return {
      ...this.#lists,
      uris: uris.filter((uri) => this.#agreed.uris.has(uri)),
      taskIds: taskIds.filter((id) => this.#agreed.taskIds.has(id)),
    };
  }

  /** What a server says must break nothing here, whatever it is. */
  #announced(server: string, wanted: Wanted, announcement: Announcement): void {
    if (this.#closed) return;
    this.#guard(() => {
      if (announcement.method === 'notifications/tasks') this.#taskChanged(server, wanted, announcement.params);
      else this.#resourceChanged(server, announcement.params);
    });
  }

  #resourceChanged(server: string, params: JsonText): void {
    const { uri } = params.value;
    if (typeof uri !== 'string') return;
    const { endpoint } = this.#request;
    const shown = wrapResultUris(endpoint, server, 'notifications/resources/updated', params, this.#context.registry);
    const id = wrapUri(endpoint, server, uri, this.#context.registry);
    const first = this.#changedUris.size === 0;
    this.#changedUris.set(id, shown);
    if (this.#changedUris.size >= MAX_PENDING) this.flush();
    else if (first) this.#context.onPending(this);
  }

  /** Each state of a task counts, so these are not collected. Tasks that this client did not name are not its business. */
  #taskChanged(server: string, wanted: Wanted, params: JsonText): void {
    const { taskId } = params.value;
    const task = typeof taskId === 'string' ? wanted.tasks.get(taskId) : undefined;
    if (task === undefined) return;
    const { endpoint, principal } = this.#request;
    const { registry, sealer } = this.#context;
    const view = { sealer, registry, uris: URIS, endpoint, server, era: task.era, principal: principal.id };
    const shown = showTask(view, params);
    if (shown !== undefined) this.#tell('notifications/tasks', shown);
  }

  #tell(method: string, params: JsonText | undefined): void {
    if (!this.#closed) this.#guard(() => this.#request.onNotice(method, params));
  }

  #guard<T>(run: () => T): T | undefined {
    try {
      return run();
    } catch (error) {
      this.#context.onError(error);
      return undefined;
    }
  }
}
