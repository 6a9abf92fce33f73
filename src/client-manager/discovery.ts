import { readTools, type CacheHint, type Implementation, type JsonObject, type ToolReading } from '../protocol/index.ts';
import { catalogueTools, type CatalogueTool } from '../registry/index.ts';
import { ConnectError, DeniedError, type Connection } from './connection.ts';
import type { Limits } from './limits.ts';
import { ownExchange, ownParams } from './own-requests.ts';

const METHOD_NOT_FOUND = -32601;

export interface Discovered {
  readonly tools: readonly CatalogueTool[];
  readonly toolsCache: CacheHint;
  /** Tools that were left out, each with the reason. */
  readonly warnings: readonly string[];
}

export interface DiscoveryOptions {
  readonly gateway: Implementation;
  readonly limits: Limits;
  readonly scopes: readonly string[];
  readonly signal: AbortSignal;
}

interface Page {
  readonly value: JsonObject;
  readonly readings: readonly ToolReading[];
  readonly bytes: number;
}

const EMPTY: Page = { value: {}, readings: [], bytes: 0 };

/** All tools of a server, through all pages, with the cache hint of the first one. Throws a ConnectError. */
export async function discoverTools(connection: Connection, options: DiscoveryOptions): Promise<Discovered> {
  const { limits, scopes } = options;
  const readings: ToolReading[] = [];
  const seen = new Set<string>();
  const cut: string[] = [];
  let first: Page | undefined;
  let cursor: string | undefined;
  let bytes = 0;
  for (;;) {
    const page = await listPage(connection, cursor, options);
    first ??= page;
    readings.push(...page.readings);
    bytes += page.bytes;
    cursor = typeof page.value.nextCursor === 'string' ? page.value.nextCursor : undefined;
    // The empty string is a cursor like any other; one that comes again would go round in circles.
    if (cursor === undefined || seen.has(cursor) || readings.length > limits.maxTools) break;
    if (seen.size + 1 >= limits.maxPages || bytes > limits.catalogueBytes) {
      cut.push(`the tools behind page ${seen.size + 1} are left out: the list is too long`);
      break;
    }
    seen.add(cursor);
  }
  const strictHeaders = connection.via === 'http-modern';
  const traits = (): { sideEffect: 'write'; scopes: readonly string[] } => ({ sideEffect: 'write', scopes });
  const { tools, warnings } = catalogueTools(readings, { traits, strictHeaders, maxTools: limits.maxTools });
  return { tools, toolsCache: cacheHint(connection, first.value, limits), warnings: [...warnings, ...cut] };
}

async function listPage(connection: Connection, cursor: string | undefined, options: DiscoveryOptions): Promise<Page> {
  const { gateway, limits, signal } = options;
  const params = ownParams(connection.era, connection.revision, gateway, cursor === undefined ? {} : { cursor });
  const reply = await connection.exchange(ownExchange({ method: 'tools/list', params, timeoutMs: limits.connectMs, signal }));
  if (reply.kind === 'failed' && reply.denied !== undefined) throw new DeniedError(reply.denied);
  if (reply.kind === 'failed') throw new ConnectError(`it did not list its tools: ${reply.failure.code}`, reply.failure);
  if (reply.result !== undefined) return { value: reply.result.value, readings: readTools(reply.result), bytes: reply.result.text.length };
  // A server without tools need not know the method.
  if (reply.error?.code === METHOD_NOT_FOUND && connection.facts.capabilities.tools === undefined) return EMPTY;
  throw new ConnectError(`it did not list its tools: error ${reply.error?.code}: ${reply.error?.message.slice(0, 200)}`, reply.error);
}

function cacheHint(connection: Connection, { ttlMs, cacheScope }: JsonObject, limits: Limits): CacheHint {
  const stated = connection.era === 'modern' && typeof ttlMs === 'number' && Number.isInteger(ttlMs) && ttlMs >= 0;
  return { ttlMs: stated ? ttlMs : limits.toolsTtlMs, cacheScope: stated && cacheScope === 'public' ? 'public' : 'private' };
}
