import { Duplex } from 'node:stream';

type WriteDone = (error?: Error | null) => void;

/**
 * The socket that `pg` believes it has: whole protocol messages go to the database worker, its answers come back.
 * What one tick writes is sent as one message, so that a query costs one round trip to the worker.
 */
export class EngineStream extends Duplex {
  readonly #send: (bytes: Uint8Array<ArrayBuffer>) => void;

  constructor(send: (bytes: Uint8Array<ArrayBuffer>) => void) {
    super();
    this.#send = send;
  }

  connect(): this {
    queueMicrotask(() => this.emit('connect'));
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  /** Bytes that the worker answered. */
  receive(bytes: Uint8Array): void {
    if (!this.destroyed) this.push(bytes);
  }

  override _read(): void {
    // The worker pushes; a client that asked a query reads all of its answer.
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: WriteDone): void {
    this.#send(Uint8Array.from(chunk));
    done();
  }

  override _writev(chunks: { chunk: Uint8Array }[], done: WriteDone): void {
    const total = chunks.reduce((sum, { chunk }) => sum + chunk.length, 0);
    const joined = new Uint8Array(total);
    let at = 0;
    for (const { chunk } of chunks) {
      joined.set(chunk, at);
      at += chunk.length;
    }
    this.#send(joined);
    done();
  }

  override _final(done: WriteDone): void {
    this.push(null);
    done();
  }
}
