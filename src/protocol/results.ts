import { editedText, metaWith } from './json-edit.ts';
import type { Edit, JsonText } from './json-text.ts';
import { META, isObject, type Implementation } from './meta.ts';

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
  const edits: Edit[] = [];
  if (typeof value.resultType !== 'string') edits.push(['resultType', '"complete"']);
  if (meta?.[META.serverInfo] === undefined) edits.push(metaWith(result, META.serverInfo, JSON.stringify(stamp.serverInfo)));
  if (stamp.cache !== undefined) {
    if (!isTtl(value.ttlMs)) edits.push(['ttlMs', String(stamp.cache.ttlMs)]);
    if (value.cacheScope !== 'public' && value.cacheScope !== 'private') edits.push(['cacheScope', JSON.stringify(stamp.cache.cacheScope)]);
  }
  return editedText(text, edits);
}

const isTtl = (value: unknown): boolean => typeof value === 'number' && Number.isInteger(value) && value >= 0;
