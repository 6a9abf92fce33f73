import type { CacheHint, Era, HeaderParam, ServerFacts, ToolDefinition, Validate } from '../protocol/index.ts';

/** What a server is doing, as its manager reports it. */
export type ServerState =
  | { readonly state: 'stopped' }
  | { readonly state: 'connecting' }
  | { readonly state: 'ready'; readonly since: number }
  /** Not reachable; the next attempt is at `retryAt` (milliseconds since the epoch). `reason` is public. */
  | { readonly state: 'backing_off'; readonly reason: string; readonly retryAt: number };

/** What happens in the world when a tool runs (DESIGN 5). Unknown means write. */
export type SideEffect = 'read' | 'idempotent_write' | 'write';

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
}

/** One server of the catalogue: an upstream, or StockPulse's own. */
export interface ServerEntry {
  /** `[a-z0-9-]`; unique. */
  readonly name: string;
  readonly kind: 'stockpulse' | 'upstream';
  readonly transport: 'local' | 'stdio' | 'http';
  readonly state: ServerState;
  /** Eras in which it can be called now; empty until it was reached once. */
  readonly eras: readonly Era[];
  readonly facts: ServerFacts;
  /** In the server's own order. */
  readonly tools: readonly CatalogueTool[];
  readonly toolsCache: CacheHint;
  /** Tools that were left out, each with the reason. */
  readonly warnings: readonly string[];
}

/** True for a server that has no catalogue yet because it could not be reached so far; one that was lost later keeps its last one. */
export function neverReached({ state, eras }: Pick<ServerEntry, 'state' | 'eras'>): boolean {
  return state.state !== 'ready' && eras.length === 0;
}
