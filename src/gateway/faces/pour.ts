import type { ServerResponse } from 'node:http';
import type { Failure, ResultSink, ResultStream } from '../../protocol/index.ts';
import { STUCK_MS } from './exchange.ts';
import type { SseStream } from './sse-stream.ts';

const LF = 10;
const CR = 13;
const SPACE = 32;

/** Bytes of JSON text without line ends, which would end an event's data. Copies only if there are any. */
function onOneLine(bytes: Buffer): Buffer {
  if (!bytes.includes(LF) && !bytes.includes(CR)) return bytes;
  return Buffer.from(bytes.map((byte) => (byte === LF || byte === CR ? SPACE : byte)));
}

/**
 * A large answer on its way to a modern client, as it comes: as the body, or as one event where the response is a stream already. A client
 * that reads slowly slows the server down; one that does not read, or leaves, ends it.
 */
class Pour implements ResultSink {
  readonly idText: string;
  readonly #source: ResultStream;
  readonly #response: ServerResponse;
  readonly #events: SseStream | undefined;
  #over = false;

  constructor(source: ResultStream, idText: string, response: ServerResponse, events: SseStream | undefined) {
    this.#source = source;
    this.idText = idText;
    this.#response = response;
    this.#events = events;
  }

  start(): void {
    if (this.#response.destroyed) return this.#source.abort();
    this.#response.once('close', this.#left);
    if (this.#events === undefined) this.#response.writeHead(200, { 'content-type': 'application/json' });
    else this.#events.begin();
    this.#source.begin(this);
  }

  write(bytes: Buffer): boolean {
    if (this.#over || this.#response.destroyed) return false;
    if (this.#response.write(this.#events === undefined ? bytes : onOneLine(bytes))) return true;
    this.#response.socket?.setTimeout(STUCK_MS);
    this.#response.once('drain', this.#drained);
    return false;
  }

  end(failure: Failure | undefined): void {
    if (this.#over) return;
    this.#finish();
    // An incomplete body must not look like a complete one.
    if (failure !== undefined) this.#response.destroy();
    else if (this.#events === undefined) this.#response.end();
    else this.#events.end();
    if (this.#response.writableLength > 0) this.#response.socket?.setTimeout(STUCK_MS);
  }

  readonly #drained = (): void => {
    this.#response.socket?.setTimeout(0);
    this.#source.resume();
  };

  readonly #left = (): void => {
    if (this.#over) return;
    this.#finish();
    this.#source.abort();
  };

  #finish(): void {
    this.#over = true;
    this.#response.off('close', this.#left);
    this.#response.off('drain', this.#drained);
  }
}

/** Lets a large answer flow to the client. `events` is the stream that the response has become, if it has. */
export function pour(source: ResultStream, idText: string, response: ServerResponse, events: SseStream | undefined): void {
  new Pour(source, idText, response, events).start();
}
