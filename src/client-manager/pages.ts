import type { CacheHint, JsonObject, JsonText } from '../protocol/index.ts';
import { ConnectError, DeniedError, type Connection } from './connection.ts';
import type { DiscoveryOptions } from './discovery.ts';
import type { Limits } from './limits.ts';
import { ownProblem } from './failures.ts';
import { ownExchange, ownParams } from './own-requests.ts';

const METHOD_NOT_FOUND = -32601;

export interface ListRequest<T> {
  /** `tools/list`, say. */
  readonly method: string;
  /** What is listed, in the plural: for messages. */
  readonly what: string;
  readonly maxItems: number;
  /** True if a server that does not know the method has none of it. */
  readonly optional: boolean;
  /** The items of one page. */
  readonly read: (result: JsonText) => readonly T[];
}

export interface Listed<T> {
  readonly items: readonly T[];
  /** The hint of the first page. */
  readonly cache: CacheHint;
  readonly warnings: readonly string[];
}

interface Page<T> {
  readonly value: JsonObject;
  readonly items: readonly T[];
  readonly bytes: number;
}

/** A list of a server through all its pages, a bit longer than `maxItems` at most. Throws a ConnectError. */
export async function readPages<T>(connection: Connection, request: ListRequest<T>, options: DiscoveryOptions): Promise<Listed<T>> {
  const { limits } = options;
  const items: T[] = [];
  const seen = new Set<string>();
  const warnings: string[] = [];
  let first: Page<T> | undefined;
  let cursor: string | undefined;
  let bytes = 0;
  for (;;) {
    const page = await readPage(connection, request, cursor, options);
    first ??= page;
    for (const item of page.items) items.push(item);
    bytes += page.bytes;
    cursor = typeof page.value.nextCursor === 'string' ? page.value.nextCursor : undefined;
    // The empty string is a cursor like any other; one that comes again would go round in circles.
    if (cursor === undefined || seen.has(cursor) || items.length > request.maxItems) break;
    if (seen.size + 1 >= limits.maxPages || bytes > limits.catalogueBytes) {
      warnings.push(`the ${request.what} behind page ${seen.size + 1} are left out: the list is too long`);
      break;
    }
    seen.add(cursor);
  }
  return { items, cache: cacheHint(connection, first.value, limits), warnings };
}

async function readPage<T>(
  connection: Connection,
  request: ListRequest<T>,
  cursor: string | undefined,
  options: DiscoveryOptions,
): Promise<Page<T>> {
  const { gateway, limits, signal } = options;
  const { method, what } = request;
  const params = ownParams(connection.era, connection.revision, gateway, cursor === undefined ? {} : { cursor });
  const reply = await connection.exchange(ownExchange({ method, params, timeoutMs: limits.connectMs, signal }));
  if (reply.kind === 'failed' && reply.denied !== undefined) throw new DeniedError(reply.denied);
  if (reply.kind === 'failed') throw new ConnectError(`it did not list its ${what}: ${reply.failure.code}`, ownProblem(reply.failure));
  if (reply.result !== undefined) return { value: reply.result.value, items: request.read(reply.result), bytes: reply.result.text.length };
  if (reply.error?.code === METHOD_NOT_FOUND && request.optional) return { value: {}, items: [], bytes: 0 };
  throw new ConnectError(`it did not list its ${what}: error ${reply.error?.code}: ${reply.error?.message.slice(0, 200)}`, reply.error);
}

function cacheHint(connection: Connection, { ttlMs, cacheScope }: JsonObject, limits: Limits): CacheHint {
  const stated = connection.era === 'modern' && typeof ttlMs === 'number' && Number.isInteger(ttlMs) && ttlMs >= 0;
  return { ttlMs: stated ? ttlMs : limits.toolsTtlMs, cacheScope: stated && cacheScope === 'public' ? 'public' : 'private' };
}
