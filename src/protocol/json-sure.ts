import {
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  keyText,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
  skipSpace,
  skipString,
  skipValue,
} from './json-scan.ts';

/**
 * V8 (13.6 and 14.6, nodejs/node#63785) may read a key with escapes as another key, which an earlier text of the same shape had: who
 * sends both decides what we check, while the next reader sees something else. So keys are compared with the text.
 */

/** The end of the value, or the first key in the text that does not fit the parsed value. */
type Compared = number | { readonly key: string };

const behindComma = (text: string, at: number): number => {
  const i = skipSpace(text, at);
  return text.charCodeAt(i) === COMMA ? skipSpace(text, i + 1) : i;
};

/** Index of the value whose key ends at `keyEnd`. */
const valueAt = (text: string, keyEnd: number): number => skipSpace(text, skipSpace(text, keyEnd) + 1);

function compare(text: string, at: number, value: unknown): Compared {
  const c = text.charCodeAt(at);
  if (c === OPEN_BRACE) return compareMembers(text, at, value);
  if (c === OPEN_BRACKET) return compareItems(text, at, value);
  return skipValue(text, at, 0);
}

function compareMembers(text: string, at: number, value: unknown): Compared {
  const object = (typeof value === 'object' && value !== null ? value : {}) as Readonly<Record<string, unknown>>;
  let left = Object.keys(object).length;
  let i = skipSpace(text, at + 1);
  while (text.charCodeAt(i) === QUOTE) {
    const keyEnd = skipString(text, i);
    const key = keyText(text, i, keyEnd);
    if (--left < 0 || !Object.hasOwn(object, key)) return { key };
    const end = compare(text, valueAt(text, keyEnd), object[key]);
    if (typeof end !== 'number') return end;
    i = behindComma(text, end);
  }
  return i + 1;
}

function compareItems(text: string, at: number, value: unknown): Compared {
  const items: readonly unknown[] = Array.isArray(value) ? value : [];
  let i = skipSpace(text, at + 1);
  for (let n = 0; i < text.length && text.charCodeAt(i) !== CLOSE_BRACKET; n++) {
    const end = compare(text, i, items[n]);
    if (typeof end !== 'number') return end;
    i = behindComma(text, end);
  }
  return i + 1;
}

/** Members of all objects in the text: its colons outside strings. */
function membersIn(text: string): number {
  let count = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) i = skipString(text, i) - 1;
    else if (c === COLON) count++;
  }
  return count;
}

/** Members of all objects in the parsed value. */
function membersOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) {
    for (const item of value) count += membersOf(item);
    return count;
  }
  for (const key of Object.keys(value)) count += 1 + membersOf((value as Readonly<Record<string, unknown>>)[key]);
  return count;
}

/** The first key that stands twice in one object of the text, at any depth. */
function repeatedKey(text: string): string | undefined {
  const open: Set<string>[] = [];
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === OPEN_BRACE) open.push(new Set());
    else if (c === CLOSE_BRACE) open.pop();
    else if (c === QUOTE) {
      const end = skipString(text, i);
      const keys = text.charCodeAt(skipSpace(text, end)) === COLON ? open.at(-1) : undefined;
      if (keys !== undefined) {
        const key = keyText(text, i, end);
        if (keys.has(key)) return key;
        keys.add(key);
      }
      i = end - 1;
    }
  }
  return undefined;
}

/**
 * The key of a member, at any depth, that stands twice in the text or that the parsed value does not have. The text must be valid
 * JSON and of a bounded depth.
 */
export function unsureKey(text: string, value: unknown): string | undefined {
  // Without escapes no key can be misread, and a key that stands twice makes the text hold more members than the value.
  if (!text.includes('\\') && membersIn(text) === membersOf(value)) return undefined;
  const end = compare(text, skipSpace(text, 0), value);
  // Where the comparison stops is behind the member that stands twice, or within one whose value the parser dropped.
  return typeof end === 'number' ? undefined : (repeatedKey(text) ?? end.key);
}

interface Built {
  readonly value: unknown;
  readonly end: number;
}

function build(text: string, at: number): Built {
  const c = text.charCodeAt(at);
  if (c === OPEN_BRACE) return buildObject(text, at);
  if (c === OPEN_BRACKET) return buildArray(text, at);
  const end = skipValue(text, at, 0);
  return { value: JSON.parse(text.slice(at, end)), end };
}

function buildObject(text: string, at: number): Built {
  const entries: [string, unknown][] = [];
  let i = skipSpace(text, at + 1);
  while (text.charCodeAt(i) === QUOTE) {
    const keyEnd = skipString(text, i);
    const { value, end } = build(text, valueAt(text, keyEnd));
    entries.push([keyText(text, i, keyEnd), value]);
    i = behindComma(text, end);
  }
  return { value: Object.fromEntries(entries), end: i + 1 };
}

function buildArray(text: string, at: number): Built {
  const items: unknown[] = [];
  let i = skipSpace(text, at + 1);
  while (i < text.length && text.charCodeAt(i) !== CLOSE_BRACKET) {
    const { value, end } = build(text, i);
    items.push(value);
    i = behindComma(text, end);
  }
  return { value: items, end: i + 1 };
}

/**
 * What `text` says, where `parsed` is what JSON.parse made of it: the same object, unless a key was misread. The text must be valid
 * JSON and of a bounded depth.
 */
export function surely<T>(text: string, parsed: T): T {
  if (!text.includes('\\') || unsureKey(text, parsed) === undefined) return parsed;
  return build(text, skipSpace(text, 0)).value as T;
}
