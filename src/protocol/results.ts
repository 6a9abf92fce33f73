import { META, MODERN_META, isObject, type Implementation, type JsonObject } from './meta.ts';
import { memberOf, objectSpan, spliceObject, type JsonText } from './json-text.ts';

/** How long and for whom a result may be cached (S26 caching): required on discover, lists and resources/read. */
export interface CacheHint {
  readonly ttlMs: number;
  readonly cacheScope: 'public' | 'private';
}

/** Methods whose complete results carry `ttlMs` and `cacheScope`. */
export const CACHEABLE: ReadonlySet<string> = new Set([
  'server/discover',
  'tools/list',
  'prompts/list',
  'resources/list',
  'resources/templates/list',
  'resources/read',
]);

export interface Stamp {
  readonly serverInfo: Implementation;
  readonly cache?: CacheHint | undefined;
}

/**
 * A result as a client of the modern era expects it: `resultType`, the server's identity in `_meta`, cache hints where the method
 * wants them. What the upstream stated itself is kept; everything else stays the bytes it was (PROTOCOL A5).
 */
export function stampResult(result: JsonText, stamp: Stamp): string {
  const { value, text } = result;
  const meta = isObject(value._meta) ? value._meta : undefined;
  if (typeof value.resultType === 'string' && meta?.[META.serverInfo] !== undefined && stamp.cache === undefined) return text;
  const edits: Record<string, string> = {};
  if (typeof value.resultType !== 'string') edits.resultType = '"complete"';
  if (meta?.[META.serverInfo] === undefined) edits._meta = metaWith(result, meta, META.serverInfo, JSON.stringify(stamp.serverInfo));
  if (stamp.cache !== undefined) {
    if (!isTtl(value.ttlMs)) edits.ttlMs = String(stamp.cache.ttlMs);
    if (value.cacheScope !== 'public' && value.cacheScope !== 'private') edits.cacheScope = JSON.stringify(stamp.cache.cacheScope);
  }
  for (const _key in edits) return spliceObject(text, objectSpan(text), edits);
  return text;
}

const isTtl = (value: unknown): boolean => typeof value === 'number' && Number.isInteger(value) && value >= 0;

function metaWith(result: JsonText, meta: JsonObject | undefined, key: string, json: string): string {
  if (meta === undefined) return `{${JSON.stringify(key)}:${json}}`;
  const member = memberOf(objectSpan(result.text), '_meta');
  return member === undefined
    ? `{${JSON.stringify(key)}:${json}}`
    : spliceObject(result.text, objectSpan(result.text, member.start), { [key]: json });
}

/** Methods of the legacy era whose result is exactly `{}` (PROTOCOL A5). */
const EMPTY_RESULT: ReadonlySet<string> = new Set(['ping', 'logging/setLevel', 'resources/subscribe', 'resources/unsubscribe']);

/**
 * A result as a client of a legacy revision expects it: without `resultType`, cache hints and modern `_meta` keys, and without
 * structured content that is not an object, which those revisions do not know (PROTOCOL A5, C14).
 */
export function stripResult(result: JsonText, method: string): string {
  if (EMPTY_RESULT.has(method)) return '{}';
  const { value, text } = result;
  const edits: Record<string, string | null> = {};
  if (value.resultType !== undefined) edits.resultType = null;
  if (CACHEABLE.has(method)) Object.assign(edits, { ttlMs: null, cacheScope: null });
  if (value.structuredContent !== undefined && !isObject(value.structuredContent)) edits.structuredContent = null;
  const meta = isObject(value._meta) ? strippedMeta(text, value._meta) : undefined;
  if (meta !== undefined) edits._meta = meta;
  for (const _key in edits) return spliceObject(text, objectSpan(text), edits);
  return text;
}

function strippedMeta(text: string, meta: JsonObject): string | null | undefined {
  const modern = Object.keys(meta).filter((key) => MODERN_META.has(key));
  if (modern.length === 0) return undefined;
  if (modern.length === Object.keys(meta).length) return null;
  const member = memberOf(objectSpan(text), '_meta');
  return member && spliceObject(text, objectSpan(text, member.start), Object.fromEntries(modern.map((key) => [key, null])));
}
