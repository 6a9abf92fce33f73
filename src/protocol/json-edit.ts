import { arrayItems, memberOf, objectSpan, spliceMembers, type Edit, type JsonText, type Member } from './json-text.ts';
import { surely } from './json-sure.ts';
import { isObject, type JsonObject } from './meta.ts';

/** A JsonText of a text that is a JSON object for certain: our own splice of one that was parsed before. */
export function jsonOf(text: string): JsonText {
  return { text, value: surely(text, JSON.parse(text) as JsonObject) };
}

/** The JSON text of a member; undefined where there is none. */
export function memberText({ text }: JsonText, key: string): string | undefined {
  const member = memberOf(objectSpan(text), key);
  return member && text.slice(member.start, member.end);
}

/** The object's text with `edits` applied; without any, the text as it is. */
export function editedText(text: string, edits: readonly Edit[]): string {
  return edits.length === 0 ? text : spliceMembers(text, objectSpan(text), edits);
}

/**
 * The object's text with each member's value mapped, null to leave the member out; the same text if nothing changes. For any number of
 * changes: the time is linear, which that of `editedText` is not.
 */
export function mappedObject(text: string, each: (key: string, value: string) => string | null): string {
  let changed = false;
  const kept: string[] = [];
  for (const { key, keyStart, start, end } of objectSpan(text).members) {
    const value = text.slice(start, end);
    const made = each(key, value);
    if (made !== value) changed = true;
    if (made !== null) kept.push(text.slice(keyStart, start) + made);
  }
  return changed ? `{${kept.join(',')}}` : text;
}

/** `editedText` with the parsed value. */
export function edited(json: JsonText, edits: readonly Edit[]): JsonText {
  return edits.length === 0 ? json : jsonOf(editedText(json.text, edits));
}

/** Edits that take these members off, of those that are there. */
export function without(value: JsonObject, keys: readonly string[]): Edit[] {
  return keys.filter((key) => Object.hasOwn(value, key)).map((key): Edit => [key, null]);
}

/** What becomes of one element of a list: its new text, the same text, or undefined to leave it out. */
export type EachItem = (text: string, value: unknown) => string | readonly string[];

/** The text of the array at `member` with each element mapped (to none, one or several); undefined if nothing changes. */
export function mappedArray(text: string, member: Member, values: readonly unknown[], each: EachItem): string | undefined {
  const items = arrayItems(text, member.start);
  let changed = false;
  const mapped = items.flatMap((item, i) => {
    const made = each(item, values[i]);
    if (made !== item) changed = true;
    return made;
  });
  return changed ? `[${mapped.join(',')}]` : undefined;
}

/** An edit of the array under `key`, if it is one and something in it changes. */
export function arrayEdit(text: string, value: JsonObject, key: string, each: EachItem): Edit[] {
  const list = value[key];
  if (!Array.isArray(list) || list.length === 0) return [];
  const member = memberOf(objectSpan(text), key);
  const mapped = member && mappedArray(text, member, list, each);
  return mapped === undefined ? [] : [[key, mapped]];
}

/** The edit that takes keys off `_meta`, and `_meta` off where nothing else is in it; none if no key has to go. */
export function metaWithout(json: JsonText, gone: (key: string) => boolean): Edit[] {
  const { _meta: meta } = json.value;
  if (!isObject(meta)) return [];
  const keys = Object.keys(meta);
  const edits = keys.filter(gone).map((key): Edit => [key, null]);
  if (edits.length === 0) return [];
  const inner = edits.length === keys.length ? undefined : memberText(json, '_meta');
  return [['_meta', inner === undefined ? null : editedText(inner, edits)]];
}

/** The edit that sets one key of `_meta` to a JSON text; a `_meta` that is no object is replaced. */
export function metaWith(json: JsonText, key: string, text: string): Edit {
  const inner = isObject(json.value._meta) ? memberText(json, '_meta') : undefined;
  return ['_meta', inner === undefined ? `{${JSON.stringify(key)}:${text}}` : editedText(inner, [[key, text]])];
}
