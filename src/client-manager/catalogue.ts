import type { CacheHint, Call, HeaderParam } from '../protocol/index.ts';
import type { Catalogue, CatalogueTool, ItemList, ListName } from '../registry/index.ts';
import type { Clock } from '../shared/index.ts';
import { ConnectError, type Connection } from './connection.ts';
import { LIST_READERS, type Discovered, type DiscoveryOptions, type Lists } from './discovery.ts';
import { ExtraTools, sameTools, type ExtraToolsOptions, type Source } from './extra-tools.ts';
import { pollAfter, Refresher } from './refresher.ts';
import { settledWithin } from './waiting.ts';

export interface CatalogueOptions extends ExtraToolsOptions {
  readonly clock: Clock;
  /** A list was read again, or the server says that it changed: `value` is as it should be shown. */
  readonly onRead: (announced: readonly ListName[]) => void;
  /** A list was refused by a server that answers: it may have turned into another one. */
  readonly onRefused: () => void;
}

interface Part {
  readonly list: ListName;
  readonly refresher: Refresher;
  /** An announced change is passed on even if nothing is different: clients are told of it (PROTOCOL B). */
  announced: boolean;
  ttlMs: number;
  doubtedAt: number;
  /** Readings in a row that failed. */
  failures: number;
  failedAt: number;
}

/** An announced change is passed on by then, read or not: half a second is what clients wait, and some of it is spent gathering. */
const TELL_MS = 300;
/** After a reading that failed clients do not cause another one for so long, and twice as long for each one more in a row. */
const REST_MS = 1_000;
const MOST_DOUBLINGS = 6;
const LIST_NAMES: readonly ListName[] = ['tools', 'prompts', 'resources'];

/**
 * What a server shows in one era. A list is read again when the server announces a change, when its lifetime is over, and when an answer
 * shows that it is out of date. A failed reading and a lost connection leave the last known list; one that did not change stays the same object.
 */
export class CatalogueReader {
  readonly #options: CatalogueOptions;
  readonly #parts: Readonly<Record<ListName, Part>>;
  readonly #extra: ExtraTools;
  #source: Source | undefined;
  #lists: Lists | undefined;
  /** The tools that everyone sees. */
  #plain: readonly CatalogueTool[] = [];
  #value: Catalogue | undefined;

