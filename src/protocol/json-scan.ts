import { AppError } from '../shared/index.ts';

export const QUOTE = 34;
export const COMMA = 44;
export const COLON = 58;
export const OPEN_BRACKET = 91;
const BACKSLASH = 92;
export const CLOSE_BRACKET = 93;
export const OPEN_BRACE = 123;
export const CLOSE_BRACE = 125;
const SPACE = 32;

/** Index of the first character at or behind `at` that is no white space. */
export function skipSpace(text: string, at: number): number {
  let i = at;
  while (text.charCodeAt(i) <= SPACE) i++;
  return i;
}

/** Index behind the closing quote of the string that opens at `at`; 0 if the text ends before. */
function stringEnd(text: string, at: number): number {
  let i = at;
  for (;;) {
    i = text.indexOf('"', i + 1);
    if (i < 0) return 0;
    let slashes = 0;
    while (text.charCodeAt(i - 1 - slashes) === BACKSLASH) slashes++;
    if ((slashes & 1) === 0) return i + 1;
  }
}

/** Index behind the closing quote of the string that opens at `at`. */
export function skipString(text: string, at: number): number {
  const end = stringEnd(text, at);
  if (end === 0) throw new AppError('json_unbalanced', 'The JSON text ends inside a string.');
  return end;
}

/** Index behind the container that opens at `at`; throws `json_too_deep` when it nests deeper than `levels`. */
function skipContainer(text: string, at: number, levels: number): number {
  let depth = 0;
  for (let i = at; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) {
      i = skipString(text, i) - 1;
    } else if (c === OPEN_BRACE || c === OPEN_BRACKET) {
      if (++depth > levels) throw new AppError('json_too_deep', 'The JSON text is nested too deeply.');
    } else if (c === CLOSE_BRACE || c === CLOSE_BRACKET) {
      if (--depth === 0) return i + 1;
    }
  }
  throw new AppError('json_unbalanced', 'The JSON text ends inside an object or array.');
}

/** Index behind the value that starts at `at`; throws `json_too_deep` when it nests deeper than `levels`. */
export function skipValue(text: string, at: number, levels: number): number {
  const c = text.charCodeAt(at);
  if (c === QUOTE) return skipString(text, at);
  if (c === OPEN_BRACE || c === OPEN_BRACKET) return skipContainer(text, at, levels);
  let i = at + 1;
  for (; i < text.length; i++) {
    const d = text.charCodeAt(i);
    if (d === COMMA || d === CLOSE_BRACE || d === CLOSE_BRACKET || d <= SPACE) break;
  }
  return i;
}

/** The key whose string token stands from `start` to `end`. */
export function keyText(text: string, start: number, end: number): string {
  const raw = text.slice(start + 1, end - 1);
  return raw.includes('\\') ? (JSON.parse(text.slice(start, end)) as string) : raw;
}

/** True if the text nests deeper than `levels`. A text that is no JSON may be called either. */
export function nestsDeeper(text: string, levels: number): boolean {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) {
      i = stringEnd(text, i) - 1;
      if (i < 0) return false;
    } else if (c === OPEN_BRACE || c === OPEN_BRACKET) {
      if (++depth > levels) return true;
    } else if (c === CLOSE_BRACE || c === CLOSE_BRACKET) depth--;
  }
  return false;
}
