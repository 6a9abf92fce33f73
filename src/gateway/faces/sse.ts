import { decodeMessage } from '../../protocol/index.ts';
import type { Authentication } from '../../security/index.ts';
import { Bounded, uuid, type Caps } from '../../shared/index.ts';
import type { Services } from '../frame.ts';
import type { AsksOptions } from '../sessions/asks.ts';
import { Duplex, type Wire } from './duplex.ts';
import { sendAccepted, sendRefusal, type Exchange } from './exchange.ts';
import { acceptsEvents, bodyText, bodyTooLarge, checkPostHeaders, notUtf8 } from './http-checks.ts';
import { refuse } from './http-session.ts';
import type { LiveStreams } from './live-streams.ts';
import { readBody } from './read-body.ts';
import { SseStream } from './sse-stream.ts';

export interface SseFaceOptions {
  readonly services: Services;
  readonly caps: Caps;
  readonly live: LiveStreams;
  readonly cap: number;
  readonly bodyBytes: number;
  readonly maxInFlight: number;
  readonly drainMs: number;
  readonly asks: AsksOptions;
}

/** The stream of one client. */
class Client implements Wire {
  readonly principal: string;
  readonly endpointPath: string;
  readonly duplex: Duplex;
  readonly #drainMs: number;
  #stream: SseStream | undefined;
  #leaving = false;

  constructor(exchange: Exchange, { services, maxInFlight, drainMs, asks }: SseFaceOptions) {
    const { endpoint, principal, guard } = exchange;
    const authenticate = (): Authentication => guard.authenticate();
    const admit = (): number => guard.admit();
    this.principal = principal.id;
    this.endpointPath = endpoint.path;
    this.#drainMs = drainMs;
    const common = { face: 'sse', services, endpoint, authenticate, wire: this, modern: false, maxInFlight, asks };
    // Each message comes by a POST, which the host has counted.
    this.duplex = new Duplex({ ...common, admit, counted: true });
  }

  get behind(): boolean {
    return this.#stream?.behind === true;
  }

  /** Whether it takes further messages. */
  get listens(): boolean {
    return !this.#leaving;
  }

  begin(stream: SseStream, messagesTo: string): void {
    this.#stream = stream;
    stream.named('endpoint', messagesTo);
  }

  write(text: string): void {
    this.#stream?.event(text);
  }

  readonly recheck = (): void => {
    if (!this.duplex.recheck()) this.#stream?.end();
  };

  /** The gateway goes: what is under way is answered first. */
  readonly retire = (): void => {
    if (this.#leaving) return;
    this.#leaving = true;
    void this.duplex.drain(this.#drainMs).then(() => this.#stream?.end());
  };
}

/** HTTP+SSE of 2024-11-05: a stream for everything that the server says, and POSTs to the address that its first event names. */
export class SseFace {
  readonly #options: SseFaceOptions;
  readonly #clients: Bounded<string, Client>;

  constructor(options: SseFaceOptions) {
    this.#options = options;
    this.#clients = new Bounded({ name: 'sse_clients', cap: options.cap, caps: options.caps });
  }

  /** GET: opens the stream. */
  open(exchange: Exchange): void {
    const { request, response } = exchange;
    if (!acceptsEvents(request.headers.accept))
      return sendRefusal(response, refuse(406, 'Not acceptable: send Accept: text/event-stream.'));
    const { live, services } = this.#options;
    const client = new Client(exchange, this.#options);
    const id = uuid();
    const full = live.retired || !this.#clients.set(id, client, services.clock.now());
    const stream = full ? undefined : SseStream.open(response, live, client);
    if (stream === undefined) {
      this.#clients.delete(id);
      const refusal = refuse(503, 'The gateway is at its limit of open streams, or about to stop. Try again in a few seconds.');
      return sendRefusal(response, { ...refusal, headers: { 'retry-after': '5' } });
    }
    stream.onClose(() => {
      this.#clients.delete(id);
      client.duplex.lose();
    });
    const { pathname } = new URL(request.url ?? '/sse', 'http://localhost');
    client.begin(stream, `${pathname}?sessionId=${id}`);
  }

  /** POST: a message of a client; what it is answered comes on its stream. */
  async take(exchange: Exchange): Promise<void> {
    const { request, response, principal, endpoint } = exchange;
    const { refusal } = checkPostHeaders({ ...request.headers, accept: undefined });
    if (refusal !== undefined) return sendRefusal(response, refusal);
    const id = new URL(request.url ?? '/sse', 'http://localhost').searchParams.get('sessionId');
    if (id === null)
      return sendRefusal(response, { ...refuse(400, 'The address lacks its sessionId: open the stream by GET first.'), closes: true });
    const body = await readBody(request, this.#options.bodyBytes);
    if (!body.ok) return body.why === 'too_large' ? sendRefusal(response, bodyTooLarge(this.#options.bodyBytes)) : undefined;
    const client = this.#clients.peek(id);
    // A stream is only there for the principal and the endpoint that it was opened for.
    if (client?.principal !== principal.id || client.endpointPath !== endpoint.path || !client.listens)
      return sendRefusal(response, refuse(404, 'There is no such stream: it ended or never existed. Open a new one by GET.'));
    // Its answers would pile up: a connection of this kind cannot be paused.
    if (client.behind)
      return sendRefusal(response, { ...refuse(429, 'Read the stream first: too much on it is unread.'), headers: { 'retry-after': '1' } });
    const text = bodyText(body.bytes);
    if (text === undefined) return sendRefusal(response, notUtf8);
    const message = decodeMessage(text);
    if (message.kind === 'invalid') {
      if (message.response !== undefined) client.duplex.take(message);
      return sendRefusal(response, { status: 400, error: message.error, idText: message.idText });
    }
    sendAccepted(response);
    client.duplex.take(message);
  }
}
