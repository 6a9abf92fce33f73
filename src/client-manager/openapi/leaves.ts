import type { JsonObject } from '../../protocol/index.ts';

const TYPES: ReadonlySet<unknown> = new Set(['null', 'boolean', 'object', 'array', 'number', 'string', 'integer']);
const MAX_TEXT = 400;
const MAX_VALUE_BYTES = 1_000;
const MAX_EXAMPLES = 3;

const text = (value: unknown): unknown => (typeof value === 'string' ? shortened(value, MAX_TEXT) : undefined);
const count = (value: unknown): unknown => (Number.isSafeInteger(value) && (value as number) >= 0 ? value : undefined);
const finite = (value: unknown): unknown => (Number.isFinite(value) ? value : undefined);
const flag = (value: unknown): unknown => (typeof value === 'boolean' ? value : undefined);
const name = (value: unknown): unknown => (typeof value === 'string' && value.length <= 200 ? value : undefined);

/** What is left of `room` characters behind the value as JSON; it stops looking where nothing is left, in a circle too. */
function roomBehind(value: unknown, room: number): number {
  if (typeof value === 'string') return room - value.length - 2;
  if (typeof value !== 'object' || value === null) return room - 4;
  let left = room - 2;
  for (const [key, item] of Object.entries(value)) {
    if (left < 0) return left;
    left = roomBehind(item, left - (Array.isArray(value) ? 1 : key.length + 4));
  }
  return left;
}

/** A value of the document's author, if it is small. */
export function smallValue(value: unknown): unknown {
  return value !== undefined && roomBehind(value, MAX_VALUE_BYTES) >= 0 ? value : undefined;
}

/** The values of an `enum`, each once; undefined for one that is too large to be passed on. */
function choices(value: unknown, max: number): readonly unknown[] | undefined {
  if (!Array.isArray(value)) return [];
  if (value.length > max || (value as unknown[]).some((item) => smallValue(item) === undefined)) return undefined;
  return [...new Map((value as unknown[]).map((item) => [JSON.stringify(item), item])).values()];
}

function pattern(value: unknown): unknown {
  if (typeof value !== 'string' || value.length > MAX_VALUE_BYTES) return undefined;
  try {
    new RegExp(value, 'u');
    return value;
  } catch {
    return undefined;
  }
}

/** Keywords without schemas in them, each with what is kept of its value. */
const LEAVES: ReadonlyMap<string, (value: unknown) => unknown> = new Map(
  Object.entries<(value: unknown) => unknown>({
    title: text,
    description: text,
    format: name,
    contentEncoding: name,
    contentMediaType: name,
    deprecated: flag,
    uniqueItems: flag,
    const: smallValue,
    default: smallValue,
    pattern,
    multipleOf: (value) => (typeof value === 'number' && value > 0 && Number.isFinite(value) ? value : undefined),
    minimum: finite,
    maximum: finite,
    exclusiveMinimum: finite,
    exclusiveMaximum: finite,
    minLength: count,
    maxLength: count,
    minItems: count,
    maxItems: count,
    minProperties: count,
    maxProperties: count,
  }),
);
/** Keywords that only tell: without them the schema allows no more than with them. */
const TELLING: ReadonlySet<string> = new Set(['title', 'description', 'deprecated', 'default']);

/** The text, cut at the end of a word where it is long. */
export function shortened(value: string, max: number): string {
  const whole = value.trim();
  if (whole.length <= max) return whole;
  const cut = whole.slice(0, max - 3).toWellFormed();
  const space = cut.lastIndexOf(' ');
  return `${space > max / 2 ? cut.slice(0, space) : cut}...`;
}

export function typeOf(value: unknown): string | readonly string[] | undefined {
  if (value === 'file') return 'string';
  if (typeof value === 'string') return TYPES.has(value) ? value : undefined;
  if (!Array.isArray(value)) return undefined;
  const types = [...new Set(value as unknown[])].filter((type): type is string => TYPES.has(type));
  return types.length === 0 ? undefined : types;
}

/** `exclusiveMinimum: true` of 3.0 turns `minimum` into the bound that 3.1 writes as a number. */
function exclusive(out: Record<string, unknown>, node: JsonObject): void {
  for (const [bound, strict] of [['minimum', 'exclusiveMinimum'] as const, ['maximum', 'exclusiveMaximum'] as const]) {
    if (node[strict] !== true || out[bound] === undefined) continue;
    out[strict] = out[bound];
    delete out[bound];
  }
}

/** `example` of 3.0, `examples` of 3.1, and the maps of named examples that some write. */
export function examplesOf({ example, examples }: JsonObject): readonly unknown[] {
  if (example === undefined && examples === undefined) return [];
  const named = typeof examples === 'object' && examples !== null && !Array.isArray(examples) ? Object.values(examples) : examples;
  const list = Array.isArray(named) ? (named as unknown[]).slice(0, MAX_EXAMPLES) : [];
  const values = list.map((item) => (named === examples ? item : (item as JsonObject | null)?.value));
  return [example, ...values].map(smallValue).filter((value) => value !== undefined);
}

export interface Leaves {
  readonly out: Record<string, unknown>;
  /** Values that count as parts of the schema. */
  readonly size: number;
  /** True if something was left out that forbids values. */
  readonly loosened: boolean;
}

/** The keywords of a schema that hold no schemas. What is malformed is left out: it would make the whole schema unusable. */
export function readLeaves(node: JsonObject, maxValues: number): Leaves {
  const out: Record<string, unknown> = {};
  let loosened = false;
  const type = typeOf(node.type);
  if (type !== undefined) out.type = type;
  for (const key of Object.keys(node)) {
    const read = LEAVES.get(key);
    if (read === undefined) continue;
    const value = read(node[key]);
    if (value !== undefined) out[key] = value;
    else if (!TELLING.has(key) && typeof node[key] !== 'boolean') loosened = true;
  }
  exclusive(out, node);
  const values = choices(node.enum, maxValues);
  if (values === undefined) loosened = true;
  else if (values.length > 0) out.enum = values;
  const examples = examplesOf(node);
  if (examples.length > 0) out.examples = examples;
  return { out, size: values?.length ?? 0, loosened };
}
