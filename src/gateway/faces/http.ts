import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { decodeMessage, RPC, rpcError, wantsModern } from '../../protocol/index.ts';
import { resolveEndpoint } from '../endpoints.ts';
import type { Services } from '../frame.ts';
import type { Sessions } from '../sessions.ts';
import { sendAccepted, sendAnswerThisTurn, sendRefusal, type Exchange } from './exchange.ts';
import { bodyText, bodyTooLarge, checkPostHeaders, notUtf8 } from './http-checks.ts';
import { endSession, serveLegacy } from './http-legacy.ts';
import { serveModern } from './http-modern.ts';
import { readBody } from './read-body.ts';

export interface HttpFaceOptions {
  readonly services: Services;
  readonly sessions: Sessions;
  readonly bodyBytes: number;
  /** Where what should not happen goes: the answer is written already. */
  readonly onError: (error: unknown) => void;
}

const ALLOW = { allow: 'POST, DELETE' };

/** Streamable HTTP for both eras on `/mcp` and `/mcp/<server>`. Replies are hijacked: the body is read, answered and closed here. */
export function httpFace(options: HttpFaceOptions): FastifyPluginAsync {
  const { services, sessions } = options;

  async function serve(raw: Exchange): Promise<void> {
    const { request, response } = raw;
    if (request.method === 'DELETE') return endSession(raw, sessions);
    const refusal = checkPostHeaders(request.headers);
    if (refusal !== undefined) return sendRefusal(response, refusal);
    const body = await readBody(request, options.bodyBytes);
    if (!body.ok) return body.why === 'too_large' ? sendRefusal(response, bodyTooLarge(options.bodyBytes)) : undefined;
    const text = bodyText(body.bytes);
    if (text === undefined) return sendRefusal(response, notUtf8);
    raw.bytesIn = body.bytes.length;
    return dispatch(raw, text);
  }

  async function dispatch(exchange: Exchange, text: string): Promise<void> {
    const { response } = exchange;
    const version = exchange.request.headers['mcp-protocol-version'];
    const message = decodeMessage(text);
    if (message.kind === 'invalid') return sendRefusal(response, { status: 400, error: message.error, idText: message.idText });
    if (message.kind === 'request' && wantsModern(message, typeof version === 'string' ? version : undefined)) {
      return sendAnswerThisTurn(response, await serveModern(exchange, message, services));
    }
    // A modern notification has no session to belong to; there is none that we need.
    if (message.kind === 'notification' && exchange.request.headers['mcp-session-id'] === undefined) return sendAccepted(response);
    return serveLegacy(exchange, message, sessions, services);
  }

  function handle(request: FastifyRequest, reply: FastifyReply): void {
    reply.hijack();
    const response = reply.raw;
    const { server } = request.params as { server?: string };
    const endpoint = resolveEndpoint(server, services.registry);
    if (endpoint === undefined) {
      const error = rpcError(
        RPC.invalidRequest,
        `There is no server "${String(server).slice(0, 64)}" here. "stockpulse servers list" shows those that there are.`,
      );
      return sendRefusal(response, { status: 404, error, closes: true });
    }
    const exchange: Exchange = { request: request.raw, response, endpoint, principal: request.principal, bytesIn: 0 };
    serve(exchange).catch((error: unknown) => {
      options.onError(error);
      sendRefusal(response, { status: 500, error: rpcError(RPC.internalError, 'Internal error; the log has the detail.'), closes: true });
    });
  }

  function refuseMethod(request: FastifyRequest, reply: FastifyReply): void {
    reply.hijack();
    const error = rpcError(RPC.invalidRequest, `${request.method} is not supported here: send JSON-RPC messages by POST.`);
    sendRefusal(reply.raw, { status: 405, error, headers: ALLOW });
  }

  return (fastify) => {
    // Answered in the last onRequest hook: what Fastify does between it and the handler is for bodies that it reads itself.
    for (const url of ['/mcp', '/mcp/:server']) {
      fastify.route({ method: ['POST', 'DELETE'], url, onRequest: handle, handler: unreached });
      fastify.route({ method: ['GET', 'PUT', 'PATCH'], url, onRequest: refuseMethod, handler: unreached });
    }
    return Promise.resolve();
  };
}

function unreached(): never {
  throw new Error('the request was answered before');
}
