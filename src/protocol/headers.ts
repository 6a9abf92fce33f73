import { isUtf8 } from 'node:buffer';
import { RPC, rpcError, type RpcError } from './errors.ts';
import { argumentOf, headerValue, type HeaderParam } from './header-params.ts';
import type { JsonObject } from './meta.ts';

/** The request headers a modern message mirrors (S26 Streamable HTTP, "Request Metadata"), lower case as Node gives them. */
export interface MirrorHeaders {
  readonly 'mcp-protocol-version'?: string | undefined;
  readonly 'mcp-method'?: string | undefined;
  readonly 'mcp-name'?: string | undefined;
  readonly [name: string]: string | readonly string[] | undefined;
}

const PREFIX = '=?base64?';
const SUFFIX = '?=';
/** Visible ASCII with inner spaces and tabs: what a header value may hold unencoded. */
const PLAIN = /^[\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?$/;

const isEncoded = (value: string): boolean => value.startsWith(PREFIX) && value.endsWith(SUFFIX);

/** A value as it stands in `Mcp-Name` or `Mcp-Param-*`: plain where that is safe, else in the Base64 sentinel. */
export function encodeHeaderValue(value: string): string {
  if (PLAIN.test(value) && !isEncoded(value)) return value;
  return PREFIX + Buffer.from(value, 'utf8').toString('base64') + SUFFIX;
}

/** The value that a header stands for; undefined if it holds characters that a header value must not have, or broken Base64. */
export function decodeHeaderValue(raw: string): string | undefined {
  if (!/^[\x20-\x7e\t]*$/.test(raw)) return undefined;
  const value = raw.trim();
  if (!isEncoded(value)) return value;
  // `=?base64?=` has no room for both marks.
  if (value.length < PREFIX.length + SUFFIX.length) return undefined;
  const encoded = value.slice(PREFIX.length, -SUFFIX.length);
  const bytes = Buffer.from(encoded, 'base64');
  return bytes.toString('base64') === encoded && isUtf8(bytes) ? bytes.toString('utf8') : undefined;
}

/** The member of params that `Mcp-Name` mirrors, by method. */
export const NAME_SOURCE: Readonly<Record<string, string>> = {
  'tools/call': 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
  'tasks/get': 'taskId',
  'tasks/update': 'taskId',
  'tasks/cancel': 'taskId',
};

const mismatch = (message: string): RpcError => rpcError(RPC.headerMismatch, `Header mismatch: ${message}`);

function single(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : value?.[0];
}

/** `Mcp-Method` and `Mcp-Name` against the body; undefined if they agree. */
export function checkMirrors(headers: MirrorHeaders, method: string, params: JsonObject | undefined): RpcError | undefined {
  const declared = single(headers['mcp-method'])?.trim();
  if (declared === undefined) return mismatch('the header Mcp-Method is required; send the method of the body.');
  if (declared !== method) return mismatch(`Mcp-Method header value '${declared}' does not match body value '${method}'.`);
  const source = NAME_SOURCE[method];
  if (source === undefined) return undefined;
  const name = params?.[source];
  const raw = single(headers['mcp-name']);
  if (raw === undefined)
    return typeof name === 'string' ? mismatch(`the header Mcp-Name is required; send params.${source} of the body.`) : undefined;
  const decoded = decodeHeaderValue(raw);
  if (decoded === undefined) return mismatch('the header Mcp-Name has invalid characters; encode it as =?base64?...?=.');
  if (typeof name === 'string' && decoded !== name)
    return mismatch(`Mcp-Name header value '${decoded}' does not match body value '${name}'.`);
  return undefined;
}

/** A decimal integer, with or without a fraction of zeros. What else Number() reads (`0x10`, `1e1`) is another text to everyone on the way. */
const DECIMAL = /^-?\d+(\.0+)?$/;

const sameValue = (param: HeaderParam, header: string, body: string): boolean =>
  header === body || (param.type === 'integer' && DECIMAL.test(header) && DECIMAL.test(body) && Number(header) === Number(body));

/** The `Mcp-Param-*` headers against the arguments, by the tool's annotations; undefined if they agree. */
export function checkParamHeaders(headers: MirrorHeaders, params: readonly HeaderParam[], args: JsonObject): RpcError | undefined {
  for (const param of params) {
    const raw = single(headers[`mcp-param-${param.header.toLowerCase()}`]);
    const body = headerValue(param, args);
    if (body === undefined && typeof argumentOf(param, args) === 'number')
      return mismatch(`the argument ${param.path.join('.')} must be an integer within ±(2^53 - 1) to be mirrored.`);
    if (raw === undefined) {
      if (body === undefined) continue;
      return mismatch(`the header Mcp-Param-${param.header} is required; send the argument ${param.path.join('.')}.`);
    }
    const decoded = decodeHeaderValue(raw);
    if (decoded === undefined) return mismatch(`the header Mcp-Param-${param.header} has invalid characters; encode it as =?base64?...?=.`);
    if (body === undefined) return mismatch(`the header Mcp-Param-${param.header} stands for an argument that the body does not have.`);
    if (!sameValue(param, decoded, body))
      return mismatch(`Mcp-Param-${param.header} header value '${decoded}' does not match body value '${body}'.`);
  }
  return undefined;
}

/** The headers that a modern request to an upstream carries, computed from the outgoing body (PROTOCOL C3). */
export function mirrorHeaders(
  revision: string,
  method: string,
  params: JsonObject,
  toolParams: readonly HeaderParam[],
): Record<string, string> {
  const headers: Record<string, string> = { 'mcp-protocol-version': revision, 'mcp-method': method };
  const source = NAME_SOURCE[method];
  const name = source === undefined ? undefined : params[source];
  if (typeof name === 'string') headers['mcp-name'] = encodeHeaderValue(name);
  const args = params.arguments;
  for (const param of toolParams) {
    const value = headerValue(param, (args ?? {}) as JsonObject);
    if (value !== undefined) headers[`mcp-param-${param.header.toLowerCase()}`] = encodeHeaderValue(value);
  }
  return headers;
}
