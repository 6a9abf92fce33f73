import { parse } from 'yaml';
import { isObject, type JsonObject } from '../../protocol/index.ts';
import type { ApiLimits } from './types.ts';

export type ApiDocument = { readonly ok: true; readonly root: JsonObject } | { readonly ok: false; readonly problem: string };

const problem = (text: string): ApiDocument => ({ ok: false, problem: text });

function parsed(text: string, limits: ApiLimits): unknown {
  if (/^\s*\{/.test(text)) {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      // A YAML document may begin with a brace as well.
    }
  }
  if (Buffer.byteLength(text) > limits.yamlBytes) return undefined;
  try {
    return parse(text, { maxAliasCount: 100, logLevel: 'error' }) as unknown;
  } catch {
    return undefined;
  }
}

/** The document of a text (JSON or YAML), or of a value that was parsed already. */
export function readDocument(source: unknown, limits: ApiLimits): ApiDocument {
  const isText = typeof source === 'string';
  if (isText && Buffer.byteLength(source) > limits.documentBytes)
    return problem(`The document is larger than ${limits.documentBytes} bytes and was not read.`);
  const root = isText ? parsed(source, limits) : source;
  if (!isObject(root)) return problem(`The document is neither JSON nor YAML of at most ${limits.yamlBytes} bytes that holds an object.`);
  if (root.swagger !== undefined) return problem('The document is of Swagger 2.0: convert it to OpenAPI 3.');
  if (!/^3\.\d+/.test(versionOf(root))) return problem('The document names no version 3 of OpenAPI in its member "openapi".');
  if (!isObject(root.paths)) return problem('The document has no paths.');
  return { ok: true, root };
}

/** An unquoted `3.1` of YAML is a number. */
export function versionOf({ openapi }: JsonObject): string {
  if (typeof openapi === 'number') return openapi.toFixed(1);
  return typeof openapi === 'string' ? openapi.slice(0, 20) : '';
}
