import { objectSpan } from '../../protocol/index.ts';

/** More messages than this in one array are no answer to one request. */
export const MAX_BATCH = 1_000;

const QUOTE = 34;
const COMMA = 44;
const OPEN_BRACKET = 91;
const BACKSLASH = 92;
const CLOSE_BRACKET = 93;
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;

/** True for a text whose first character that is no white space opens an array. */
export function opensArray(text: string): boolean {
  let i = 0;
  while (text.charCodeAt(i) <= 32) i++;
  return text.charCodeAt(i) === OPEN_BRACKET;
}

/** Index of the quote that closes the string which opens at `at`, or the end of the text. */
function closingQuote(text: string, at: number): number {
  let i = at + 1;
  for (let c = text.charCodeAt(i); i < text.length && c !== QUOTE; c = text.charCodeAt(i)) i += c === BACKSLASH ? 2 : 1;
  return i;
}

/**
 * Whether the array, which need not be valid JSON, has more than `max` elements. It is found out before anything is built from it:
 * taking apart millions of elements holds up everybody for seconds.
 */
export function longerThan(text: string, max: number): boolean {
  let depth = 0;
  let commas = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) i = closingQuote(text, i);
    else if (c === OPEN_BRACKET || c === OPEN_BRACE) depth++;
    else if (c === CLOSE_BRACKET || c === CLOSE_BRACE) {
      if (--depth <= 0) return false;
    } else if (c === COMMA && depth === 1 && ++commas >= max) return true;
  }
  return false;
}

/**
 * The objects of a text in which they stand one behind the other, as some servers write a notification before their answer (PROTOCOL B);
 * undefined if it is no such text or holds more than `max`. Each may still be no JSON.
 */
export function concatenated(text: string, max: number): string[] | undefined {
  const objects: string[] = [];
  try {
    for (let at = 0; at < text.length;) {
      if (text.charCodeAt(at) <= 32) at++;
      else if (text.charCodeAt(at) !== OPEN_BRACE || objects.length >= max) return undefined;
      else {
        const { end } = objectSpan(text, at);
        objects.push(text.slice(at, end));
        at = end;
      }
    }
  } catch {
    return undefined;
  }
  return objects;
}
