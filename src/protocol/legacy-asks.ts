import { REQUEST_META } from './asks.ts';
import { elicitationModes } from './capabilities.ts';
import { blockFor, knows } from './down-content.ts';
import { arrayEdit, edited, editedText, mappedObject, memberText, metaWithout, without } from './json-edit.ts';
import { arrayItems, type JsonText } from './json-text.ts';
import { isObject, MODERN_META, type JsonObject } from './meta.ts';
import type { LegacyRevision } from './revisions.ts';
import type { Ask } from './target.ts';

function offeredElicitation(elicitation: JsonObject, revision: LegacyRevision): JsonObject | undefined {
  const { form, url } = elicitationModes(elicitation);
  if (!knows(revision, 'urlMode')) return form && knows(revision, 'elicitation') ? {} : undefined;
  if (!url) return {};
  return form ? { form: {}, url: {} } : { url: {} };
}

function offeredSampling({ context, tools }: JsonObject, revision: LegacyRevision): JsonObject {
  if (!knows(revision, 'samplingTools')) return {};
  return { ...(isObject(context) ? { context: {} } : {}), ...(isObject(tools) ? { tools: {} } : {}) };
}

/**
 * What a client that declared `offers` can be asked in a legacy revision, as capabilities for our `initialize` (PROTOCOL A2): elicitation from
 * 2025-06-18, its URL mode and sampling with tools or context from 2025-11-25. Nothing else is offered: a lease carries only asks.
 */
export function legacyOffers(offers: JsonObject, revision: LegacyRevision): JsonObject {
  const elicitation = isObject(offers.elicitation) ? offeredElicitation(offers.elicitation, revision) : undefined;
  return {
    ...(elicitation === undefined ? {} : { elicitation }),
    ...(isObject(offers.sampling) ? { sampling: offeredSampling(offers.sampling, revision) } : {}),
    ...(isObject(offers.roots) ? { roots: {} } : {}),
  };
}

const MULTI = Symbol('multi-select');

/** A titled choice (`oneOf`) as the `enum` with `enumNames` that 2025-06-18 has for it. */
function titledChoice(text: string, oneOf: readonly unknown[]): string | undefined {
  const options = oneOf.filter(isObject);
  if (options.length < oneOf.length || options.some((option) => typeof option.const !== 'string')) return undefined;
  const names = options.map(({ title, const: value }) => (typeof title === 'string' ? title : value));
  return editedText(text, [
    ['oneOf', null],
    ['enum', JSON.stringify(options.map((option) => option.const))],
    ['enumNames', JSON.stringify(names)],
  ]);
}

/** One field of a form for 2025-06-18: without defaults other than of booleans, and without multi-select. */
function fieldFor(text: string, value: unknown): string | typeof MULTI {
  if (!isObject(value)) return text;
  if (value.type === 'array') return MULTI;
  const plain = value.type === 'boolean' ? text : editedText(text, without(value, ['default']));
  return (Array.isArray(value.oneOf) ? titledChoice(plain, value.oneOf) : undefined) ?? plain;
}

/** The fields of a form for 2025-06-18; undefined if one that it cannot show is required. */
function fieldsFor(text: string, properties: JsonObject, required: ReadonlySet<unknown>): string | undefined {
  let lost = false;
  const made = mappedObject(text, (key, field) => {
    const shown = fieldFor(field, Object.hasOwn(properties, key) ? properties[key] : undefined);
    if (shown !== MULTI) return shown;
    lost ||= required.has(key);
    return null;
  });
  return lost ? undefined : made;
}

function schemaFor(schema: JsonText): string | undefined {
  const { properties, required } = schema.value;
  const edits = without(schema.value, ['$schema']);
  const fields = isObject(properties) ? memberText(schema, 'properties') : undefined;
  if (fields === undefined || !isObject(properties)) return editedText(schema.text, edits);
  const made = fieldsFor(fields, properties, new Set(Array.isArray(required) ? required : []));
  return made === undefined ? undefined : editedText(schema.text, [...edits, ['properties', made]]);
}

function formFor(params: JsonText, revision: LegacyRevision): JsonText | undefined {
  if (knows(revision, 'multiSelect')) return params;
  const edits = without(params.value, ['mode']);
  const { requestedSchema: schema } = params.value;
  const text = isObject(schema) ? memberText(params, 'requestedSchema') : undefined;
  if (text === undefined || !isObject(schema)) return edited(params, edits);
  const made = schemaFor({ text, value: schema });
  return made === undefined ? undefined : edited(params, [...edits, ['requestedSchema', made]]);
}

