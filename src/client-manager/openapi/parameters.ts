import { isObject, type JsonObject } from '../../protocol/index.ts';
import { ArgumentNames } from './naming.ts';
import type { Refs } from './refs.ts';
import type { ApiParameter, ApiStyle } from './types.ts';

/** A parameter of an operation and the part of the document that describes its values. */
export interface Described extends ApiParameter {
  readonly required: boolean;
  readonly schema: unknown;
  /** The parameter object itself: description, examples. */
  readonly around: JsonObject;
}

export type ParametersReading =
  | { readonly ok: true; readonly parameters: readonly Described[]; readonly names: ArgumentNames }
  | { readonly ok: false; readonly reason: string };

const PLACES: ReadonlySet<unknown> = new Set(['path', 'query', 'header', 'cookie']);
const STYLES: Readonly<Record<ApiParameter['in'], readonly ApiStyle[]>> = {
  path: ['simple'],
  query: ['form', 'spaceDelimited', 'pipeDelimited', 'deepObject'],
  header: ['simple'],
  cookie: ['form'],
};
/** OpenAPI itself says that parameters of these names mean nothing. */
const IGNORED = /^(accept|content-type|authorization)$/i;
/** Headers of the connection, and those that say who is calling: no model writes them. */
const OURS =
  /^(host|connection|content-length|transfer-encoding|keep-alive|upgrade|expect|te|trailer|cookie|accept-encoding|proxy-.*|forwarded|x-forwarded-.*|x-real-ip)$/i;

/** What a parameter is told by: place and name. */
const keyOf = (place: unknown, name: string): string => `${String(place)}:${place === 'header' ? name.toLowerCase() : name}`;

/** The names under which the document's security schemes carry keys: those are not arguments. */
export function credentialKeys(root: JsonObject, refs: Refs): ReadonlySet<string> {
  const components = isObject(root.components) ? root.components : {};
  const schemes = isObject(components.securitySchemes) ? Object.values(components.securitySchemes) : [];
  const keys = schemes
    .map((scheme) => refs.resolve(scheme))
    .filter((scheme) => scheme?.type === 'apiKey' && typeof scheme.name === 'string');
  return new Set(keys.map((scheme) => keyOf(scheme?.in, scheme?.name as string)));
}

/** Those of the operation and, where it says nothing else, those of its path. */
function parameterObjects(lists: readonly unknown[], refs: Refs): JsonObject[] {
  const found = new Map<string, JsonObject>();
  for (const list of lists) {
    for (const item of Array.isArray(list) ? (list as unknown[]) : []) {
      const parameter = refs.resolve(item);
      if (parameter !== undefined && typeof parameter.name === 'string' && PLACES.has(parameter.in))
        found.set(keyOf(parameter.in, parameter.name), parameter);
    }
  }
  return [...found.values()];
}

function valueSchema(parameter: JsonObject): { readonly schema: unknown; readonly json: boolean } {
  const [media] = isObject(parameter.content) ? Object.values(parameter.content) : [];
  if (parameter.schema === undefined && isObject(media)) return { schema: media.schema, json: true };
  return { schema: parameter.schema ?? { type: 'string' }, json: false };
}

function isArgument({ in: place, name }: JsonObject, credentials: ReadonlySet<string>): boolean {
  if (place === 'header' && (IGNORED.test(name as string) || OURS.test(name as string))) return false;
  return !credentials.has(keyOf(place, name as string));
}

function describedParameter(parameter: JsonObject, names: ArgumentNames): Described | undefined {
  const { name, in: place } = parameter as { name: string; in: ApiParameter['in'] };
  const style = (parameter.style ?? STYLES[place][0]) as ApiStyle;
  if (!STYLES[place].includes(style)) return undefined;
  const explode = typeof parameter.explode === 'boolean' ? parameter.explode : style === 'form' || style === 'deepObject';
  const required = place === 'path' || parameter.required === true;
  return { arg: names.take(name, place), in: place, name, style, explode, required, ...valueSchema(parameter), around: parameter };
}

const placeholders = (path: string): string[] => [...path.matchAll(/\{([^{}]+)\}/g)].map(([, name]) => name ?? '');

/** The parameters of an operation: path ones first, in the order of the path. */
export function readParameters(
  path: string,
  lists: readonly unknown[],
  { refs, credentials }: { readonly refs: Refs; readonly credentials: ReadonlySet<string> },
): ParametersReading {
  const names = new ArgumentNames();
  const objects = parameterObjects(lists, refs).filter((parameter) => isArgument(parameter, credentials));
  const wanted = new Set(placeholders(path));
  const inPath = [...wanted].map((name) => objects.find((item) => item.in === 'path' && item.name === name) ?? { name, in: 'path' });
  const others = objects.filter((item) => item.in !== 'path');
  const parameters: Described[] = [];
  for (const parameter of [...inPath, ...others]) {
    const read = describedParameter(parameter, names);
    if (read !== undefined) parameters.push(read);
    else if (parameter.in === 'path' || parameter.required === true)
      return { ok: false, reason: `its parameter "${String(parameter.name)}" has the style ${JSON.stringify(parameter.style)}` };
  }
  return { ok: true, parameters, names };
}
