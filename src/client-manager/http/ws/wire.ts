import { WebSocket, type RawData } from 'ws';
import { Duplex, type Wire } from '../../duplex/duplex.ts';
import type { Pending } from '../../duplex/pending.ts';
import type { Emit } from '../../events.ts';
import type { Failures } from '../../failures.ts';
import { networkReason } from '../reply.ts';
import type { Limits } from '../../limits.ts';
import { Pacer } from '../../pacer.ts';
import { idFromEnds } from '../../stdio/lines.ts';
import type { Root } from '../../types.ts';
import { ENDLESS } from './open.ts';

export interface WsWireOptions {
  readonly socket: WebSocket;
  readonly failures: Failures;
  readonly limits: Limits;
  readonly emit: Emit;
  readonly roots: readonly Root[];
}

/** A peer that says nothing for this long, and does not answer a ping in as much time, is gone. */
const PING_MS = 30_000;
const END_BYTES = 256;

/** A WebSocket as a wire: one text message is one JSON-RPC message, bounded in both directions. */
export class WsWire implements Wire {
  readonly duplex: Duplex;
  readonly #options: WsWireOptions;
  readonly #socket: WebSocket;
  readonly #pacer: Pacer;
  readonly #pings: NodeJS.Timeout;
  readonly #closed: Promise<void>;
  #alive = true;
  #problem: string | undefined;

  constructor(options: WsWireOptions) {
    const { socket, limits } = options;
    this.#options = options;
    this.#socket = socket;
    this.duplex = new Duplex({ ...options, wire: this });
    this.#pacer = new Pacer(pausable(socket), limits.noiseBytes);
    this.#pings = setInterval(() => this.#ping(), PING_MS).unref();
    socket.on('message', (data, isBinary) => this.#message(data, isBinary));
    socket.on('pong', () => (this.#alive = true));
    socket.on('error', (error) => (this.#problem ??= problem(error, limits)));
    this.#closed = new Promise((resolve) => {
      const onClose = (): void => {
        this.#end(this.#problem ?? 'it closed the WebSocket');
        resolve();
      };
      if (socket.readyState === WebSocket.CLOSED) onClose();
      else socket.once('close', onClose);
    });
  }

  get full(): boolean {
    return this.#socket.bufferedAmount > this.#options.limits.stdinBytes;
  }

  send(message: Pending | string): void {
    const text = typeof message === 'string' ? message : message.take();
    // What cannot be written is followed by the end of the connection.
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(text, () => undefined);
  }

  noise(bytes: number): void {
    this.#pacer.noise(bytes);
  }

  async close(): Promise<void> {
    this.#end('the connection was closed by the gateway');
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    this.#socket.close(1_000);
    const timer = setTimeout(() => this.#socket.terminate(), this.#options.limits.closeMs);
    await this.#closed;
    clearTimeout(timer);
  }

  #message(data: RawData, isBinary: boolean): void {
    this.#alive = true;
    const bytes = Buffer.isBuffer(data) ? data : Buffer.concat(Array.isArray(data) ? data : [Buffer.from(data)]);
    const { limits } = this.#options;
    if (isBinary) this.noise(bytes.length);
    else if (bytes.length > limits.frameBytes) this.#oversized(bytes);
    else this.duplex.frame(bytes.toString('utf8'), bytes.length);
  }

  #oversized(bytes: Buffer): void {
    const { emit, failures } = this.#options;
    this.noise(bytes.length);
    emit({ kind: 'frame_too_large', bytes: bytes.length });
    const id = idFromEnds(bytes.toString('latin1', 0, END_BYTES), bytes.subarray(-END_BYTES).toString('latin1'));
    const pending = id === undefined ? undefined : this.duplex.waiting(id);
    if (pending !== undefined) this.duplex.settle(pending, failures.tooLarge());
  }

  #ping(): void {
    if (!this.#alive) {
      this.#problem ??= 'it does not answer any more';
      this.#socket.terminate();
      return;
    }
    this.#alive = false;
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.ping(undefined, undefined, () => undefined);
  }

  #end(reason: string): void {
    clearInterval(this.#pings);
    this.#pacer.stop();
    this.duplex.end(reason);
  }
}

/** A socket that is closing can be neither stopped nor started. */
function pausable(socket: WebSocket): { pause(): void; resume(): void } {
  return {
    pause: () => (socket.readyState === WebSocket.OPEN ? socket.pause() : undefined),
    resume: () => (socket.isPaused ? socket.resume() : undefined),
  };
}

function problem(error: Error, { frameBytes }: Limits): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') return `it sent a message larger than ${ENDLESS * frameBytes} bytes`;
  if (code?.startsWith('WS_ERR_') === true || code === 'WS_ERR_INVALID_UTF8') return `it broke the WebSocket protocol (${code})`;
  return networkReason(error);
}
