import { isObject, type JsonObject } from '../../protocol/index.ts';

/** What a member says about its readers: the first one that has it is kept. */
const ANNOTATIONS: ReadonlySet<string> = new Set(['title', 'description', 'default', 'examples', 'deprecated']);
const LOWER_BOUNDS: ReadonlySet<string> = new Set(['minimum', 'exclusiveMinimum', 'minLength', 'minItems', 'minProperties']);
const UPPER_BOUNDS: ReadonlySet<string> = new Set(['maximum', 'exclusiveMaximum', 'maxLength', 'maxItems', 'maxProperties']);

const same = (one: unknown, other: unknown): boolean => one === other || JSON.stringify(one) === JSON.stringify(other);
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? (value as unknown[]) : [value]);

/** The types that both allow; undefined for none. A whole number is a number. */
function commonType(one: unknown, other: unknown): unknown {
  const [left, right] = [listOf(one), listOf(other)];
  const common = [
    ...left.filter((type) => right.includes(type) || (type === 'integer' && right.includes('number'))),
    ...right.filter((type) => type === 'integer' && left.includes('number') && !left.includes('integer')),
  ];
  if (common.length === 0) return undefined;
  return common.length === 1 && !(Array.isArray(one) && Array.isArray(other)) ? common[0] : common.length === 1 ? common[0] : common;
}

function commonValues(one: unknown, other: unknown): unknown {
  const allowed = new Set(listOf(other).map((value) => JSON.stringify(value)));
  const common = listOf(one).filter((value) => allowed.has(JSON.stringify(value)));
  return common.length === 0 ? undefined : common;
}

function mergedProperties(one: JsonObject, other: JsonObject): JsonObject | undefined {
  const all = new Map(Object.entries(one));
  for (const [name, schema] of Object.entries(other)) {
    const known = all.get(name);
    if (known === undefined) {
      all.set(name, schema);
      continue;
    }
    const both = isObject(known) && isObject(schema) ? mergeSchemas(known, schema) : undefined;
    if (both === undefined) return undefined;
    all.set(name, both);
  }
  return Object.fromEntries(all);
}

/** Undefined where the two cannot be said in one keyword. */
function mergedKeyword(key: string, one: unknown, other: unknown): unknown {
  if (same(one, other) || ANNOTATIONS.has(key)) return one;
  if (key === 'type') return commonType(one, other);
  if (key === 'enum') return commonValues(one, other);
  if (key === 'required') return [...new Set([...listOf(one), ...listOf(other)])];
  if (key === 'properties' && isObject(one) && isObject(other)) return mergedProperties(one, other);
  if (key === 'uniqueItems') return one === true || other === true;
  if (typeof one === 'number' && typeof other === 'number') {
    if (LOWER_BOUNDS.has(key)) return Math.max(one, other);
    if (UPPER_BOUNDS.has(key)) return Math.min(one, other);
  }
  return undefined;
}

/** Keywords about properties that the schema does not name: what they say changes with the names that a merge adds. */
const ABOUT_THE_REST = ['additionalProperties', 'unevaluatedProperties', 'patternProperties'] as const;

function restIsSimple(one: JsonObject, other: JsonObject): boolean {
  const speaks = (schema: JsonObject): boolean => ABOUT_THE_REST.some((key) => schema[key] !== undefined && schema[key] !== true);
  const names = (schema: JsonObject): number => (isObject(schema.properties) ? Object.keys(schema.properties).length : 0);
  if (!speaks(one) && !speaks(other)) return true;
  if (speaks(one) && speaks(other)) return same(one, other);
  return speaks(one) ? names(other) === 0 : names(one) === 0;
}

/** One schema that says what both say; undefined where that is not simple. */
export function mergeSchemas(one: JsonObject, other: JsonObject): JsonObject | undefined {
  if (!restIsSimple(one, other)) return undefined;
  const merged = new Map(Object.entries(one));
  for (const [key, value] of Object.entries(other)) {
    const known = merged.get(key);
    const both = known === undefined ? value : mergedKeyword(key, known, value);
    if (both === undefined) return undefined;
    merged.set(key, both);
  }
  return Object.fromEntries(merged);
}
