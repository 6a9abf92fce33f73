import { connect as connectTcp, type LookupFunction, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import { ResponseParser, type HeadCache, type ResponseSink } from './response-parser.ts';

/** One request on its way. `headers` is a flat list of lower-case names and values. */
export interface WireRequest {
  readonly path: string;
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly headers: readonly string[];
  readonly body?: string;
}

export interface Peer {
  readonly origin: URL;
  /** `host:port` as it goes into the Host header. */
  readonly host: string;
  readonly connectMs: number;
  readonly lookup?: LookupFunction | undefined;
  readonly heads: HeadCache;
}

/** What a connection tells its pool. */
export interface ConnectionOwner {
  /** It can take a request. */
  onFree(connection: WireConnection): void;
  /** It is gone; nothing of a request that it was not given can have left. */
  onGone(connection: WireConnection, error: Error | undefined): void;
}

function failure(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

const ASCII = /^[\t\x20-\x7e]*$/;
const LATIN1 = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Whether the values of a flat list of headers need Latin-1; undefined if one of them cannot stand in a header at all, such as a method with a line break. */
export function charsetOf(headers: readonly string[]): boolean | undefined {
  let latin1 = false;
  for (let i = 1; i < headers.length; i += 2) {
    const value = headers[i] as string;
    if (ASCII.test(value)) continue;
    if (!LATIN1.test(value)) return undefined;
    latin1 = true;
  }
  return latin1;
}

const closed = (): Error => failure('UND_ERR_SOCKET', 'the other side closed the connection');

function open({ origin, connectMs, lookup }: Peer): Socket {
  const secure = origin.protocol === 'https:';
  const host = origin.hostname.replace(/^\[(.*)\]$/, '$1');
  const port = Number(origin.port) || (secure ? 443 : 80);
  const options = {
    host,
    port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: 60_000,
    autoSelectFamily: true,
    ...(lookup && { lookup }),
  };
  const socket = secure
    ? connectTls({ ...options, servername: /^[\d.:]+$/.test(host) ? '' : host, ALPNProtocols: ['http/1.1'] })
    : connectTcp(options);
  socket.setTimeout(connectMs, () => socket.destroy(failure('UND_ERR_CONNECT_TIMEOUT', 'connecting took too long')));
  socket.once(secure ? 'secureConnect' : 'connect', () => socket.setTimeout(0));
  return socket;
}

/** One HTTP/1.1 connection: one request at a time, no pipelining. It is the controller of the request that it carries. */
export class WireConnection implements ResponseSink {
  readonly #owner: ConnectionOwner;
  readonly #peer: Peer;
  readonly #socket: Socket;
  readonly #parser: ResponseParser;
  #handler: Dispatcher.DispatchHandler | undefined;
  #control: Control | undefined;
  #gone = false;
  #connected = false;
  /** When it was used last, on the clock of `performance.now()`. */
  idleSince = 0;

  constructor(peer: Peer, owner: ConnectionOwner) {
    this.#peer = peer;
    this.#owner = owner;
    this.#parser = new ResponseParser(peer.heads);
    this.#socket = open(peer);
    this.#socket.once(peer.origin.protocol === 'https:' ? 'secureConnect' : 'connect', () => {
      this.#connected = true;
      owner.onFree(this);
    });
    this.#socket.on('data', (piece: Buffer) => this.#data(piece));
    this.#socket.once('end', () => this.#end(closed()));
    this.#socket.once('error', (error) => this.#end(error));
    this.#socket.once('close', () => this.#end(closed()));
  }

  get connected(): boolean {
    return this.#connected && !this.#gone;
  }

  /** `latin1`: the headers need it. They have been judged by `charsetOf`. */
  send(request: WireRequest, handler: Dispatcher.DispatchHandler, latin1: boolean): void {
    const control = new Control(this, this.#socket);
    handler.onRequestStart?.(control, undefined);
    // The handler may have given up while the request waited: then not a byte has left, and the connection is as good as before.
    if (control.aborted) {
      this.#owner.onFree(this);
      handler.onResponseError?.(control, control.reason ?? closed());
      return;
    }
    this.#handler = handler;
    this.#control = control;
    this.#parser.expect(this);
    if (latin1) {
      this.#socket.write(this.#head(request), 'latin1');
      this.#socket.write(request.body ?? '');
    } else this.#socket.write(this.#head(request) + (request.body ?? ''));
  }

  destroy(error: Error): void {
    this.#end(error);
  }

  /** Ends the request that the control stands for, and the connection with it. */
  abort(control: Control, error: Error): void {
    if (this.#control === control) this.#end(error);
  }

  onHead(status: number, headers: IncomingHttpHeaders): void {
    if (this.#control !== undefined) this.#handler?.onResponseStart?.(this.#control, status, headers);
  }

  onBody(piece: Buffer): void {
    if (this.#control !== undefined) this.#handler?.onResponseData?.(this.#control, piece);
  }

  onEnd(reusable: boolean): void {
    const handler = this.#handler;
    const control = this.#control;
    if (handler === undefined || control === undefined) return;
    this.#handler = undefined;
    this.#control = undefined;
    if (this.#socket.isPaused()) this.#socket.resume();
    if (reusable) this.#owner.onFree(this);
    else this.#end(undefined);
    handler.onResponseEnd?.(control, {});
  }

  #data(piece: Buffer): void {
    if (this.#gone) return;
    try {
      this.#parser.feed(piece);
    } catch (error) {
      this.#end(error instanceof Error ? error : closed());
    }
  }

  #end(error: Error | undefined): void {
    if (this.#gone) return;
    this.#gone = true;
    // A body that is delimited by the end of the connection is complete now.
    if (error !== undefined && this.#handler !== undefined && 'code' in error && error.code === 'UND_ERR_SOCKET') this.#parser.close();
    this.#socket.destroy();
    const handler = this.#handler;
    const control = this.#control;
    this.#handler = undefined;
    this.#control = undefined;
    this.#owner.onGone(this, error);
    if (control !== undefined) handler?.onResponseError?.(control, error ?? closed());
  }

  #head({ method, path, headers, body }: WireRequest): string {
    let text = `${method} ${path} HTTP/1.1\r\nhost: ${this.#peer.host}\r\nconnection: keep-alive\r\n`;
    for (let i = 0; i < headers.length; i += 2) text += `${headers[i]}: ${headers[i + 1]}\r\n`;
    return body === undefined ? `${text}\r\n` : `${text}content-length: ${Buffer.byteLength(body)}\r\n\r\n`;
  }
}

/** The handle on one request: what undici calls a DispatchController. */
class Control implements Dispatcher.DispatchController {
  readonly #connection: WireConnection;
  readonly #socket: Socket;
  aborted = false;
  paused = false;
  reason: Error | null = null;

  constructor(connection: WireConnection, socket: Socket) {
    this.#connection = connection;
    this.#socket = socket;
  }

  abort(reason: Error): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    this.#connection.abort(this, reason);
  }

  pause(): void {
    this.paused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.paused = false;
    this.#socket.resume();
  }
}
