import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex as ByteStream } from 'node:stream';
import { WebSocketServer, type RawData, type WebSocket } from 'ws';
import { decodeMessage } from '../../protocol/index.ts';
import type { Authentication } from '../../security/index.ts';
import type { Endpoint } from '../endpoints.ts';
import type { Services } from '../frame.ts';
import type { AsksOptions } from '../sessions/asks.ts';
import { Duplex, type Wire } from './duplex.ts';
import { STUCK_MS } from './exchange.ts';
import type { LiveStream, LiveStreams } from './live-streams.ts';

/** A request to become a WebSocket, as the HTTP host hands it over: guarded, not answered yet. Exactly one of `take` and `refuse` is called. */
export interface SocketUpgrade {
  readonly authenticate: () => Authentication;
  /** Milliseconds that the client has to wait before its next request; 0 for none. */
  readonly admit: () => number;
  readonly request: IncomingMessage;
  /** Aborts when the host begins to close. */
  readonly closing: AbortSignal;
  /** The connection, and what came behind its head. */
  readonly take: () => { readonly socket: ByteStream; readonly head: Buffer };
  readonly refuse: (facts: { readonly code: string; readonly message: string }) => void;
}

export interface WebSocketParts {
  readonly services: Services;
  readonly live: LiveStreams;
  readonly frameBytes: number;
  readonly maxInFlight: number;
  readonly drainMs: number;
  readonly asks: AsksOptions;
}

/** The registered name of MCP over WebSocket, as the SDK's client sends it. */
const SUBPROTOCOL = 'mcp';
const BEHIND_BYTES = 1024 * 1024;
const CLOSED = { goingAway: 1001, unsupported: 1003, policy: 1008, tryAgain: 1013 } as const;
/** How long a closed connection waits for the other side's goodbye. */
const GOODBYE_MS = 2000;

/** One client on a WebSocket: a JSON-RPC message per text frame, both eras by the rules of stdio (PROTOCOL B). */
class Client implements Wire, LiveStream {
  readonly #socket: WebSocket;
  readonly #bytes: ByteStream;
  readonly #parts: WebSocketParts;
  readonly #duplex: Duplex;
  readonly #closing: AbortSignal;
  #answersPings = true;
  #ticks = 0;
  #leaving = false;

  constructor(socket: WebSocket, bytes: ByteStream, endpoint: Endpoint, upgrade: SocketUpgrade, parts: WebSocketParts) {
    const { services, maxInFlight, asks } = parts;
    const { authenticate, admit, closing } = upgrade;
    this.#socket = socket;
    this.#bytes = bytes;
    this.#parts = parts;
    this.#closing = closing;
    this.#duplex = new Duplex({ face: 'websocket', services, endpoint, authenticate, admit, wire: this, modern: true, maxInFlight, asks });
  }

  start(): void {
    const socket = this.#socket;
    socket.on('error', () => socket.terminate());
    this.#bytes.on('timeout', () => socket.terminate());
    if (!this.#parts.live.add(this)) return this.#close(CLOSED.tryAgain, 'too many connections');
    socket.on('message', this.#message);
    socket.on('pong', () => (this.#answersPings = true));
    socket.once('close', this.#gone);
    this.#closing.addEventListener('abort', this.#leave, { once: true });
    if (this.#closing.aborted) this.#leave();
  }

  get behind(): boolean {
    return this.#socket.bufferedAmount > BEHIND_BYTES;
  }

  write(text: string): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#socket.send(text, this.#written);
    if (this.behind && !this.#socket.isPaused) this.#pause(true);
  }

  /** Every other tick, so every 30 s: a ping, and the end of a connection that did not answer the one before. */
  keepAlive(): void {
    // The timeout of the connection itself watches over one that is not read from.
    if (++this.#ticks % 2 !== 0 || this.#socket.isPaused) return;
    if (!this.#answersPings) return this.#socket.terminate();
    this.#answersPings = false;
    this.#socket.ping();
  }

  recheck(): void {
    if (!this.#duplex.recheck()) this.#close(CLOSED.policy, 'the credential ended');
  }

  retire(): void {
    this.#leave();
  }

  /** Who does not read his answers is not read from either; and not for ever. */
  #pause(paused: boolean): void {
    (this.#bytes as Partial<Socket>).setTimeout?.(paused ? STUCK_MS : 0);
    if (paused) this.#socket.pause();
    else this.#socket.resume();
    this.#answersPings = true;
  }

  readonly #written = (): void => {
    if (this.#socket.isPaused && !this.behind) this.#pause(false);
  };

  readonly #message = (data: RawData, binary: boolean): void => {
    if (binary) return this.#close(CLOSED.unsupported, 'messages are text');
    this.#duplex.take(decodeMessage((data as Buffer).toString('utf8')));
  };

  /** The gateway goes: what is under way is answered first. */
  readonly #leave = (): void => {
    if (this.#leaving) return;
    this.#leaving = true;
    this.#socket.off('message', this.#message);
    void this.#duplex.drain(this.#parts.drainMs).then(() => this.#close(CLOSED.goingAway, 'the gateway stops'));
  };

  readonly #gone = (): void => {
    this.#closing.removeEventListener('abort', this.#leave);
    this.#parts.live.delete(this);
    this.#duplex.lose();
  };

  #close(code: number, reason: string): void {
    this.#socket.off('message', this.#message);
    this.#socket.close(code, reason);
    setTimeout(() => this.#socket.terminate(), GOODBYE_MS).unref();
  }
}

function offers(request: IncomingMessage): boolean {
  const header = request.headers['sec-websocket-protocol'] ?? '';
  return header.split(',').some((name) => name.trim() === SUBPROTOCOL);
}

/** WebSocket on the `/mcp` paths. */
export class WebSocketFace {
  readonly #parts: WebSocketParts;
  readonly #server: WebSocketServer;

  constructor(parts: WebSocketParts) {
    this.#parts = parts;
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: parts.frameBytes,
      handleProtocols: () => SUBPROTOCOL,
    });
  }

  /** Takes over a connection for an endpoint; refuses one without the subprotocol `mcp`. */
  serve(upgrade: SocketUpgrade, endpoint: Endpoint): void {
    const { request, refuse } = upgrade;
    if (!offers(request)) {
      refuse({ code: 'invalid_request', message: `MCP over WebSocket needs the subprotocol ${SUBPROTOCOL}: send Sec-WebSocket-Protocol.` });
      return;
    }
    const { socket, head } = upgrade.take();
    this.#server.handleUpgrade(request, socket, head, (opened) => {
      new Client(opened, socket, endpoint, upgrade, this.#parts).start();
    });
  }

  close(): void {
    this.#server.close();
  }
}
