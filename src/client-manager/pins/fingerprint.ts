import { createHash } from 'node:crypto';
import { canonicalJson, isObject, type JsonObject, type SideEffect } from '../../protocol/index.ts';

/** Members of a tool's definition that a model or a person decides by. What is left out changes nothing that was agreed to: icons, `_meta`. */
export const PINNED = ['name', 'title', 'description', 'inputSchema', 'outputSchema', 'annotations', 'execution'] as const;

/** What of a definition is pinned. */
export function pinnedPart(definition: JsonObject): JsonObject {
  return Object.fromEntries(PINNED.filter((key) => definition[key] !== undefined).map((key) => [key, definition[key]]));
}

/** The same text for definitions that say the same, however they are written. */
export function fingerprint(definition: JsonObject): string {
  return createHash('sha256')
    .update(canonicalJson(pinnedPart(definition)))
    .digest('base64url');
}

/** What a tool does to the world, by annotations that were accepted (DESIGN 5). What is not said is a write. */
export function sideEffectOf({ annotations }: JsonObject): SideEffect {
  if (!isObject(annotations)) return 'write';
  if (annotations.readOnlyHint === true) return 'read';
  return annotations.idempotentHint === true && annotations.destructiveHint === false ? 'idempotent_write' : 'write';
}

/** One difference between what was accepted and what is shown now, by its place in the definition; texts are JSON, shortened. */
export interface Difference {
  readonly path: string;
  readonly before: string | undefined;
  readonly now: string | undefined;
}

const MAX_DIFFERENCES = 50;
const MAX_TEXT = 500;

const shown = (value: unknown): string | undefined => {
  if (value === undefined) return undefined;
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT)}… (${text.length} characters)`;
};

/** Where two definitions differ, in the order of their members; at most 50 places. */
export function differences(before: JsonObject, now: JsonObject): readonly Difference[] {
  const found: Difference[] = [];
  compare('', pinnedPart(before), pinnedPart(now), found);
  return found;
}

function compare(path: string, before: unknown, now: unknown, found: Difference[]): void {
  if (found.length >= MAX_DIFFERENCES || canonicalJson(before ?? null) === canonicalJson(now ?? null)) return;
  if (isObject(before) && isObject(now)) {
    for (const key of new Set([...Object.keys(before), ...Object.keys(now)]))
      compare(path === '' ? key : `${path}.${key}`, own(before, key), own(now, key), found);
    return;
  }
  found.push({ path, before: shown(before), now: shown(now) });
}

const own = (value: JsonObject, key: string): unknown => (Object.hasOwn(value, key) ? value[key] : undefined);
