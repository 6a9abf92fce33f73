import type { Incoming } from '../answer.ts';
import type { Services } from '../frame.ts';
import { openListen, type OpenListen } from '../listen.ts';
import type { Flights } from '../sessions/flights.ts';
import type { Wire } from './duplex.ts';

/**
 * The subscriptions of one connection that carries messages both ways. Each stays among the requests in flight until the client cancels it,
 * or we end it.
 */
export class Listens {
  readonly #flights: Flights;
  readonly #wire: Wire;
  readonly #open = new Map<string | number, OpenListen>();
  #ended = false;

  constructor(flights: Flights, wire: Wire) {
    this.#flights = flights;
    this.#wire = wire;
  }

  /** Opens one whose request is in flight. The text to answer now; empty if it stays open, or was canceled. */
  async open(incoming: Incoming, services: Services): Promise<string> {
    const { request, signal } = incoming;
    let opened: Awaited<ReturnType<typeof openListen>> | undefined;
    try {
      opened = await openListen(incoming, services, (text) => {
        if (!signal.aborted) this.#tell(request.id, text);
      });
    } finally {
      if (opened === undefined || 'text' in opened) this.#flights.close(request.id);
    }
    if ('text' in opened) return signal.aborted ? '' : opened.text;
    const listen = opened;
    const drop = (): void => {
      this.#open.delete(request.id);
      this.#flights.close(request.id);
      listen.drop();
    };
    if (signal.aborted) {
      drop();
      return '';
    }
    this.#open.set(request.id, listen);
    signal.addEventListener('abort', drop, { once: true });
    if (this.#ended) this.#end(request.id);
    return '';
  }

  /** Ends all from our side, each with its response (S26 "Graceful Closure"); those that open later end at once. */
  endAll(): void {
    this.#ended = true;
    for (const id of this.#open.keys()) this.#end(id);
  }

  /** A client that does not read is not told with gaps: its subscription ends, and it may subscribe again. */
  #tell(id: string | number, text: string): void {
    if (this.#wire.behind && this.#open.has(id)) this.#end(id);
    else this.#wire.write(text);
  }

  #end(id: string | number): void {
    const listen = this.#open.get(id);
    if (listen === undefined) return;
    this.#open.delete(id);
    this.#flights.close(id);
    this.#wire.write(listen.end());
  }
}
