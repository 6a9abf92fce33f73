import { arrayItems, memberOf, objectSpan, spliceObject, type JsonText } from './json-text.ts';
import { surely, unsureKey } from './json-sure.ts';
import { withoutHeaderParams } from './header-params.ts';
import { isObject, type JsonObject } from './meta.ts';

/** A tool as its server defined it: parsed for looking, text for passing on. */
export interface ToolDefinition {
  readonly name: string;
  readonly text: string;
  readonly value: JsonObject;
  readonly inputSchema: JsonObject;
  readonly outputSchema: JsonObject | undefined;
  readonly annotations: JsonObject;
}

export type ToolReading =
  { readonly ok: true; readonly tool: ToolDefinition } | { readonly ok: false; readonly name: string; readonly reason: string };

/** Members that a tool may leave out, by the type they must have: clients drop a whole list over one that has another. */
const OPTIONAL: Readonly<Record<string, 'string' | 'object' | 'array'>> = {
  title: 'string',
  description: 'string',
  icons: 'array',
  outputSchema: 'object',
  annotations: 'object',
  _meta: 'object',
};
const MAX_SHOWN = 200;

const typeOf = (value: unknown): string => (Array.isArray(value) ? 'array' : typeof value);

/** The definition without optional members that are `null`: some serializers write them for "none". */
function withoutNulls(text: string, value: JsonObject): { text: string; value: JsonObject } {
  const nulls = Object.keys(OPTIONAL).filter((key) => value[key] === null);
  if (nulls.length === 0) return { text, value };
  const left = Object.fromEntries(Object.entries(value).filter(([key]) => !nulls.includes(key)));
  return { text: spliceObject(text, objectSpan(text), Object.fromEntries(nulls.map((key) => [key, null]))), value: left };
}

function readTool(source: string, parsed: unknown): ToolReading {
  const raw = surely(source, parsed);
  const name = isObject(raw) && typeof raw.name === 'string' ? raw.name : '';
  const refuse = (reason: string): ToolReading => ({ ok: false, name: name.slice(0, MAX_SHOWN) || '(unnamed)', reason });
  if (!isObject(raw) || name === '') return refuse('it has no name');
  const twice = unsureKey(source, raw);
  if (twice !== undefined) return refuse(`its member "${twice.slice(0, MAX_SHOWN)}" stands twice`);
  if (!isObject(raw.inputSchema)) return refuse('its inputSchema is not an object');
  if (raw.inputSchema.type !== 'object') return refuse('its inputSchema is not of type "object"');
  const { text, value } = withoutNulls(source, raw);
  const wrong = Object.keys(OPTIONAL).find((key) => value[key] !== undefined && typeOf(value[key]) !== OPTIONAL[key]);
  if (wrong !== undefined) return refuse(`its ${wrong} is not of type ${OPTIONAL[wrong]}`);
  const outputSchema = isObject(value.outputSchema) ? value.outputSchema : undefined;
  const annotations = isObject(value.annotations) ? value.annotations : {};
  return { ok: true, tool: { name, text, value, inputSchema: raw.inputSchema, outputSchema, annotations } };
}

/** The tools of a tools/list result, in its order; one that cannot be used comes with the reason. */
export function readTools(result: JsonText): ToolReading[] {
  const list = result.value.tools;
  if (!Array.isArray(list)) return [];
  const member = memberOf(objectSpan(result.text), 'tools');
  const texts = member === undefined ? [] : arrayItems(result.text, member.start);
  return list.map((value: unknown, i) => readTool(texts[i] ?? '{}', value));
}

/** The definition under another name; all else stays the server's bytes. */
export function renamedTool(tool: ToolDefinition, name: string): string {
  if (name === tool.name) return tool.text;
  return spliceObject(tool.text, objectSpan(tool.text), { name: JSON.stringify(name) });
}

/** The definition with its `x-mcp-header` annotations removed (PROTOCOL C3). */
export function unannotatedTool(tool: ToolDefinition): ToolDefinition {
  const inputSchema = withoutHeaderParams(tool.inputSchema) as JsonObject;
  const text = spliceObject(tool.text, objectSpan(tool.text), { inputSchema: JSON.stringify(inputSchema) });
  return { ...tool, text, inputSchema, value: { ...tool.value, inputSchema } };
}
