import { isObject, type JsonObject } from './meta.ts';

/** One argument of a tool that is mirrored into the header `Mcp-Param-<header>`. */
export interface HeaderParam {
  readonly header: string;
  /** Keys from the root of the arguments. */
  readonly path: readonly string[];
  readonly type: 'string' | 'integer' | 'boolean';
}

export type HeaderParams = { readonly ok: true; readonly params: readonly HeaderParam[] } | { readonly ok: false; readonly reason: string };

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const ANNOTATION = 'x-mcp-header';
const MAX_NODES = 20_000;
const MAX_DEPTH = 256;

interface Walk {
  readonly found: HeaderParam[];
  readonly names: Set<string>;
  nodes: number;
}

function read(schema: JsonObject, path: readonly string[], reachable: boolean, walk: Walk): string | undefined {
  const name = schema[ANNOTATION];
  if (name === undefined) return undefined;
  const where = path.length === 0 ? 'the schema root' : path.join('.');
  if (typeof name !== 'string' || !TOKEN.test(name)) return `x-mcp-header at ${where} is not a header name token`;
  if (!reachable || path.length === 0) return `x-mcp-header at ${where} is not reachable through "properties" alone`;
  const { type } = schema;
  if (type !== 'string' && type !== 'integer' && type !== 'boolean')
    return `x-mcp-header at ${where} is on a value that is not a string, integer or boolean`;
  if (walk.names.has(name.toLowerCase())) return `x-mcp-header "${name}" stands twice`;
  walk.names.add(name.toLowerCase());
  walk.found.push({ header: name, path, type });
  return undefined;
}

/** Keywords whose value maps names of the author's choosing to schemas: the names are no keywords. */
const NAMED: ReadonlySet<string> = new Set(['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas', 'dependencies']);
/** Keywords whose value is data and no schema. */
const DATA: ReadonlySet<string> = new Set(['default', 'const', 'enum', 'examples', 'example']);

type Child = readonly [child: unknown, path: readonly string[], reachable: boolean];

function* childrenOf(node: JsonObject, path: readonly string[], reachable: boolean): Generator<Child> {
  for (const key of Object.keys(node)) {
    const child = node[key];
    if (DATA.has(key) || typeof child !== 'object' || child === null) continue;
    if (!NAMED.has(key) || !isObject(child)) yield [child, path, false];
    else for (const name of Object.keys(child)) yield [child[name], [...path, name], reachable && key === 'properties'];
  }
}

function* itemsOf(items: readonly unknown[], path: readonly string[]): Generator<Child> {
  for (const item of items) yield [item, path, false];
}

function visit([node, path, reachable]: Child, walk: Walk, depth = 0): string | undefined {
  if (typeof node !== 'object' || node === null) return undefined;
  if (++walk.nodes > MAX_NODES || depth > MAX_DEPTH) return 'the schema is too large to search for x-mcp-header';
  if (isObject(node)) {
    const own = read(node, path, reachable, walk);
    if (own !== undefined) return own;
  }
  for (const child of isObject(node) ? childrenOf(node, path, reachable) : itemsOf(node as unknown[], path)) {
    const reason = visit(child, walk, depth + 1);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

/** The `x-mcp-header` annotations of an input schema, or why they are invalid (S26 tools, "x-mcp-header"). */
export function headerParamsOf(inputSchema: JsonObject): HeaderParams {
  const walk: Walk = { found: [], names: new Set(), nodes: 0 };
  const reason = visit([inputSchema, [], true], walk);
  return reason === undefined ? { ok: true, params: walk.found } : { ok: false, reason };
}

/** The argument that a header mirrors; undefined where there is none. */
export function argumentOf(param: HeaderParam, args: JsonObject): unknown {
  let value: unknown = args;
  for (const key of param.path) {
    if (!isObject(value) || !Object.hasOwn(value, key)) return undefined;
    value = value[key];
  }
  return value;
}

/**
 * The text that a mirrored argument has in its header, unencoded; undefined where the header is to be left out. Integers beyond
 * 2^53 - 1 have no exact value here and none on the way (S26, "Schema Extension").
 */
export function headerValue(param: HeaderParam, args: JsonObject): string | undefined {
  const value = argumentOf(param, args);
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return Number.isInteger(value) && !Number.isSafeInteger(value) ? undefined : String(value);
  return typeof value === 'boolean' ? String(value) : undefined;
}

/** The schema without any `x-mcp-header`: for tools whose annotations are invalid, on transports that have no headers. */
export function withoutHeaderParams(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withoutHeaderParams);
  if (!isObject(schema)) return schema;
  const entries = Object.entries(schema).filter(([key]) => key !== ANNOTATION);
  return Object.fromEntries(entries.map(([key, child]) => [key, withoutIn(key, child)]));
}

function withoutIn(key: string, child: unknown): unknown {
  if (DATA.has(key)) return child;
  if (!NAMED.has(key) || !isObject(child)) return withoutHeaderParams(child);
  return Object.fromEntries(Object.entries(child).map(([name, schema]) => [name, withoutHeaderParams(schema)]));
}
