import type { IncomingMessage, ServerResponse } from 'node:http';

/** Where pages of listed origins may call; the management API is not for them. */
const SHARED = /^\/(?:mcp|sse|stockpulse)(?:[/?]|$)/;
const HEADERS = [
  'accept',
  'authorization',
  'content-type',
  'last-event-id',
  'mcp-method',
  'mcp-name',
  'mcp-protocol-version',
  'mcp-session-id',
  'apca-api-key-id',
  'apca-api-secret-key',
];
/** Their names are a server's to choose, and a wildcard would not cover `authorization` (Fetch, "CORS-preflight fetch"). */
const PARAMETER = /^mcp-param-[a-z0-9!#$%&'*+.^_`|~-]+$/;
const METHODS = 'GET, POST, PUT, PATCH, DELETE';
const EXPOSED = 'mcp-session-id, www-authenticate, retry-after';
/** Settings may change: ten minutes. */
const MAX_AGE_SECONDS = '600';

/** Lets a page of that origin read the response, whoever writes it. Nothing on paths that are not for pages. */
export function share(origin: string, request: IncomingMessage, response: ServerResponse): void {
  if (!SHARED.test(request.url ?? '')) return;
  response.setHeader('access-control-allow-origin', origin);
  response.setHeader('vary', 'Origin');
  response.setHeader('access-control-expose-headers', EXPOSED);
}

/** Answers the question of a browser whether a page may send a request. False, with nothing done, if it is none, or not shared. */
export function answerPreflight(request: IncomingMessage, response: ServerResponse): boolean {
  const { headers, method } = request;
  if (method !== 'OPTIONS' || headers['access-control-request-method'] === undefined) return false;
  if (!response.hasHeader('access-control-allow-origin')) return false;
  const asked = (headers['access-control-request-headers'] ?? '').split(',').map((name) => name.trim().toLowerCase());
  response.writeHead(204, {
    'access-control-allow-methods': METHODS,
    'access-control-allow-headers': [...HEADERS, ...asked.filter((name) => PARAMETER.test(name))].join(', '),
    'access-control-max-age': MAX_AGE_SECONDS,
  });
  response.end();
  return true;
}
