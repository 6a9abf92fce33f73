import { ADMIN_PREFIX, type AdminRoute } from './routes.ts';

const PARAM = /:([A-Za-z]+)/g;

/** The path of a route as Fastify and OpenAPI write it, with its prefix. */
export function fullPath(route: AdminRoute, style: 'fastify' | 'openapi'): string {
  const path = style === 'openapi' ? route.path.replace(PARAM, '{$1}') : route.path;
  return `${ADMIN_PREFIX}${path}`;
}

/** The path to request, with its parameters and query filled in and encoded. Throws a TypeError if a parameter is missing. */
export function requestPath(
  route: AdminRoute,
  params: Readonly<Record<string, string>> = {},
  query: Readonly<Record<string, string | undefined>> = {},
): string {
  const path = fullPath(route, 'fastify').replace(PARAM, (_match, name: string) => {
    const value = params[name];
    if (value === undefined) throw new TypeError(`The path ${route.path} needs the parameter ${name}.`);
    return encodeURIComponent(value);
  });
  const pairs = Object.entries(query).filter((pair): pair is [string, string] => pair[1] !== undefined);
  return pairs.length === 0 ? path : `${path}?${new URLSearchParams(pairs).toString()}`;
}
