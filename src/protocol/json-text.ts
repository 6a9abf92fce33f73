import { CLOSE_BRACKET, COMMA, keyText, QUOTE, skipSpace, skipString, skipValue } from './json-scan.ts';

/** One member of a JSON object inside a text: `start`..`end` is its value, `keyStart` the opening quote of its key. */
export interface Member {
  readonly key: string;
  readonly keyStart: number;
  readonly start: number;
  readonly end: number;
}

/** A JSON object inside a text: from its `{` to behind its `}`. */
export interface ObjectSpan {
  readonly start: number;
  readonly end: number;
  readonly members: readonly Member[];
}

/** A JSON object kept as the bytes it came in, with its parsed value for those who must look inside. */
export interface JsonText {
  readonly text: string;
  readonly value: Readonly<Record<string, unknown>>;
}

/**
 * The members of the JSON object whose `{` is the first character at or behind `at`. The text must be valid JSON (parse it first);
 * values are skipped, not built, so they stay the bytes they are. Throws `json_too_deep` behind `levels` of nesting.
 */
export function objectSpan(text: string, at = 0, levels = 128): ObjectSpan {
  const start = skipSpace(text, at);
  const members: Member[] = [];
  let i = skipSpace(text, start + 1);
  while (text.charCodeAt(i) === QUOTE) {
    const keyEnd = skipString(text, i);
    const valueStart = skipSpace(text, skipSpace(text, keyEnd) + 1);
    const valueEnd = skipValue(text, valueStart, levels);
    members.push({ key: keyText(text, i, keyEnd), keyStart: i, start: valueStart, end: valueEnd });
    i = skipSpace(text, valueEnd);
    if (text.charCodeAt(i) === COMMA) i = skipSpace(text, i + 1);
  }
  return { start, end: i + 1, members };
}

/** The texts of the elements of the JSON array that opens at or behind `at`. */
export function arrayItems(text: string, at = 0, levels = 128): string[] {
  const items: string[] = [];
  let i = skipSpace(text, skipSpace(text, at) + 1);
  while (i < text.length && text.charCodeAt(i) !== CLOSE_BRACKET) {
    const end = skipValue(text, i, levels);
    items.push(text.slice(i, end));
    i = skipSpace(text, end);
    if (text.charCodeAt(i) === COMMA) i = skipSpace(text, i + 1);
  }
  return items;
}

/** The member of that key; where it stands twice the last one, which is the one that JSON.parse keeps. */
export function memberOf(span: ObjectSpan, key: string): Member | undefined {
  for (let i = span.members.length - 1; i >= 0; i--) {
    const member = span.members[i] as Member;
    if (member.key === key) return member;
  }
  return undefined;
}

/** Up to here comparing each key with each other costs less than a set does. */
const FEW = 16;

/** A key that stands twice in the object: parsers disagree on which one counts, so a gateway must not forward it. */
export function duplicateKey(span: ObjectSpan): string | undefined {
  const { members } = span;
  if (members.length > FEW) return duplicateOfMany(members);
  for (let i = 1; i < members.length; i++) {
    const { key } = members[i] as Member;
    for (let j = 0; j < i; j++) if ((members[j] as Member).key === key) return key;
  }
  return undefined;
}

function duplicateOfMany(members: readonly Member[]): string | undefined {
  const seen = new Set<string>();
  for (const { key } of members) {
    if (seen.has(key)) return key;
    seen.add(key);
  }
  return undefined;
}

/** New JSON texts for members by key; `null` removes the member. Keys that are not there yet are appended. */
export type Edits = Readonly<Record<string, string | null>>;

/** One edit of a member; see `Edits`. */
export type Edit = readonly [key: string, text: string | null];

function editOf(edits: readonly Edit[], key: string): Edit | undefined {
  for (const edit of edits) if (edit[0] === key) return edit;
  return undefined;
}

/** The object of `span` with `edits` applied; everything else stays the bytes it was. Each key stands at most once in `edits`. */
export function spliceMembers(text: string, span: ObjectSpan, edits: readonly Edit[]): string {
  let spliced = '';
  for (const { key, keyStart, start, end } of span.members) {
    const edit = editOf(edits, key);
    if (edit?.[1] === null) continue;
    const member = edit === undefined ? text.slice(keyStart, end) : text.slice(keyStart, start) + edit[1];
    spliced += spliced === '' ? member : `,${member}`;
  }
  for (const [key, added] of edits) {
    if (added === null || memberOf(span, key) !== undefined) continue;
    const member = `${JSON.stringify(key)}:${added}`;
    spliced += spliced === '' ? member : `,${member}`;
  }
  return `{${spliced}}`;
}

/** The same with the edits as an object. */
export function spliceObject(text: string, span: ObjectSpan, edits: Edits): string {
  return spliceMembers(text, span, Object.entries(edits));
}

/** A JsonText of a value that is ours to write. */
export function jsonText(value: Readonly<Record<string, unknown>>): JsonText {
  return { text: JSON.stringify(value), value };
}
