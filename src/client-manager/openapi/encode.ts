import { isObject } from '../../protocol/index.ts';
import { exactNumber } from './exact.ts';
import type { ApiStyle } from './types.ts';

/** Percent-encoded except letters, digits, `-`, `.`, `_` and `~` (RFC 3986 2.3). Throws a URIError for half a surrogate pair. */
export const encoded = (text: string): string =>
  encodeURIComponent(text).replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);

/** The text of one value; what has parts goes as JSON. */
export function scalar(value: unknown): string {
  if (typeof value === 'string') return value;
  return exactNumber(value) ?? JSON.stringify(value) ?? '';
}

const given = (value: unknown): boolean => value !== undefined && value !== null;
const isMap = (value: unknown): value is Readonly<Record<string, unknown>> => isObject(value) && exactNumber(value) === undefined;
const entriesOf = (value: Readonly<Record<string, unknown>>): [string, unknown][] =>
  Object.entries(value).filter(([, item]) => given(item));

/** A value of the style `simple`: items and members in one text, commas between. */
export function simple(value: unknown, explode: boolean, encode: (text: string) => string): string {
  if (Array.isArray(value))
    return value
      .filter(given)
      .map((item) => encode(scalar(item)))
      .join(',');
  if (!isMap(value)) return encode(scalar(value));
  return entriesOf(value)
    .map(([name, item]) => `${encode(name)}${explode ? '=' : ','}${encode(scalar(item))}`)
    .join(',');
}

export interface Styled {
  readonly name: string;
  readonly style: ApiStyle;
  readonly explode: boolean;
  readonly json: boolean;
}

const DELIMITERS: Readonly<Partial<Record<ApiStyle, string>>> = { form: ',', spaceDelimited: '%20', pipeDelimited: '%7C' };

function deep(name: string, value: unknown): string[] {
  if (Array.isArray(value)) return value.filter(given).flatMap((item, i) => deep(`${name}[${i}]`, item));
  if (isMap(value)) return entriesOf(value).flatMap(([key, item]) => deep(`${name}[${key}]`, item));
  return [`${encoded(name)}=${encoded(scalar(value))}`];
}

/** The `name=value` pairs of one value in a query, a form or a cookie, encoded; none for an empty list. */
export function pairs({ name, style, explode, json }: Styled, value: unknown): string[] {
  const key = encoded(name);
  if (json) return [`${key}=${encoded(JSON.stringify(value))}`];
  if (style === 'deepObject') return deep(name, value);
  const delimiter = DELIMITERS[style] ?? ',';
  if (Array.isArray(value)) {
    const items = value.filter(given).map((item) => encoded(scalar(item)));
    if (items.length === 0) return [];
    return explode ? items.map((item) => `${key}=${item}`) : [`${key}=${items.join(delimiter)}`];
  }
  if (!isMap(value)) return [`${key}=${encoded(scalar(value))}`];
  const members = entriesOf(value).map(([member, item]) => [encoded(member), encoded(scalar(item))] as const);
  if (members.length === 0) return [];
  return explode ? members.map((member) => member.join('=')) : [`${key}=${members.flat().join(delimiter)}`];
}
