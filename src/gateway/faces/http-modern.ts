import type { Socket } from 'node:net';
import { checkModern, errorText, type RequestMessage } from '../../protocol/index.ts';
import { answerRequest, MODERN_METHODS } from '../answer.ts';
import type { Services } from '../frame.ts';
import type { Answer } from '../render.ts';
import type { Exchange } from './exchange.ts';

const signals = new WeakMap<Socket, AbortSignal>();

/**
 * Closing the response is how a modern client cancels (S26 "Cancellation"), and in HTTP/1.1 that is closing the connection: one signal per
 * connection serves all its requests.
 */
function signalOf(socket: Socket): AbortSignal {
  const known = signals.get(socket);
  if (known !== undefined) return known;
  const controller = new AbortController();
  if (socket.destroyed) controller.abort();
  else socket.once('close', () => controller.abort());
  signals.set(socket, controller.signal);
  return controller.signal;
}

/** A request of the modern era: stateless, every request complete in itself (S26 Streamable HTTP). */
export async function serveModern(exchange: Exchange, request: RequestMessage, services: Services): Promise<Answer> {
  const { headers, socket } = exchange.request;
  const check = checkModern(request, MODERN_METHODS, headers);
  if (!check.ok) return { text: errorText(request.idText, check.error), status: check.status };
  const { endpoint, principal, bytesIn } = exchange;
  const signal = signalOf(socket);
  return answerRequest({ face: 'streamable-http', endpoint, principal, client: check.client, request, headers, bytesIn, signal }, services);
}