function elicitationFor(params: JsonText | undefined, revision: LegacyRevision, mintId: () => string): JsonText | undefined {
  if (params === undefined || !knows(revision, 'elicitation')) return undefined;
  if (params.value.mode !== 'url') return formFor(params, revision);
  if (!knows(revision, 'urlMode')) return undefined;
  return typeof params.value.elicitationId === 'string' ? params : edited(params, [['elicitationId', JSON.stringify(mintId())]]);
}

/** The use or the result of a tool as text, for a revision whose sampling knows no tools. */
function toolBlock(json: JsonText): string | undefined {
  const { type, name } = json.value;
  if (type === 'tool_use') return `[Call of the tool ${String(name)}: ${memberText(json, 'input') ?? '{}'}]`;
  return type === 'tool_result' ? `[Result of a tool: ${memberText(json, 'content') ?? '[]'}]` : undefined;
}

function samplingBlock(text: string, value: unknown, revision: LegacyRevision): string {
  const tool = !knows(revision, 'samplingTools') && isObject(value) ? toolBlock({ text, value }) : undefined;
  return tool === undefined ? blockFor(text, value, revision) : JSON.stringify({ type: 'text', text: tool });
}

/** A message whose content is a list becomes one message per block where content is one block (before 2025-11-25). */
function messageFor(text: string, value: unknown, revision: LegacyRevision): string | readonly string[] {
  if (!isObject(value)) return text;
  const content = memberText({ text, value }, 'content');
  if (content === undefined) return text;
  const block = (item: string, parsed: unknown): string => samplingBlock(item, parsed, revision);
  const gone = knows(revision, 'samplingTools') ? [] : without(value, ['_meta']);
  if (!Array.isArray(value.content)) {
    const made = block(content, value.content);
    return editedText(text, made === content ? gone : [...gone, ['content', made]]);
  }
  if (knows(revision, 'samplingTools')) return editedText(text, arrayEdit(text, value, 'content', block));
  const { content: blocks } = value;
  const role = JSON.stringify(value.role ?? 'user');
  return arrayItems(content).map((item, i) => `{"role":${role},"content":${block(item, blocks[i])}}`);
}

/** A tool for the model: an outputSchema whose root is not an object is unknown to legacy revisions. */
function toolWithin(text: string, tool: unknown): string {
  if (!isObject(tool) || tool.outputSchema === undefined) return text;
  return isObject(tool.outputSchema) && tool.outputSchema.type === 'object' ? text : editedText(text, [['outputSchema', null]]);
}

function samplingFor(params: JsonText | undefined, revision: LegacyRevision): JsonText | undefined {
  if (params === undefined) return undefined;
  const { text, value } = params;
  const tools = Array.isArray(value.tools) && value.tools.length > 0;
  if (tools && !knows(revision, 'samplingTools')) return undefined;
  const gone = knows(revision, 'samplingTools') ? [] : without(value, ['tools', 'toolChoice']);
  const messages = arrayEdit(text, value, 'messages', (item, message) => messageFor(item, message, revision));
  const schemas = gone.length > 0 ? [] : arrayEdit(text, value, 'tools', toolWithin);
  return edited(params, [...gone, ...messages, ...schemas]);
}

/** Keys of `_meta` that a legacy client must not see: of the modern era, or of the server's own request. */
const isForeign = (key: string): boolean => MODERN_META.has(key) || REQUEST_META.has(key);

/**
 * A server's ask, of either era, in the words of a client's legacy revision (PROTOCOL C6, C14); undefined if it has none for it: a URL, a
 * required multi-select field, sampling with tools, or any elicitation where the revision does not know them. `mintId` makes the id of a
 * URL elicitation.
 */
export function legacyAsk({ method, params }: Ask, revision: LegacyRevision, mintId: () => string): Ask | undefined {
  const plain = params && edited(params, [...without(params.value, ['task']), ...metaWithout(params, isForeign)]);
  if (method === 'roots/list') return { method, params: plain };
  const made = method === 'elicitation/create' ? elicitationFor(plain, revision, mintId) : samplingFor(plain, revision);
  return made && { method, params: made };
}
