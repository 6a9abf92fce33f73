import { isObject, type JsonObject } from './meta.ts';

const unescaped = (part: string): string => part.replaceAll('~1', '/').replaceAll('~0', '~');

/** What a reference inside one document points to (RFC 6901 in a fragment); undefined where there is nothing, or the reference is not local. */
export function resolvePointer(root: unknown, ref: string): unknown {
  if (ref === '#') return root;
  if (!ref.startsWith('#/')) return undefined;
  let node = root;
  for (const part of ref.slice(2).split('/')) {
    const key = unescaped(part);
    if (typeof node !== 'object' || node === null || !Object.hasOwn(node, key)) return undefined;
    node = (node as JsonObject)[key];
  }
  return node;
}

const MAX_HOPS = 16;

function behindRefs(schema: unknown, root: unknown): unknown {
  let node = schema;
  for (let hops = 0; hops < MAX_HOPS && isObject(node) && typeof node.$ref === 'string' && node.properties === undefined; hops++)
    node = resolvePointer(root, node.$ref);
  return node;
}

/**
 * The value without the `null`s at properties that the schema does not require: hosts send them for "not given" (PROTOCOL A7).
 * It looks through `properties`, `items` and local references. The same object if there are none.
 */
export function withoutOptionalNulls(value: unknown, schema: unknown, root: unknown = schema): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const target = behindRefs(schema, root);
  if (!isObject(target)) return value;
  if (Array.isArray(value)) return prunedItems(value, target.items, root);
  return isObject(target.properties) ? prunedMembers(value as JsonObject, target, target.properties, root) : value;
}

function prunedItems(items: readonly unknown[], schema: unknown, root: unknown): unknown {
  if (!isObject(schema)) return items;
  const pruned = items.map((item) => withoutOptionalNulls(item, schema, root));
  return pruned.some((item, i) => item !== items[i]) ? pruned : items;
}

function prunedMembers(value: JsonObject, schema: JsonObject, properties: JsonObject, root: unknown): unknown {
  const required = Array.isArray(schema.required) ? (schema.required as unknown[]) : [];
  let copy: Record<string, unknown> | undefined;
  for (const [key, child] of Object.entries(value)) {
    const childSchema = Object.hasOwn(properties, key) ? properties[key] : undefined;
    if (child === null && childSchema !== undefined && !required.includes(key)) {
      copy ??= { ...value };
      delete copy[key];
      continue;
    }
    const pruned = withoutOptionalNulls(child, childSchema, root);
    if (pruned !== child) {
      copy ??= { ...value };
      copy[key] = pruned;
    }
  }
  return copy ?? value;
}
