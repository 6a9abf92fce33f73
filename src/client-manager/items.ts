import { arrayItems, duplicateKey, isObject, memberOf, objectSpan, spliceObject, type JsonText } from '../protocol/index.ts';
import type { ItemList, ListItem } from '../registry/index.ts';
import type { Listed } from './pages.ts';

/** What a list of prompts, resources or templates is made of. */
export interface ItemKind {
  /** The result's member that holds the list. */
  readonly member: string;
  /** The item's member that tells it from others. */
  readonly key: 'name' | 'uri' | 'uriTemplate';
  /** In the plural: for messages. */
  readonly what: string;
}

/** Members that an item may leave out, by the type they must have: clients drop a whole list over one that has another. */
const OPTIONAL: Readonly<Record<string, 'string' | 'object' | 'array' | 'number'>> = {
  title: 'string',
  description: 'string',
  mimeType: 'string',
  size: 'number',
  arguments: 'array',
  icons: 'array',
  annotations: 'object',
  _meta: 'object',
};
const MAX_WARNINGS = 100;
const MAX_SHOWN = 200;

const typeOf = (value: unknown): string => (Array.isArray(value) ? 'array' : typeof value);

/** The items of one page of a list; one that cannot be used is the reason why not. */
export function itemsOf(result: JsonText, kind: ItemKind): (ListItem | string)[] {
  const list: unknown = result.value[kind.member];
  if (!Array.isArray(list)) return [];
  const found = memberOf(objectSpan(result.text), kind.member);
  const texts = found === undefined ? [] : arrayItems(result.text, found.start);
  return list.map((value: unknown, i) => readItem(texts[i], value, kind));
}

function readItem(text: string | undefined, value: unknown, { key, what }: ItemKind): ListItem | string {
  const leftOut = (name: string, reason: string): string => `one of the ${what} is left out: ${name.slice(0, MAX_SHOWN)}${reason}`;
  if (!isObject(value) || text === undefined) return leftOut('', 'it is not an object');
  const id = value[key];
  if (typeof id !== 'string' || id === '') return leftOut('', `it has no ${key}`);
  const span = objectSpan(text);
  const twice = duplicateKey(span);
  if (twice !== undefined) return leftOut(id, ` has the member "${twice.slice(0, MAX_SHOWN)}" twice`);
  if (typeof value.name !== 'string') return leftOut(id, ' has no name');
  const nulls = Object.keys(OPTIONAL).filter((member) => value[member] === null);
  const wrong = Object.keys(OPTIONAL).find(
    (member) => !nulls.includes(member) && value[member] !== undefined && typeOf(value[member]) !== OPTIONAL[member],
  );
  if (wrong !== undefined) return leftOut(id, ` has a ${wrong} that is not of type ${OPTIONAL[wrong]}`);
  if (nulls.length === 0) return { id, text, value };
  const left = Object.fromEntries(Object.entries(value).filter(([member]) => !nulls.includes(member)));
  return { id, text: spliceObject(text, span, Object.fromEntries(nulls.map((member) => [member, null]))), value: left };
}

/** Each id once, in the server's order, no more than the cap. */
export function distinct(
  { items, cache, warnings }: Listed<ListItem | string>,
  what: string,
  maxItems: number,
): { readonly list: ItemList; readonly warnings: readonly string[] } {
  const kept = new Map<string, ListItem>();
  const reasons = [...warnings];
  for (const item of items) {
    if (typeof item === 'string') reasons.push(item);
    else if (kept.has(item.id)) reasons.push(`one of the ${what} is left out: ${item.id.slice(0, MAX_SHOWN)} is listed twice`);
    else if (kept.size >= maxItems) reasons.push(`one of the ${what} is left out: there are more than ${maxItems}`);
    else kept.set(item.id, item);
  }
  const more = reasons.length - MAX_WARNINGS;
  if (more > 0) reasons.splice(MAX_WARNINGS, more, `${more} more ${what} are left out`);
  return { list: { items: [...kept.values()], cache }, warnings: reasons };
}
