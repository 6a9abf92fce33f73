import { isObject, type JsonObject } from '../../protocol/index.ts';
import type { ApiOptions } from './types.ts';

/** The server URL with its variables replaced: by the options', else by the document's defaults. */
function filled(url: string, variables: unknown, given: Readonly<Record<string, string>>): string {
  return url.replaceAll(/\{([^{}]{1,100})\}/g, (placeholder, name: string) => {
    if (Object.hasOwn(given, name)) return given[name] ?? placeholder;
    const variable = isObject(variables) && Object.hasOwn(variables, name) ? variables[name] : undefined;
    const value = isObject(variable) ? variable.default : undefined;
    return typeof value === 'string' || typeof value === 'number' ? String(value) : placeholder;
  });
}

/** An http(s) URL without credentials, query, fragment or slash at its end. */
function usable(text: string, base: string | undefined): string | undefined {
  if (/[{}]/.test(text) || !URL.canParse(text, base)) return undefined;
  const url = new URL(text, base);
  if (!/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') return undefined;
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}

/** A server object's URL; undefined where it cannot be used. */
export function serverUrl(server: unknown, { documentUrl, variables = {} }: ApiOptions): string | undefined {
  if (!isObject(server) || typeof server.url !== 'string') return undefined;
  return usable(filled(server.url, server.variables, variables), documentUrl);
}

export interface BaseUrl {
  readonly url: string | undefined;
  readonly warning: string | undefined;
}

/** Where the document says that the API is: its first server. */
export function documentUrlOf({ servers }: JsonObject, options: ApiOptions): string | undefined {
  const [first] = Array.isArray(servers) ? (servers as unknown[]) : [];
  return serverUrl(first ?? { url: '/' }, options);
}

/** Where the API is. */
export function baseUrlOf(root: JsonObject, options: ApiOptions): BaseUrl {
  if (options.baseUrl !== undefined) {
    const url = usable(options.baseUrl, undefined);
    return { url, warning: url === undefined ? 'The configured base URL is not an http(s) URL without credentials.' : undefined };
  }
  const url = documentUrlOf(root, options);
  if (url === undefined) return { url, warning: 'The document does not say where the API is: set "url" in the configuration.' };
  const elsewhere =
    options.documentUrl !== undefined && URL.canParse(options.documentUrl) && new URL(options.documentUrl).origin !== new URL(url).origin;
  const warning = elsewhere
    ? `The document says that the API is at ${new URL(url).origin}, which is not where the document came from.`
    : undefined;
  return { url, warning };
}
