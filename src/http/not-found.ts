import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { pathOf } from './options.ts';
import type { RefusalFacts, Refuser } from './refusal.ts';

const WELL_KNOWN = '/.well-known/';
const METADATA = /\/\.well-known\/(oauth-|openid-configuration)/;

/** What OAuth discovery gets until OAuth exists: where a client would look for metadata, it says how to pass a key. */
export const NO_OAUTH: RefusalFacts = {
  code: 'oauth_not_offered',
  message:
    'This server does not offer OAuth yet. Send an API key with every request: "Authorization: Bearer <API key>"; make one with: stockpulse keys create.',
};

interface Pattern {
  readonly methods: Set<string>;
  readonly matches: RegExp;
}

function matcher(url: string): RegExp {
  const escaped = url.replace(/[.+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${escaped.replace(/:[A-Za-z]+/g, '[^/]+').replaceAll('*', '.*')}/?$`);
}

/** Answers what no route takes: 405 with `Allow` if the path exists under another method, else 404, both in JSON. */
export function installNotFound(app: FastifyInstance, refuser: Refuser): void {
  const patterns = new Map<string, Pattern>();
  app.addHook('onRoute', (route) => {
    const pattern = patterns.get(route.url) ?? { methods: new Set(), matches: matcher(route.url) };
    for (const method of [route.method].flat()) pattern.methods.add(method);
    patterns.set(route.url, pattern);
  });
  const allowed = (path: string): string[] =>
    [...patterns.values()].filter((pattern) => pattern.matches.test(path)).flatMap((pattern) => [...pattern.methods]);
  app.setNotFoundHandler((request: FastifyRequest, reply: FastifyReply) => {
    refuser.send(request, reply, notFound(request, allowed(pathOf(request))));
    return reply;
  });
}

function notFound(request: FastifyRequest, allowed: readonly string[]): RefusalFacts {
  const path = pathOf(request);
  if (path.includes(WELL_KNOWN) && METADATA.test(path)) return NO_OAUTH;
  if (allowed.length === 0 || allowed.includes(request.method))
    return {
      code: 'not_found',
      message: 'There is nothing here. MCP is at /mcp, management at /admin/v1, the API description at /stockpulse/openapi.json.',
    };
  const allow = [...new Set(allowed)].join(', ');
  return { code: 'method_not_allowed', message: `This path takes ${allow}, not ${request.method}.`, headers: { allow } };
}
