import type { Socket } from 'node:net';
import { checkModern, errorText, RPC, rpcError, type ClientFacts, type RequestMessage } from '../../protocol/index.ts';
import { answerRequest } from '../answer.ts';
import type { Services } from '../frame.ts';
import { openListen, type OpenListen } from '../listen.ts';
import { methodsOf } from '../methods.ts';
import { sendAnswerThisTurn, type Exchange } from './exchange.ts';
import { ModernPort, type Responses } from './modern-port.ts';
import { SseStream } from './sse-stream.ts';

const FACE = 'streamable-http';

const signals = new WeakMap<Socket, AbortSignal>();
const stay = (): void => undefined;

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
  // A signal with one listener for good: where the last one leaves with each call, the list of listeners is made anew with each.
  controller.signal.addEventListener('abort', stay);
  signals.set(socket, controller.signal);
  return controller.signal;
}

/** A request of the modern era: stateless, every request complete in itself (S26 Streamable HTTP). */
export async function serveModern(exchange: Exchange, request: RequestMessage, services: Services, responses: Responses): Promise<void> {
  const { endpoint, principal, bytesIn, response } = exchange;
  const { headers, socket } = exchange.request;
  const check = checkModern(request, methodsOf(endpoint, 'modern'), headers);
  if (!check.ok) return sendAnswerThisTurn(response, { text: errorText(request.idText, check.error), status: check.status });
  if (request.method === 'subscriptions/listen') return serveListen(exchange, request, check.client, services, responses);
  const { client } = check;
  const signal = signalOf(socket);
  const port = new ModernPort(response, exchange.events, responses);
  port.finish(
    request,
    await answerRequest({ face: FACE, endpoint, principal, client, request, headers, bytesIn, signal, port, session: undefined }, services),
  );
}

/** The stream of one subscription. It begins with the acknowledgement: until then a refusal has its own status. */
class ListenStream {
  readonly #exchange: Exchange;
  readonly #responses: Responses;
  #events: SseStream | undefined;
  #opened: OpenListen | undefined;
  #over = false;

  constructor(exchange: Exchange, responses: Responses) {
    this.#exchange = exchange;
    this.#responses = responses;
  }

  /** True if there was nobody to send to. */
  get over(): boolean {
    return this.#over;
  }

  readonly send = (text: string): void => {
    if (this.#over) return;
    if (this.#events === undefined) this.#begin();
    // Who does not read is ended rather than left with gaps: he subscribes again.
    if (this.#events?.behind === true) this.#end();
    else this.#events?.event(text);
  };

  holds(opened: OpenListen): void {
    this.#opened = opened;
    if (this.#over) opened.drop();
    else if (this.#responses.live.retired) this.#end();
  }

  #begin(): void {
    const { response, guard } = this.#exchange;
    this.#events = SseStream.open(response, this.#responses.live, {
      recheck: () => {
        if (!guard.authenticate().ok) this.#end();
      },
      retire: () => this.#end(),
    });
    if (this.#events === undefined) this.#over = true;
    else this.#events.onClose(this.#left);
  }

  /** From our side: with the response that says so (S26 "Graceful Closure"). */
  #end(): void {
    if (this.#over || this.#opened === undefined) return;
    this.#over = true;
    this.#events?.event(this.#opened.end());
    this.#events?.end();
  }

  readonly #left = (): void => {
    if (this.#over) return;
    this.#over = true;
    this.#opened?.drop();
  };
}

async function serveListen(
  exchange: Exchange,
  request: RequestMessage,
  client: ClientFacts,
  services: Services,
  responses: Responses,
): Promise<void> {
  const { endpoint, principal, bytesIn, response } = exchange;
  const { headers, socket } = exchange.request;
  if (!exchange.events) {
    const error = rpcError(RPC.invalidRequest, 'Not acceptable: subscriptions/listen is answered with a text/event-stream.');
    return sendAnswerThisTurn(response, { text: errorText(request.idText, error), status: 406 });
  }
  const stream = new ListenStream(exchange, responses);
  const signal = signalOf(socket);
  const incoming = { face: FACE, endpoint, principal, client, request, headers, bytesIn, signal, port: undefined, session: undefined };
  const opened = await openListen(incoming, services, stream.send);
  if ('text' in opened) return sendAnswerThisTurn(response, opened);
  stream.holds(opened);
  if (!stream.over) return;
  const error = rpcError(RPC.busy, 'The gateway is at its limit of open streams. Try again later.');
  sendAnswerThisTurn(response, { text: errorText(request.idText, error), status: 503, retryAfterMs: 5000 });
}
