import { validateHeaderValue } from 'node:http';
import type { JsonObject } from '../../protocol/index.ts';
import { encoded, pairs, scalar, simple } from './encode.ts';
import type { ApiRequest } from './fetch.ts';
import type { ApiBody, ApiMember, ApiOperation, ApiParameter } from './types.ts';

/** What an API's credentials add to a request. They are secret, and stand above anything that arguments say. */
export interface ApiCredentials {
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly query?: Readonly<Record<string, string>> | undefined;
}

export type Built = { readonly ok: true; readonly request: ApiRequest } | { readonly ok: false; readonly problem: string };

/** An argument that cannot be sent, in words for its author. */
class BadArgument extends Error {}

const given = (args: JsonObject, arg: string): unknown => (Object.hasOwn(args, arg) ? (args[arg] ?? undefined) : undefined);

/** A value may not lead out of its place in the path, however often a server on the way decodes it. */
function pathValue({ arg, explode, json }: ApiParameter, value: unknown): string {
  if (value === undefined) throw new BadArgument(`needs "${arg}"`);
  const text = json ? encoded(JSON.stringify(value)) : simple(value, explode, encoded);
  if (text === '') throw new BadArgument(`needs a value for "${arg}"`);
  if (leadsUp(text)) throw new BadArgument(`cannot have "." or ".." as a part of "${arg}"`);
  return text;
}

function leadsUp(text: string): boolean {
  let plain = text;
  for (let i = 0; i < 4 && plain.includes('%'); i++) plain = plain.replaceAll(/%(2e|2f|5c|25)/gi, (code) => decodeURIComponent(code));
  return plain.split(/[/\\]/).some((part) => part === '.' || part === '..');
}

function pathOf({ path, parameters }: ApiOperation, args: JsonObject): string {
  const filled = path.replaceAll(/\{([^{}]+)\}/g, (_placeholder, name: string) => {
    const parameter = parameters.find((one) => one.in === 'path' && one.name === name);
    return parameter === undefined ? '' : pathValue(parameter, given(args, parameter.arg));
  });
  if (filled.split('/').some((part) => part === '.' || part === '..')) throw new BadArgument('makes a path with "." or ".." in it');
  return filled;
}

function queryOf({ parameters }: ApiOperation, args: JsonObject, own: Readonly<Record<string, string>>): string {
  const taken = new Set(Object.keys(own));
  const parts = parameters.flatMap((parameter) => {
    const value = parameter.in === 'query' ? given(args, parameter.arg) : undefined;
    return value === undefined ? [] : pairs(parameter, value).filter((pair) => !taken.has(nameIn(pair)));
  });
  return [...parts, ...Object.entries(own).map(([name, value]) => `${encoded(name)}=${encoded(value)}`)].join('&');
}

const nameIn = (pair: string): string => decodeURIComponent(pair.slice(0, pair.indexOf('=')));

function headerValue(arg: string, text: string): string {
  try {
    validateHeaderValue(arg, text);
    return text;
  } catch {
    throw new BadArgument(`cannot send the value of "${arg}" in a header: use one line of plain characters`);
  }
}

function headersOf(operation: ApiOperation, args: JsonObject, own: Readonly<Record<string, string>>): Record<string, string> {
  const headers: Record<string, string> = { accept: operation.accept, 'accept-encoding': 'identity', 'user-agent': 'stockpulse-mcp' };
  const cookies: string[] = [];
  for (const parameter of operation.parameters) {
    const value = given(args, parameter.arg);
    if (value === undefined) continue;
    if (parameter.in === 'cookie') cookies.push(...pairs(parameter, value));
    if (parameter.in !== 'header') continue;
    const text = parameter.json ? JSON.stringify(value) : simple(value, parameter.explode, (item) => item);
    headers[parameter.name.toLowerCase()] = headerValue(parameter.arg, text);
  }
  for (const [name, value] of Object.entries(own)) {
    if (name.toLowerCase() === 'cookie') cookies.push(value);
    else headers[name.toLowerCase()] = value;
  }
  if (cookies.length > 0) headers.cookie = cookies.join('; ');
  return headers;
}

function formOf({ members, styles }: ApiBody, values: JsonObject): string {
  const names = members.length > 0 ? members.map(({ name }) => name) : Object.keys(values);
  return names
    .flatMap((name) => {
      const value = given(values, name);
      const style = styles.get(name) ?? { style: 'form' as const, explode: true };
      const json = !styles.has(name) && typeof value === 'object' && !Array.isArray(value);
      return value === undefined ? [] : pairs({ name, ...style, json }, value);
    })
    .join('&');
}

/** The members that were given, under the API's names; null is a value where a body is meant. */
function membersOf({ members }: ApiBody, args: JsonObject): JsonObject {
  const isGiven = ({ arg, nullable }: ApiMember): boolean => Object.hasOwn(args, arg) && (args[arg] !== null || nullable);
  return Object.fromEntries(members.filter(isGiven).map(({ arg, name }) => [name, args[arg]]));
}

function bodyOf({ body }: ApiOperation, args: JsonObject): string | undefined {
  if (body === undefined) return undefined;
  const whole = body.whole === undefined ? membersOf(body, args) : given(args, body.whole);
  if (whole === undefined || (body.whole === undefined && !body.required && Object.keys(whole as JsonObject).length === 0))
    return undefined;
  if (body.kind === 'text') return scalar(whole);
  return body.kind === 'json' ? JSON.stringify(whole) : formOf(body, typeof whole === 'object' ? (whole as JsonObject) : {});
}

/** True if the URL means what was put together, and nothing of it moved. */
function isKept(url: string, base: string, path: string, query: string): boolean {
  if (!URL.canParse(url)) return false;
  const read = new URL(url);
  const whole = new URL(base).pathname.replace(/\/+$/, '') + path;
  return (
    read.origin === new URL(base).origin &&
    read.pathname.split('/').length === whole.split('/').length &&
    read.search === (query && `?${query}`)
  );
}

/** The request for these arguments, or what is wrong with them. `base` has no slash at its end. */
export function buildRequest(operation: ApiOperation, args: JsonObject, base: string, { headers = {}, query = {} }: ApiCredentials): Built {
  try {
    const path = pathOf(operation, args);
    const search = queryOf(operation, args, query);
    const url = `${base}${path}${search === '' ? '' : `?${search}`}`;
    if (!isKept(url, base, path, search)) throw new BadArgument('makes no valid address');
    const body = bodyOf(operation, args);
    const type: Record<string, string> = body === undefined ? {} : { 'content-type': operation.body?.contentType ?? '' };
    return { ok: true, request: { method: operation.method, url, headers: { ...headersOf(operation, args, headers), ...type }, body } };
  } catch (error) {
    if (error instanceof BadArgument) return { ok: false, problem: error.message };
    if (error instanceof URIError) return { ok: false, problem: 'cannot send a text with half a character in it' };
    throw error;
  }
}
