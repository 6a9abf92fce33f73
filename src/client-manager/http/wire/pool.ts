import type { LookupFunction } from 'node:net';
import type { Dispatcher } from 'undici';
import { charsetOf, WireConnection, type ConnectionOwner, type Peer, type WireRequest } from './connection.ts';
import { HeadCache } from './response-parser.ts';

export interface WirePoolOptions {
  /** Connections at once; further requests wait. */
  readonly connections: number;
  /** Milliseconds until a connection must stand. */
  readonly connectMs: number;
  /** A connection that was idle this long is closed, not used again: the server may be closing it already. */
  readonly keepAliveMs: number;
  /** In place of the system's own way to look a name up. */
  readonly lookup?: LookupFunction | undefined;
}

interface Waiting {
  readonly latin1: boolean;
  readonly request: WireRequest;
  readonly handler: Dispatcher.DispatchHandler;
}

interface Leaving {
  readonly connection: WireConnection;
  readonly next: Waiting;
}

/** The handle on a request that has no connection: there is nothing to abort. */
const NO_CONNECTION: Dispatcher.DispatchController = {
  aborted: true,
  paused: false,
  reason: null,
  abort: () => undefined,
  pause: () => undefined,
  resume: () => undefined,
};

const CLOSED = Object.assign(new Error('the pool is closed'), { code: 'UND_ERR_DESTROYED' });

/**
 * HTTP/1.1 connections to one origin (docs/decisions/0007-own-http-client.md): what undici's Pool does for us, with its handler interface, at
 * about half the cost of a call. The connection that was used last is used first, so that idle ones age and are closed.
 */
export class WirePool implements ConnectionOwner {
  readonly #options: WirePoolOptions;
  readonly #peer: Peer;
  readonly #all = new Set<WireConnection>();
  /** The one that was used last is at the end. */
  readonly #free: WireConnection[] = [];
  #waiting: Waiting[] = [];
  /** Requests that have their connection, until the end of this turn. */
  #leaving: Leaving[] = [];
  #connecting = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(origin: string, options: WirePoolOptions) {
    const url = new URL(origin);
    this.#options = options;
    this.#peer = { origin: url, host: url.host, connectMs: options.connectMs, lookup: options.lookup, heads: new HeadCache() };
  }

  get size(): number {
    return this.#all.size;
  }

  dispatch(request: WireRequest, handler: Dispatcher.DispatchHandler): void {
    if (this.#closed) {
      handler.onResponseError?.(NO_CONNECTION, CLOSED);
      return;
    }
    const latin1 = charsetOf(request.headers);
    if (latin1 === undefined) {
      handler.onResponseError?.(NO_CONNECTION, Object.assign(new Error('a header value is not valid'), { code: 'UND_ERR_INVALID_ARG' }));
      return;
    }
    const connection = this.#takeFree();
    const next: Waiting = { request, handler, latin1 };
    if (connection !== undefined) return this.#leave(connection, next);
    this.#waiting.push(next);
    this.#grow();
  }

  onFree(connection: WireConnection): void {
    if (!this.#all.has(connection)) return;
    if (connection.idleSince === 0) this.#connecting--;
    connection.idleSince = performance.now();
    const next = this.#waiting.shift();
    if (next !== undefined) return this.#leave(connection, next);
    this.#free.push(connection);
    this.#timer ??= setInterval(() => this.#sweep(), this.#options.keepAliveMs / 2).unref();
  }

  onGone(connection: WireConnection, error: Error | undefined): void {
    if (!this.#all.delete(connection)) return;
    const wasConnecting = connection.idleSince === 0;
    if (wasConnecting) this.#connecting--;
    const at = this.#free.indexOf(connection);
    if (at >= 0) this.#free.splice(at, 1);
    // A connection that could not be made speaks for the request that it was made for.
    const unlucky = wasConnecting && error !== undefined ? this.#waiting.shift() : undefined;
    unlucky?.handler.onResponseError?.(NO_CONNECTION, error as Error);
    this.#grow();
  }

  /** Ends every connection; requests under way fail with `error`. */
  destroy(error: Error): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#timer = undefined;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const connection of this.#all) connection.destroy(error);
    this.#all.clear();
    this.#free.length = 0;
    for (const { handler } of waiting) handler.onResponseError?.(NO_CONNECTION, error);
    return Promise.resolve();
  }

  /** Requests are written once per turn of the event loop, like answers (docs/decisions/0005-answers-per-turn.md). */
  #leave(connection: WireConnection, next: Waiting): void {
    if (this.#leaving.push({ connection, next }) === 1) setImmediate(this.#depart);
  }

  readonly #depart = (): void => {
    const leaving = this.#leaving;
    this.#leaving = [];
    for (const { connection, next } of leaving) this.#pass(connection, next);
  };

  #pass(connection: WireConnection, next: Waiting): void {
    if (connection.connected) connection.send(next.request, next.handler, next.latin1);
    else if (this.#closed) next.handler.onResponseError?.(NO_CONNECTION, CLOSED);
    else this.dispatch(next.request, next.handler);
  }

  #takeFree(): WireConnection | undefined {
    const oldest = performance.now() - this.#options.keepAliveMs;
    for (let connection = this.#free.pop(); connection !== undefined; connection = this.#free.pop()) {
      if (connection.connected && connection.idleSince > oldest) return connection;
      connection.destroy(CLOSED);
    }
    return undefined;
  }

  /** One connection for each request that waits, up to the limit. */
  #grow(): void {
    while (!this.#closed && this.#connecting < this.#waiting.length && this.#all.size < this.#options.connections) {
      this.#connecting++;
      this.#all.add(new WireConnection(this.#peer, this));
    }
  }

  #sweep(): void {
    const oldest = performance.now() - this.#options.keepAliveMs;
    while (this.#free.length > 0 && (this.#free[0] as WireConnection).idleSince <= oldest) this.#free.shift()?.destroy(CLOSED);
    if (this.#free.length > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
