import { isObject, type JsonObject } from '../../protocol/index.ts';
import type { ApiOperation } from './types.ts';

const MAX_SHOWN = 300;

/** The URL of `rel=next` in a Link header (RFC 8288). */
export function nextLink(link: string | undefined): string | undefined {
  for (const [, url, parameters = ''] of (link ?? '').slice(0, 8_000).matchAll(/<([^<>]{1,4000})>((?:\s*;\s*[^,;<>]{1,200})*)/g))
    if (/;\s*rel\s*=\s*"?[^";]*\bnext\b/i.test(parameters)) return url;
  return undefined;
}

/** The arguments in which the next page's URL differs: no others are shown, since a URL may hold credentials. */
function argumentsOf(url: string, { parameters }: ApiOperation, args: JsonObject): string[] {
  if (!URL.canParse(url, 'http://api.invalid')) return [];
  const { searchParams } = new URL(url, 'http://api.invalid');
  return parameters
    .filter(({ in: place, name }) => place === 'query' && searchParams.has(name))
    .map(({ arg, name }) => [arg, searchParams.get(name) ?? ''] as const)
    .filter(([arg, value]) => String(args[arg]) !== value && value.length <= MAX_SHOWN)
    .map(([arg, value]) => `${arg}: ${JSON.stringify(value)}`);
}

const CURSOR =
  /^(next|nextpage|nextpagetoken|nextcursor|nexttoken|nextlink|nexturl|odatanextlink|cursor|continuationtoken|endcursor|hasmore|hasnextpage)$/;
const CONTAINERS = ['meta', 'metadata', 'pagination', 'paging', 'page', 'page_info', 'pageInfo', 'links', '_links', 'cursors'];

const plain = (name: string): string => name.toLowerCase().replaceAll(/[^a-z0-9]/g, '');

function cursorsIn(value: JsonObject): [string, unknown][] {
  const own = Object.entries(value).filter(([key, item]) => CURSOR.test(plain(key)) && item !== null && item !== false && item !== '');
  return own.map(([key, item]): [string, unknown] => [key, isObject(item) && typeof item.href === 'string' ? item.href : item]);
}

/** What a body says of its next page: `next_page_token: "abc"`. */
function cursorOf(body: unknown): [string, unknown] | undefined {
  if (!isObject(body)) return undefined;
  const places = [body, ...CONTAINERS.map((key) => (Object.hasOwn(body, key) ? body[key] : undefined)).filter(isObject)];
  return places.flatMap(cursorsIn).find(([, item]) => typeof item !== 'object');
}

function byCursor([name, value]: [string, unknown], operation: ApiOperation, args: JsonObject): string {
  const shown = JSON.stringify(value).slice(0, MAX_SHOWN);
  if (typeof value === 'string' && /^(https?:)?\//.test(value)) {
    const changed = argumentsOf(value, operation, args);
    return changed.length === 0 ? 'There is a next page.' : `There is a next page: call again with ${changed.join(', ')}.`;
  }
  const wanted = new Set([plain(name), plain(name).replace(/^next/, ''), `page${plain(name).replace(/^next/, '')}`]);
  const arg = operation.parameters.find((one) => one.in === 'query' && wanted.has(plain(one.name)))?.arg;
  if (arg !== undefined && typeof value !== 'boolean') return `There is a next page: call again with ${arg}: ${shown}.`;
  return `There is a next page (${name}: ${shown}).`;
}

/** How to get the next page, from the Link header and, if `deep`, from common fields of the body. */
export function nextPage(link: string | undefined, body: unknown, operation: ApiOperation, args: JsonObject): string | undefined {
  const url = nextLink(link);
  if (url !== undefined) return byCursor(['next', url.replace(/^(?!https?:|\/)/, '/')], operation, args);
  const cursor = cursorOf(body);
  return cursor && byCursor(cursor, operation, args);
}

const NARROWING =
  /^(limit|page_?size|per_?page|max_?results|first|top|count|fields|select|filter|q|query|start|end|since|until|from|to|page|offset|cursor|page_?token)$/i;

/** The arguments by which a caller can ask for less. */
export function narrowing({ parameters }: ApiOperation): readonly string[] {
  return parameters
    .filter(({ in: place, name }) => place === 'query' && NARROWING.test(name.replaceAll(/[^\w]/g, '')))
    .map(({ arg }) => arg);
}
