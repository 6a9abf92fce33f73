import type { Registry, ServerEntry } from '../registry/index.ts';

/** What clients connect to. `joined` shows every server under prefixed names; `server` shows one server, names untouched. */
export type Endpoint =
  | { readonly kind: 'joined'; readonly path: '/mcp' }
  | { readonly kind: 'server'; readonly path: `/mcp/${string}`; readonly server: string };

const JOINED: Endpoint = { kind: 'joined', path: '/mcp' };
/** Endpoints of servers by name: names come from configuration, so there are few. */
const known = new Map<string, Endpoint>();

/** The endpoint of `/mcp` (no segment) or `/mcp/<segment>`; undefined if there is no such server. */
export function resolveEndpoint(segment: string | undefined, registry: Registry): Endpoint | undefined {
  if (segment === undefined || segment === '') return JOINED;
  if (registry.get(segment) === undefined) return undefined;
  let endpoint = known.get(segment);
  if (endpoint === undefined) known.set(segment, (endpoint = { kind: 'server', path: `/mcp/${segment}`, server: segment }));
  return endpoint;
}

const PATH = /^\/mcp(?:\/([a-z0-9-]+))?$/;

/** The endpoint of a whole path, without a query; undefined if it is none. */
export function endpointAt(path: string, registry: Registry): Endpoint | undefined {
  const match = PATH.exec(path);
  return match === null ? undefined : resolveEndpoint(match[1], registry);
}

/** The servers behind an endpoint, StockPulse's own first, then config order. */
export function serversOf(endpoint: Endpoint, registry: Registry): readonly ServerEntry[] {
  if (endpoint.kind === 'server') {
    const entry = registry.get(endpoint.server);
    return entry === undefined ? [] : [entry];
  }
  const all = registry.list();
  return [...all.filter(({ kind }) => kind === 'stockpulse'), ...all.filter(({ kind }) => kind !== 'stockpulse')];
}
