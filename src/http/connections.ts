import type { Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Caps, Gauge } from '../shared/index.ts';
import type { HttpEvent, LastCall } from './options.ts';

const IDLE_SWEEP_MS = 25;

/** The open connections of one listener, as a gauge, and their graceful end. Hijacked replies count: Node itself knows which requests are open. */
export class Connections implements Gauge {
  readonly name: string;
  readonly cap: number;
  readonly #server: Server;
  /** Upgraded sockets belong to nobody in Node's eyes. */
  readonly #upgraded = new Set<Duplex>();
  #size = 0;
  #refused = 0;

  constructor(options: { name: string; server: Server; cap: number; caps: Caps; onEvent?: ((event: HttpEvent) => void) | undefined }) {
    const { name, server, cap, caps, onEvent } = options;
    this.name = name;
    this.cap = cap;
    this.#server = server;
    server.maxConnections = cap;
    server.on('connection', (socket) => {
      this.#size++;
      socket.once('close', () => this.#size--);
    });
    server.on('drop', () => {
      if (this.#refused++ === 0) onEvent?.({ kind: 'connections_full', cap });
    });
    caps.add(this);
  }

  get size(): number {
    return this.#size;
  }

  get refused(): number {
    return this.#refused;
  }

  get upgraded(): number {
    return this.#upgraded.size;
  }

  adopt(socket: Duplex): void {
    this.#upgraded.add(socket);
    socket.once('close', () => this.#upgraded.delete(socket));
  }

  /**
   * Lets connections end while `closing` runs, within `graceMs` and, where there is a last call, the moment that it gives their last answers;
   * then destroys what is left. Resolves with the number destroyed.
   */
  async drain(closing: Promise<unknown>, graceMs: number, last?: LastCall): Promise<number> {
    // A connection that was busy when we stopped becomes idle later, and would then live on until its keep-alive ends.
    const sweep = setInterval(() => this.#server.closeIdleConnections(), IDLE_SWEEP_MS);
    let forced = 0;
    const destroy = (): void => {
      forced = this.#size;
      this.#server.closeAllConnections();
      for (const socket of this.#upgraded) socket.destroy();
    };
    let deadline = setTimeout(() => {
      if (last === undefined) return destroy();
      deadline = setTimeout(destroy, last.lastWordsMs);
      last.cut();
    }, graceMs);
    try {
      await closing;
    } finally {
      clearInterval(sweep);
      clearTimeout(deadline);
    }
    return forced;
  }
}
