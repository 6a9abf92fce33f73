import { annotationsEdit, blockFor, knows } from './down-content.ts';
import { structuredFate, wrappedContent, wrappedSchema } from './down-schema.ts';
import { arrayEdit, editedText, memberText, metaWithout, without } from './json-edit.ts';
import type { Edit, JsonText } from './json-text.ts';
import { isObject, MODERN_META, type JsonObject } from './meta.ts';
import { CACHEABLE } from './results.ts';
import { LATEST_LEGACY, type LegacyRevision } from './revisions.ts';
import type { ToolDefinition } from './tools.ts';

/** Methods of the legacy era whose result is exactly `{}` (PROTOCOL A5). */
const EMPTY_RESULT: ReadonlySet<string> = new Set(['ping', 'logging/setLevel', 'resources/subscribe', 'resources/unsubscribe']);

const isModern = (key: string): boolean => MODERN_META.has(key);
const isText = (block: unknown): boolean => isObject(block) && block.type === 'text';

/** Content and structured content of a tool's result. Where structured content is lost or wrapped, a text says the same if none does. */
function toolEdits(json: JsonText, revision: LegacyRevision, tool: ToolDefinition | undefined): Edit[] {
  const { text, value } = json;
  const each = (item: string, block: unknown): string => blockFor(item, block, revision);
  const content = revision === LATEST_LEGACY ? [] : arrayEdit(text, value, 'content', each);
  const { structuredContent: structured } = value;
  const fate = structured === undefined ? 'keep' : knows(revision, 'structured') ? structuredFate(structured, tool) : 'drop';
  if (fate === 'keep') return content;
  const own = memberText(json, 'structuredContent') ?? 'null';
  const edit: Edit = ['structuredContent', fate === 'wrap' ? wrappedContent(own) : null];
  const blocks: readonly unknown[] = Array.isArray(value.content) ? value.content : [];
  const isSaid = structured === null || blocks.some(isText) || (fate === 'wrap' && isObject(structured));
  if (isSaid) return [...content, edit];
  const list = content[0]?.[1] ?? (Array.isArray(value.content) ? memberText(json, 'content') : undefined) ?? '[]';
  const added = JSON.stringify({ type: 'text', text: own });
  const open = list.trimEnd().slice(0, -1).trimEnd();
  return [edit, ['content', `${open}${open.trimStart() === '[' ? '' : ','}${added}]`]];
}

function promptEdits({ text, value }: JsonText, revision: LegacyRevision): Edit[] {
  return arrayEdit(text, value, 'messages', (item, message) => {
    if (!isObject(message)) return item;
    const block = memberText({ text: item, value: message }, 'content');
    if (block === undefined) return item;
    const made = blockFor(block, message.content, revision);
    return made === block ? item : editedText(item, [['content', made]]);
  });
}

function readEdits({ text, value }: JsonText, revision: LegacyRevision): Edit[] {
  if (knows(revision, 'meta')) return [];
  return arrayEdit(text, value, 'contents', (item, contents) =>
    isObject(contents) ? editedText(item, without(contents, ['_meta'])) : item,
  );
}

function bodyEdits(result: JsonText, method: string, revision: LegacyRevision, tool: ToolDefinition | undefined): Edit[] {
  if (method === 'tools/call') return toolEdits(result, revision, tool);
  if (revision === LATEST_LEGACY) return [];
  if (method === 'prompts/get') return promptEdits(result, revision);
  return method === 'resources/read' ? readEdits(result, revision) : [];
}

/**
 * A result as a client of a legacy revision expects it: without `resultType`, cache hints and modern `_meta` keys, its content in the words of
 * that revision (PROTOCOL A5, C14). The same text if nothing changes. `tool` is the one that was called, if it is listed.
 */
export function resultFor(result: JsonText, method: string, revision: LegacyRevision, tool?: ToolDefinition): string {
  if (EMPTY_RESULT.has(method)) return '{}';
  const { value, text } = result;
  const gone = CACHEABLE.has(method) ? ['resultType', 'ttlMs', 'cacheScope'] : ['resultType'];
  return editedText(text, [...without(value, gone), ...metaWithout(result, isModern), ...bodyEdits(result, method, revision, tool)]);
}

/** Members of definitions that a revision does not know. */
function unknownMembers(revision: LegacyRevision): string[] {
  const unknown: string[] = [];
  if (!knows(revision, 'icons')) unknown.push('icons');
  if (!knows(revision, 'title')) unknown.push('title');
  if (!knows(revision, 'meta')) unknown.push('_meta');
  return unknown;
}

function schemaEdit(tool: ToolDefinition, revision: LegacyRevision): Edit[] {
  if (!knows(revision, 'structured')) return without(tool.value, ['outputSchema']);
  const { outputSchema: schema } = tool;
  return schema === undefined || schema.type === 'object' ? [] : [['outputSchema', wrappedSchema(tool) ?? null]];
}

/**
 * A tool's definition (`text` is it, maybe under another name) in the words of a legacy revision: an outputSchema whose root is not an object is
 * unknown to all of them and wrapped (PROTOCOL C14), and 2025-11-25's own tasks are not offered (PROTOCOL C6).
 */
export function toolFor(tool: ToolDefinition, text: string, revision: LegacyRevision): string {
  const gone = ['execution', ...unknownMembers(revision)];
  if (!knows(revision, 'toolAnnotations')) gone.push('annotations');
  return editedText(text, [...without(tool.value, gone), ...schemaEdit(tool, revision)]);
}

function argumentFor(text: string, value: unknown): string {
  return isObject(value) ? editedText(text, without(value, ['title'])) : text;
}

/** A prompt, resource or resource template in the words of a legacy revision. The same text if nothing changes. */
export function itemFor(item: JsonText, revision: LegacyRevision): string {
  if (revision === LATEST_LEGACY) return item.text;
  const { text, value } = item;
  const edits: Edit[] = [...without(value, unknownMembers(revision)), ...annotationsEdit(text, value, revision)];
  if (!knows(revision, 'title')) edits.push(...arrayEdit(text, value as JsonObject, 'arguments', argumentFor));
  return editedText(text, edits);
}
