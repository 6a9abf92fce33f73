import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { decodeMessage, looksModern, RPC, rpcError, wantsModern } from '../../protocol/index.ts';
import type { Principal } from '../../security/index.ts';
import { endpointAt, resolveEndpoint } from '../endpoints.ts';
import type { Services } from '../frame.ts';
import type { Sessions } from '../sessions.ts';
import { sendAccepted, sendRefusal, type Exchange, type Guarded } from './exchange.ts';
import { bodyText, bodyTooLarge, checkPostHeaders, notUtf8 } from './http-checks.ts';
import { refuseInvalid, serveLegacy, type LegacyParts } from './http-legacy.ts';
import { serveModern } from './http-modern.ts';
import { endSession, serveStream } from './http-session.ts';
import type { Responses } from './modern-port.ts';
import { readBody } from './read-body.ts';
import type { SseFace } from './sse.ts';

export interface HttpFaceOptions {
  readonly services: Services;
  readonly sessions: Sessions;
  readonly responses: Responses;
  readonly sse: SseFace;
  readonly bodyBytes: number;
  /** The listener begins to close. */
  readonly onClosing: () => void;
  /** Where what should not happen goes: the answer is written already. */
  readonly onError: (error: unknown) => void;
}

type Serve = (exchange: Exchange) => Promise<void> | void;

/** Who sent a request, as the HTTP host knows him. */
export type Sender = Guarded & { readonly principal: Principal };

export interface HttpFace {
  readonly plugin: FastifyPluginAsync;
  /** The same for a POST that passed the guards outside Fastify. False, with nothing done, if its path is not one of ours. */
  readonly post: (request: IncomingMessage, response: ServerResponse, sender: Sender) => boolean;
}

/** Streamable HTTP for both eras on the `/mcp` paths, HTTP+SSE on the `/sse` ones. Replies are hijacked: all is answered here. */
export function httpFace(options: HttpFaceOptions): HttpFace {
  const { services, sessions, responses, sse } = options;
  const legacy: LegacyParts = { services, sessions, responses };

  async function post(exchange: Exchange): Promise<void> {
    const { request, response } = exchange;
    const { refusal, events } = checkPostHeaders(request.headers);
    exchange.events = events;
    if (refusal !== undefined) return sendRefusal(response, refusal);
    const body = await readBody(request, options.bodyBytes);
    if (!body.ok) return body.why === 'too_large' ? sendRefusal(response, bodyTooLarge(options.bodyBytes)) : undefined;
    const text = bodyText(body.bytes);
    if (text === undefined) return sendRefusal(response, notUtf8);
    exchange.bytesIn = body.bytes.length;
    return dispatch(exchange, text);
  }

  function dispatch(exchange: Exchange, text: string): Promise<void> | void {
    const { response } = exchange;
    const { headers } = exchange.request;
    const version = headers['mcp-protocol-version'];
    const header = typeof version === 'string' ? version : undefined;
    const message = decodeMessage(text);
    if (message.kind === 'invalid') return refuseInvalid(exchange, message, sessions);
    if (message.kind === 'request' && wantsModern(message, header)) return serveModern(exchange, message, services, responses);
    // A modern notification has no session to belong to; there is none that we need.
    const stateless = headers['mcp-session-id'] === undefined || (header !== undefined && looksModern(header.trim()));
    if (message.kind === 'notification' && stateless) return sendAccepted(response);
    return serveLegacy(exchange, message, legacy);
  }

  const mcp: Readonly<Record<string, Serve>> = {
    POST: post,
    GET: (exchange) => serveStream(exchange, sessions, responses),
    DELETE: (exchange) => endSession(exchange, sessions),
  };
  const old: Readonly<Record<string, Serve>> = { POST: (exchange) => sse.take(exchange), GET: (exchange) => sse.open(exchange) };

  const plugin: FastifyPluginAsync = (fastify) => {
    fastify.addHook('preClose', (done) => {
      options.onClosing();
      done();
    });
    // Answered in the last onRequest hook: what Fastify does between it and the handler is for bodies that it reads itself.
    for (const [root, verbs] of [
      ['/mcp', mcp],
      ['/sse', old],
    ] as const) {
      const onRequest = handler(verbs, options);
      for (const url of [root, `${root}/:server`])
        fastify.route({ method: ['POST', 'DELETE', 'GET', 'PUT', 'PATCH'], url, exposeHeadRoute: false, onRequest, handler: unreached });
    }
    return Promise.resolve();
  };
  return {
    plugin,
    post(request, response, sender) {
      const endpoint = endpointAt(request.url ?? '', services.registry);
      if (endpoint === undefined) return false;
      run(post, { request, response, endpoint, principal: sender.principal, guard: sender, events: false, bytesIn: 0 }, options.onError);
      return true;
    },
  };
}

const INTERNAL = rpcError(RPC.internalError, 'Internal error; the log has the detail.');

/** Serves one request; what should not happen is answered too. */
function run(serve: Serve, exchange: Exchange, onError: (error: unknown) => void): void {
  const failed = (error: unknown): void => {
    onError(error);
    sendRefusal(exchange.response, { status: 500, error: INTERNAL, closes: true });
  };
  try {
    serve(exchange)?.catch(failed);
  } catch (error) {
    failed(error);
  }
}

/** The handler of one root, by method. */
function handler(verbs: Readonly<Record<string, Serve>>, { services, onError }: HttpFaceOptions) {
  const allow = Object.keys(verbs).join(', ');
  return (request: FastifyRequest, reply: FastifyReply): void => {
    reply.hijack();
    const response = reply.raw;
    const serve = verbs[request.method];
    if (serve === undefined) {
      const error = rpcError(RPC.invalidRequest, `${request.method} is not supported here: send JSON-RPC messages by POST.`);
      return sendRefusal(response, { status: 405, error, headers: { allow } });
    }
    const { server } = request.params as { server?: string };
    const endpoint = resolveEndpoint(server, services.registry);
    if (endpoint === undefined) {
      const error = rpcError(
        RPC.invalidRequest,
        `There is no server "${String(server).slice(0, 64)}" here. "stockpulse servers list" shows those that there are.`,
      );
      return sendRefusal(response, { status: 404, error, closes: true });
    }
    const exchange: Exchange = {
      request: request.raw,
      response,
      endpoint,
      principal: request.principal,
      guard: request,
      events: false,
      bytesIn: 0,
    };
    run(serve, exchange, onError);
  };
}

function unreached(): never {
  throw new Error('the request was answered before');
}
