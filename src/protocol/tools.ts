import { arrayItems, memberOf, objectSpan, spliceObject, type JsonText } from './json-text.ts';
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

function readTool(text: string, value: unknown): ToolReading {
  const name = isObject(value) && typeof value.name === 'string' ? value.name : '';
  const refuse = (reason: string): ToolReading => ({ ok: false, name: name || '(unnamed)', reason });
  if (!isObject(value) || name === '') return refuse('it has no name');
  if (!isObject(value.inputSchema)) return refuse('its inputSchema is not an object');
  const outputSchema = isObject(value.outputSchema) ? value.outputSchema : undefined;
  const annotations = isObject(value.annotations) ? value.annotations : {};
  return { ok: true, tool: { name, text, value, inputSchema: value.inputSchema, outputSchema, annotations } };
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

/** The definition as a legacy client may see it: an outputSchema whose root is not an object is unknown to it (PROTOCOL C14). */
export function legacyTool(tool: ToolDefinition, text: string): string {
  if (tool.outputSchema === undefined || tool.outputSchema.type === 'object') return text;
  return spliceObject(text, objectSpan(text), { outputSchema: null });
}

/** The definition with its `x-mcp-header` annotations removed (PROTOCOL C3). */
export function unannotatedTool(tool: ToolDefinition): ToolDefinition {
  const inputSchema = withoutHeaderParams(tool.inputSchema) as JsonObject;
  const text = spliceObject(tool.text, objectSpan(tool.text), { inputSchema: JSON.stringify(inputSchema) });
  return { ...tool, text, inputSchema, value: { ...tool.value, inputSchema } };
}
