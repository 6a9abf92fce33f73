import { isObject } from '../../protocol/index.ts';
import { exactNumber } from './exact.ts';

/** A list inside a value, its items' sizes and where it is. */
interface List {
  readonly path: string;
  readonly items: unknown[];
  readonly bytes: number;
}

export interface Shrunk {
  readonly value: unknown;
  readonly json: string;
  /** What was left out, in words: `items: the first 20 of 500`. */
  readonly notes: readonly string[];
}

const MAX_DEPTH = 8;
const MAX_ROUNDS = 6;

const sizeOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value) ?? '');

/** The list on the heaviest way down from the root that holds most of the bytes. */
function largestList(value: unknown, path: string, depth: number): List | undefined {
  if (depth > MAX_DEPTH || typeof value !== 'object' || value === null || exactNumber(value) !== undefined) return undefined;
  if (Array.isArray(value) && value.length > 1) return { path: path || 'the list', items: value as unknown[], bytes: sizeOf(value) };
  const found = Object.entries(value).map(([key, child]) => largestList(child, path === '' ? key : `${path}.${key}`, depth + 1));
  return found.reduce((best, list) => (list !== undefined && (best === undefined || list.bytes > best.bytes) ? list : best), undefined);
}

/** How many items fit into so many bytes, one at least. */
function fitting(items: readonly unknown[], room: number): number {
  let bytes = 2;
  for (const [i, item] of items.entries()) {
    bytes += sizeOf(item) + 1;
    if (bytes > room) return Math.max(1, i);
  }
  return items.length;
}

/**
 * A copy of the JSON value with its longest lists cut at their ends until it fits; undefined if that does not make it small enough. What
 * is left has the shape that it had.
 */
export function shrink(value: unknown, maxBytes: number): Shrunk | undefined {
  if (!isObject(value) && !Array.isArray(value)) return undefined;
  const copy = { root: structured(value) };
  const notes: string[] = [];
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const json = JSON.stringify(copy.root);
    const excess = Buffer.byteLength(json) - maxBytes;
    if (excess <= 0) return { value: copy.root, json, notes };
    const list = largestList(copy.root, '', 0);
    if (list === undefined) return undefined;
    const kept = Math.min(list.items.length - 1, fitting(list.items, list.bytes - excess));
    notes.push(`${list.path}: the first ${kept} of ${list.items.length}`);
    list.items.length = kept;
  }
  return undefined;
}

/** A copy of objects and lists; numbers that keep their text are shared. */
function structured(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || exactNumber(value) !== undefined) return value;
  if (Array.isArray(value)) return value.map(structured);
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, structured(child)]));
}
