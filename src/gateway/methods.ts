import type { Era } from '../protocol/index.ts';
import type { Endpoint } from './endpoints.ts';
import type { Kind } from './frame.ts';

const COMMON: readonly (readonly [string, Kind])[] = [
  ['tools/list', 'list'],
  ['tools/call', 'call'],
  ['prompts/list', 'list'],
  ['prompts/get', 'read'],
  ['resources/list', 'list'],
  ['resources/templates/list', 'list'],
  ['resources/read', 'read'],
  ['completion/complete', 'read'],
];

const KINDS: Readonly<Record<Era, ReadonlyMap<string, Kind>>> = {
  modern: new Map([
    ...COMMON,
    ['server/discover', 'server'],
    ['subscriptions/listen', 'listen'],
    ['tasks/get', 'read'],
    ['tasks/update', 'read'],
    ['tasks/cancel', 'read'],
  ]),
  legacy: new Map([
    ...COMMON,
    ['initialize', 'server'],
    ['ping', 'server'],
    ['logging/setLevel', 'session'],
    ['resources/subscribe', 'session'],
    ['resources/unsubscribe', 'session'],
  ]),
};

/** Methods of the other era, and what no endpoint relays (PROTOCOL C5, C6): they are not passed on as unknown ones are. */
const FOREIGN: Readonly<Record<Era, ReadonlySet<string>>> = {
  modern: new Set(['initialize', 'ping', 'logging/setLevel', 'resources/subscribe', 'resources/unsubscribe', 'tasks/list', 'tasks/result']),
  legacy: new Set(['server/discover', 'subscriptions/listen', 'tasks/get', 'tasks/update', 'tasks/cancel', 'tasks/list', 'tasks/result']),
};

/** The methods that each era has on every endpoint. */
export const KNOWN_METHODS: Readonly<Record<Era, ReadonlySet<string>>> = {
  modern: new Set(KINDS.modern.keys()),
  legacy: new Set(KINDS.legacy.keys()),
};

/** What a server over HTTP can be sent as `Mcp-Method`, which has no encoding (S26 Streamable HTTP, "Standard Request Headers"). */
const SENDABLE = /^[\x21-\x7e]{1,256}$/;

/** The methods that an endpoint has in that era; undefined where it passes on what it does not know (PROTOCOL A14). */
export function methodsOf(endpoint: Endpoint, era: Era): ReadonlySet<string> | undefined {
  return endpoint.kind === 'server' ? undefined : KNOWN_METHODS[era];
}

/** The column of the pipeline for a method; undefined for one that does not exist here (-32601). */
export function kindOf(method: string, era: Era, endpoint: Endpoint): Kind | undefined {
  const kind = KINDS[era].get(method);
  if (kind !== undefined || endpoint.kind !== 'server' || FOREIGN[era].has(method)) return kind;
  return SENDABLE.test(method) ? 'read' : undefined;
}

/** True for a method that `kindOf` knows by name: the others are forwarded verbatim. */
export function isKnownMethod(method: string, era: Era): boolean {
  return KINDS[era].has(method);
}
