import { arrayEdit, editedText, memberText, without } from './json-edit.ts';
import type { Edit } from './json-text.ts';
import { isObject, type JsonObject } from './meta.ts';
import type { LegacyRevision } from './revisions.ts';

/** The revision in which a part of the protocol appeared; an earlier one does not know it. */
export const SINCE = {
  audio: '2025-03-26',
  toolAnnotations: '2025-03-26',
  title: '2025-06-18',
  meta: '2025-06-18',
  resourceLink: '2025-06-18',
  structured: '2025-06-18',
  lastModified: '2025-06-18',
  elicitation: '2025-06-18',
  icons: '2025-11-25',
  urlMode: '2025-11-25',
  multiSelect: '2025-11-25',
  elicitationDefaults: '2025-11-25',
  samplingTools: '2025-11-25',
} as const satisfies Readonly<Record<string, LegacyRevision>>;

export const knows = (revision: LegacyRevision, part: keyof typeof SINCE): boolean => revision >= SINCE[part];

const textBlock = (text: string): string => JSON.stringify({ type: 'text', text });

const shown = (value: unknown): string => (typeof value === 'string' ? value : '');

/** Bytes of a Base64 text. */
const sizeOf = (data: unknown): number => (typeof data === 'string' ? Math.floor((data.replace(/=+$/, '').length * 3) / 4) : 0);

function audioNote({ mimeType, data }: JsonObject): string {
  return textBlock(
    `[Audio${mimeType === undefined ? '' : ` ${shown(mimeType)}`}, ${sizeOf(data)} bytes: not part of this protocol revision.]`,
  );
}

function linkLine({ uri, title, name, mimeType, description }: JsonObject): string {
  const label = shown(title) || shown(name);
  const type = shown(mimeType) === '' ? '' : ` (${shown(mimeType)})`;
  const about = shown(description) === '' ? '' : `: ${shown(description)}`;
  return textBlock(`[Resource link] ${label === '' ? '' : `${label} `}<${shown(uri)}>${type}${about}`);
}

/** The edit of `annotations` for a revision without `lastModified`. */
export function annotationsEdit(text: string, value: JsonObject, revision: LegacyRevision): Edit[] {
  const { annotations } = value;
  if (knows(revision, 'lastModified') || !isObject(annotations) || annotations.lastModified === undefined) return [];
  const inner = memberText({ text, value }, 'annotations');
  if (inner === undefined) return [];
  const rest = Object.keys(annotations).length > 1;
  return [['annotations', rest ? editedText(inner, [['lastModified', null]]) : null]];
}

function embeddedEdit(text: string, value: JsonObject): Edit[] {
  if (!isObject(value.resource) || value.resource._meta === undefined) return [];
  const inner = memberText({ text, value }, 'resource');
  return inner === undefined ? [] : [['resource', editedText(inner, [['_meta', null]])]];
}

/** The structured content of a `tool_result` block: legacy revisions know objects only. */
const structuredEdit = (value: JsonObject): Edit[] =>
  value.type === 'tool_result' && value.structuredContent !== undefined && !isObject(value.structuredContent)
    ? [['structuredContent', null]]
    : [];

/**
 * A content block in the words of a legacy revision (PROTOCOL C14): what it does not know becomes text where content would be lost, and is left
 * out elsewhere. The same text if nothing changes.
 */
export function blockFor(text: string, value: unknown, revision: LegacyRevision): string {
  if (!isObject(value)) return text;
  if (value.type === 'audio' && !knows(revision, 'audio')) return audioNote(value);
  if (value.type === 'resource_link' && !knows(revision, 'resourceLink')) return linkLine(value);
  const edits: Edit[] = [...annotationsEdit(text, value, revision), ...structuredEdit(value)];
  if (value.type === 'resource_link' && !knows(revision, 'icons')) edits.push(...without(value, ['icons']));
  if (value.type === 'tool_result') edits.push(...arrayEdit(text, value, 'content', (item, block) => blockFor(item, block, revision)));
  if (!knows(revision, 'meta')) edits.push(...without(value, ['_meta']), ...embeddedEdit(text, value));
  return editedText(text, edits);
}
