import type { CacheHint, Era, HeaderParam, JsonObject, ServerFacts, SideEffect, ToolDefinition, Validate } from '../protocol/index.ts';

/** What a server is doing, as its manager reports it. */
export type ServerState =
  | { readonly state: 'stopped' }
  /** `reason` is why it is not connected, if that is known: the last attempt failed, or its connection was lost. Public. */
  | { readonly state: 'connecting'; readonly reason?: string }
  | { readonly state: 'ready'; readonly since: number }
  /** Not reachable; the next attempt is at `retryAt` (milliseconds since the epoch). `reason` is public. */
  | { readonly state: 'backing_off'; readonly reason: string; readonly retryAt: number };

export type { SideEffect };

/** A check that runs, or the reason why a tool goes without it: the call record says so. */
export type Check = { readonly validate: Validate } | { readonly skipped: string };

export interface CatalogueTool {
  readonly definition: ToolDefinition;
  readonly sideEffect: SideEffect;
  /** Scopes that a caller needs, all of them. */
  readonly scopes: readonly string[];
  /** Arguments mirrored into `Mcp-Param-*` headers. */
  readonly headerParams: readonly HeaderParam[];
  /** Compiled on first use: a catalogue of thousands of tools costs nothing until they are called. */
  readonly arguments: () => Check;
  /** Undefined if the tool declares no outputSchema. */
  readonly result: (() => Check) | undefined;
  /** Client capabilities of which a client has to declare one set: the server shows the tool to no other. Absent where it shows it to everyone. */
  readonly needs?: readonly JsonObject[] | undefined;
}

/** A prompt, a resource or a resource template as its server defined it: parsed for looking, text for passing on. */
export interface ListItem {
  /** The prompt's `name`, the resource's `uri`, the template's `uriTemplate`. */
  readonly id: string;
  readonly text: string;
  readonly value: JsonObject;
}

/** One list of a server, in the server's own order. */
export interface ItemList {
  readonly items: readonly ListItem[];
  readonly cache: CacheHint;
  /** When the server said so (milliseconds since the epoch): `ttlMs` counts down from there. Absent where it does not age. */
  readonly readAt?: number | undefined;
}

/** Everything that a server shows in one era. */
export interface Catalogue {
  readonly facts: ServerFacts;
  /** In the server's own order. */
  readonly tools: readonly CatalogueTool[];
  readonly toolsCache: CacheHint;
  /** As `readAt` of the other lists. */
  readonly toolsReadAt?: number | undefined;
  readonly prompts: ItemList;
  readonly resources: ItemList;
  readonly templates: ItemList;
  /** What was left out, each with the reason. */
  readonly warnings: readonly string[];
}

const NO_ITEMS: ItemList = { items: [], cache: { ttlMs: 0, cacheScope: 'private' } };
/** The lists of a server that has only tools. */
export const NO_LISTS = { prompts: NO_ITEMS, resources: NO_ITEMS, templates: NO_ITEMS } as const;

/** One server of the catalogue: an upstream, or StockPulse's own. What it shows itself is its preferred era's: the modern one where it has it. */
export interface ServerEntry extends Catalogue {
  /** `[a-z0-9-]`; unique. */
  readonly name: string;
  readonly kind: 'stockpulse' | 'upstream';
  readonly transport: 'local' | 'stdio' | 'http' | 'sse' | 'ws' | 'openapi';
  readonly state: ServerState;
  /** Eras in which it can be called now; empty until it was reached once. */
  readonly eras: readonly Era[];
  /** What a server of both eras shows in the legacy one, where it speaks that with state (PROTOCOL A1). */
  readonly legacy?: Catalogue | undefined;
}

/** What a server shows to a client of that era. */
export function catalogueOf(entry: ServerEntry, era: Era): Catalogue {
  return era === 'legacy' && entry.legacy !== undefined ? entry.legacy : entry;
}

/** True for a server that has no catalogue yet because it could not be reached so far; one that was lost later keeps its last one. */
export function neverReached({ state, eras }: Pick<ServerEntry, 'state' | 'eras'>): boolean {
  return state.state !== 'ready' && eras.length === 0;
}
