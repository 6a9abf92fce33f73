import { editedText, memberText, without } from './json-edit.ts';
import { isObject, type JsonObject } from './meta.ts';
import type { ToolDefinition } from './tools.ts';

/** Where a wrapped schema and a wrapped value stand: the member that the SDK's own legacy face uses too. */
const MEMBER = 'result';
const BASE = `#/properties/${MEMBER}`;

/** Keywords whose values are data, not schemas. */
const DATA: ReadonlySet<string> = new Set(['const', 'enum', 'default', 'examples']);
/** Keywords whose values are schemas by name: a name may be that of a keyword. */
const NAMED: ReadonlySet<string> = new Set(['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas', 'dependencies']);
/** References that a schema's place in its document decides: they cannot be moved. */
const UNMOVABLE = /"\$recursive(Ref|Anchor)"/;

/** An `$id` that references inside count from; `#name` is only an anchor. */
const isBase = (id: unknown): boolean => id !== undefined && !(typeof id === 'string' && id.startsWith('#'));

function moved(ref: unknown): unknown {
  const isPointer = typeof ref === 'string' && (ref === '#' || ref.startsWith('#/'));
  return isPointer ? `${BASE}${ref.slice(1)}` : ref;
}

/** The schema with references into its root pointing to where the root stands now. */
function rebased(node: unknown, names = false): unknown {
  if (Array.isArray(node)) return node.map((item) => rebased(item));
  if (!isObject(node) || (!names && isBase(node.$id))) return node;
  const members = Object.entries(node).map(([key, value]) => {
    if (names) return [key, rebased(value)];
    if (key === '$ref' || key === '$dynamicRef') return [key, moved(value)];
    return [key, DATA.has(key) ? value : rebased(value, NAMED.has(key))];
  });
  return Object.fromEntries(members) as unknown;
}

function wrap(tool: ToolDefinition, schema: JsonObject): string | undefined {
  const text = memberText(tool, 'outputSchema') ?? '{}';
  const parsed = JSON.stringify(schema);
  if (UNMOVABLE.test(parsed)) return undefined;
  const made = JSON.stringify(rebased(schema));
  // Without such references the server's own text stays, with its numbers to the digit.
  const inner = made === parsed ? text : made;
  const { $schema } = schema;
  const dialect = typeof $schema === 'string' ? `"$schema":${JSON.stringify($schema)},` : '';
  const plain = dialect === '' || isBase(schema.$id) ? inner : editedText(inner, without(schema, ['$schema']));
  return `{${dialect}"type":"object","properties":{"${MEMBER}":${plain}},"required":["${MEMBER}"]}`;
}

const wrapped = new WeakMap<JsonObject, string | undefined>();

/**
 * A tool's outputSchema whose root is not an object, as one whose root is: with the schema itself as `result`. Undefined if it cannot be
 * moved there without a change of meaning.
 */
export function wrappedSchema(tool: ToolDefinition): string | undefined {
  const { outputSchema: schema } = tool;
  if (schema === undefined) return undefined;
  if (!wrapped.has(schema)) wrapped.set(schema, wrap(tool, schema));
  return wrapped.get(schema);
}

/**
 * What becomes of a tool's structured content in revisions that know objects only (PROTOCOL C14). Schema and content go together: a client
 * checks the one against the other.
 */
export function structuredFate(value: unknown, tool: ToolDefinition | undefined): 'keep' | 'wrap' | 'drop' {
  const schema = tool?.outputSchema;
  if (tool === undefined || schema === undefined) return isObject(value) ? 'keep' : value === null ? 'drop' : 'wrap';
  if (schema.type === 'object') return isObject(value) ? 'keep' : 'drop';
  return wrappedSchema(tool) === undefined ? 'drop' : 'wrap';
}

/** The text of structured content as the wrapped schema describes it. */
export const wrappedContent = (text: string): string => `{"${MEMBER}":${text}}`;