  constructor(options: CatalogueOptions) {
    this.#options = options;
    const part = (list: ListName): Part => {
      const refresher = new Refresher(options.limits.refreshDelayMs, () => this.#refresh(this.#parts[list]));
      return { list, refresher, announced: false, ttlMs: 0, doubtedAt: -Infinity, failures: 0, failedAt: -Infinity };
    };
    this.#parts = { tools: part('tools'), prompts: part('prompts'), resources: part('resources') };
    this.#extra = new ExtraTools(options, () => this.#extraChanged());
  }

  /** Undefined until the server was reached once. */
  get value(): Catalogue | undefined {
    return this.#value;
  }

  /** A new connection and the lists that were read over it. `signal` is aborted when it is over. */
  take(source: Source, discovered: Discovered): void {
    this.#source = source;
    this.#set(source, discovered, LIST_NAMES);
    for (const list of LIST_NAMES) {
      const part = this.#parts[list];
      part.announced = false;
      part.refresher.forget();
      this.#schedule(part, discovered.failed.has(list) ? 0 : ttlOf(list, discovered));
    }
  }

  /** The connection is over: nothing is read before the next one. */
  leave(connection: Connection): void {
    if (this.#source?.connection !== connection) return;
    this.#source = undefined;
    for (const list of LIST_NAMES) this.#parts[list].refresher.forget();
  }

  /** The server says that a list changed. */
  announced(list: ListName): void {
    if (this.#source === undefined) return;
    this.#parts[list].announced = true;
    this.#parts[list].refresher.soon();
  }

  /** Announcements may have been missed. */
  reread(): void {
    if (this.#source === undefined) return;
    for (const list of LIST_NAMES) if (list === 'tools' || this.#has(list)) this.#parts[list].refresher.soon();
  }

  /** An answer shows that the list is out of date. It is read soon, but not for each such answer of a server that gives no others. */
  doubt(list: ListName = 'tools'): void {
    if (this.#mayDoubt(this.#parts[list])) this.#parts[list].refresher.soon();
  }

  /**
   * The arguments that the tool mirrors into headers now, after they were refused; undefined if they are no others than those that
   * were refused and the list was read a moment ago (PROTOCOL C3). Waits no longer than `ms`.
   */
  async presentHeaders(call: Call, ms: number, signal: AbortSignal): Promise<readonly HeaderParam[] | undefined> {
    const part = this.#parts.tools;
    const read = part.refresher.reading || this.#mayDoubt(part);
    if (read) await settledWithin(part.refresher.now(), ms, signal);
    const name = call.subject?.value ?? call.params?.value.name;
    const tool = this.#value?.tools.find(({ definition }) => definition.name === name);
    const params = tool?.headerParams ?? call.headerParams;
    return read || !sameJson(params, call.headerParams) ? params : undefined;
  }

  /**
   * Reads a list for a client that wants it when its lifetime is over. Waits no longer than `ms`; not at all for a reading that others waited for
   * in vain, and for a server whose last answer, a moment ago, was none.
   */
  async fresh(list: ListName, ms: number): Promise<void> {
    const { refresher, failures, failedAt } = this.#parts[list];
    if (this.#source === undefined || (list !== 'tools' && !this.#has(list)) || refresher.readingMs > ms) return;
    if (failures > 0 && performance.now() - failedAt < REST_MS * 2 ** Math.min(failures, MOST_DOUBLINGS)) return;
    await settledWithin(refresher.anew(this.#options.limits.rereadMinMs), ms, this.#source.signal);
  }

  /** Has what the server shows only to clients that can be asked: see `ExtraTools.ready`. */
  askable(ms: number): Promise<boolean> {
    return this.#extra.ready(ms);
  }

  async stop(): Promise<void> {
    this.#source = undefined;
    for (const list of LIST_NAMES) this.#parts[list].refresher.stop();
    await this.#extra.stop();
  }

  #has(list: ListName): boolean {
    return this.#source?.connection.facts.capabilities[list] !== undefined;
  }

  #mayDoubt(part: Part): boolean {
    const now = performance.now();
    if (now - part.doubtedAt < this.#options.limits.refreshMinMs) return false;
    part.doubtedAt = now;
    return true;
  }

  #schedule(part: Part, ttlMs: number): void {
    part.ttlMs = ttlMs;
    // What a server does not have is read when it says that this changed, not from time to time.
    if (part.list !== 'tools' && !this.#has(part.list)) return;
    part.refresher.later(pollAfter(ttlMs, this.#options.limits.refreshMinMs, part.failures));
  }

  async #refresh(part: Part): Promise<void> {
    const source = this.#source;
    if (source === undefined) return;
    const { list } = part;
    const { emit, onRead } = this.#options;
    let tell = part.announced ? [list] : [];
    part.announced = false;
    const slow = setTimeout(() => {
      if (this.#source === source && tell.length > 0) onRead(tell);
      tell = [];
    }, TELL_MS);
    let { ttlMs } = part;
    try {
      ttlMs = await this.#read(part, source);
      part.failures = 0;
    } catch (error) {
      part.failures++;
      part.failedAt = performance.now();
      if (this.#source === source)
        emit({ kind: 'refresh_failed', reason: error instanceof ConnectError ? error.reason : 'an unexpected error' });
      if (this.#source === source && error instanceof ConnectError) this.#options.onRefused();
    }
    clearTimeout(slow);
    if (this.#source !== source) return;
    onRead(tell);
    this.#schedule(part, ttlMs);
  }

  /** Milliseconds for which the list that was read is good. */
  async #read({ list }: Part, source: Source): Promise<number> {
    const { gateway, limits, config, emit, judge } = this.#options;
    const read = await readOne(list, source.connection, {
      gateway,
      limits,
      scopes: config.scopes,
      policies: config.tools,
      judge,
      signal: source.signal,
    });
    if (this.#source !== source || this.#lists === undefined) return 0;
    const before = this.#value;
    this.#set(source, { ...this.#lists, ...read }, [list]);
    if (before !== undefined && this.#value !== undefined && !sameCatalogue(before, this.#value))
      emit({ kind: 'catalogue_refreshed', list, tools: this.#value.tools.length });
    return ttlOf(list, this.#lists);
  }

  /** Parts that say nothing new stay the objects they were: compiled schemas and views stay good. */
  #set(source: Source, lists: Lists, read: readonly ListName[]): void {
    const { facts } = source.connection;
    const now = this.#options.clock.now();
    const before = this.#value;
    const readAt = (list: ListName, was: number | undefined): number => (read.includes(list) ? now : (was ?? now));
    const items = (list: 'prompts' | 'resources', next: ItemList, was: ItemList | undefined): ItemList => ({
      items: was !== undefined && sameTexts(was.items, next.items) ? was.items : next.items,
      cache: next.cache,
      readAt: readAt(list, was?.readAt),
    });
    const { tools, prompts, resources } = lists;
    const warnings = [...tools.warnings, ...prompts.warnings, ...resources.warnings];
    const told = before !== undefined && sameJson(before.warnings, warnings);
    this.#lists = lists;
    if (!sameTools(this.#plain, tools.tools)) this.#plain = tools.tools;
    this.#extra.follow(source, this.#plain);
    this.#value = {
      facts: before !== undefined && sameJson(before.facts, facts) ? before.facts : facts,
      tools: this.#shown(before?.tools),
      toolsCache: tools.toolsCache,
      toolsReadAt: readAt('tools', before?.toolsReadAt),
      prompts: items('prompts', prompts.prompts, before?.prompts),
      resources: items('resources', resources.resources, before?.resources),
      templates: items('resources', resources.templates, before?.templates),
      warnings: told ? before.warnings : warnings,
    };
    if (!told && warnings.length > 0) this.#options.emit({ kind: 'tools_left_out', reasons: warnings.slice(0, 50) });
  }

  /** The tools that everyone sees, and behind them the others; the same list as before where it holds the same. */
  #shown(before: readonly CatalogueTool[] = []): readonly CatalogueTool[] {
    const extra = this.#extra.tools;
    const tools = extra.length === 0 ? this.#plain : [...this.#plain, ...extra];
    return sameTools(before, tools) ? before : tools;
  }

  #extraChanged(): void {
    if (this.#value === undefined) return;
    const tools = this.#shown(this.#value.tools);
    this.#value = { ...this.#value, tools };
    this.#options.emit({ kind: 'catalogue_refreshed', list: 'tools', tools: tools.length });
    this.#options.onRead([]);
  }
}

/**
 * True if both say the same, lifetimes apart: an intermediary counts its own down, and a list is none the newer for it. For catalogues of one
 * reader, whose unchanged parts are the same objects.
 */
export function sameCatalogue(one: Catalogue, other: Catalogue): boolean {
  return (
    one.facts === other.facts &&
    one.warnings === other.warnings &&
    one.tools === other.tools &&
    sameScope(one.toolsCache, other.toolsCache) &&
    ITEM_LISTS.every((list) => one[list].items === other[list].items && sameScope(one[list].cache, other[list].cache))
  );
}

const ITEM_LISTS = ['prompts', 'resources', 'templates'] as const;

function ttlOf(list: ListName, lists: Lists): number {
  if (list === 'tools') return lists.tools.toolsCache.ttlMs;
  if (list === 'prompts') return lists.prompts.prompts.cache.ttlMs;
  return Math.min(lists.resources.resources.cache.ttlMs, lists.resources.templates.cache.ttlMs);
}

async function readOne(list: ListName, connection: Connection, options: DiscoveryOptions): Promise<Partial<Lists>> {
  if (list === 'tools') return { tools: await LIST_READERS.tools(connection, options) };
  if (list === 'prompts') return { prompts: await LIST_READERS.prompts(connection, options) };
  return { resources: await LIST_READERS.resources(connection, options) };
}

const sameTexts = (one: readonly { readonly text: string }[], other: readonly { readonly text: string }[]): boolean =>
  one.length === other.length && one.every(({ text }, i) => text === other[i]?.text);
const sameScope = (one: CacheHint, other: CacheHint): boolean => one.cacheScope === other.cacheScope;
const sameJson = (one: unknown, other: unknown): boolean => one === other || JSON.stringify(one) === JSON.stringify(other);
