import type { ServerResponse } from 'node:http';
import type { EventSink } from '../sessions/streams.ts';
import { STUCK_MS } from './exchange.ts';
import type { LiveStream, LiveStreams } from './live-streams.ts';

const HEAD = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-transform',
  // Asks reverse proxies to pass events on at once (S26 Streamable HTTP).
  'x-accel-buffering': 'no',
};

/** A stream without an event: for requests to which no response is due. */
export function sendNothing(response: ServerResponse): void {
  if (!response.destroyed && !response.headersSent) response.writeHead(200, HEAD).end();
}
/** Beyond this many unread bytes a reader is behind. */
const BEHIND_BYTES = 1024 * 1024;
/** How long a client waits before it resumes a stream. */
const RETRY_MS = 1000;
const LINE_ENDS = /[\r\n]+/g;

/** JSON text on one line: between its tokens a line end is as good as a space, and within strings there is none. */
export function oneLine(text: string): string {
  return text.includes('\n') || text.includes('\r') ? text.replace(LINE_ENDS, ' ') : text;
}

export interface SseOptions {
  /** Beyond what the keep-alive does: the credential, and what a leaving gateway sends. */
  readonly recheck?: () => void;
  readonly retire?: () => void;
}

/** One response as a text/event-stream. What is sent after its end is dropped. */
export class SseStream implements EventSink, LiveStream {
  readonly #response: ServerResponse;
  readonly #live: LiveStreams;
  readonly #options: SseOptions;
  readonly #listeners: (() => void)[] = [];
  #open = true;
  #timed = false;
  /** True while bytes of one event are on their way: no comment may come between them. */
  #within = false;

  private constructor(response: ServerResponse, live: LiveStreams, options: SseOptions) {
    this.#response = response;
    this.#live = live;
    this.#options = options;
  }

  /** Begins the stream; undefined if the client is gone or there are too many streams. */
  static open(response: ServerResponse, live: LiveStreams, options: SseOptions = {}): SseStream | undefined {
    if (response.destroyed || response.headersSent) return undefined;
    const stream = new SseStream(response, live, options);
    if (!live.add(stream)) return undefined;
    response.once('close', stream.#closed);
    response.writeHead(200, HEAD);
    response.flushHeaders();
    return stream;
  }

  get open(): boolean {
    return this.#open && !this.#response.destroyed;
  }

  get behind(): boolean {
    return this.#response.writableLength > BEHIND_BYTES;
  }

  /** `data` is JSON text. */
  event(data: string, id?: string): void {
    if (this.open) this.#response.write(`${id === undefined ? '' : `id: ${id}\n`}event: message\ndata: ${oneLine(data)}\n\n`);
  }

  /** An event of another name. */
  named(name: string, data: string): void {
    if (this.open) this.#response.write(`event: ${name}\ndata: ${data}\n\n`);
  }

  prime(id: string): void {
    if (this.open) this.#response.write(`id: ${id}\nretry: ${RETRY_MS}\ndata: \n\n`);
  }

  /** Begins an event whose data comes as bytes through `chunk`, until `end`. */
  begin(): void {
    this.#within = true;
    if (this.open) this.#response.write('event: message\ndata: ');
  }

  end(): void {
    if (!this.#open) return;
    const tail = this.#within ? '\n\n' : undefined;
    this.#leave();
    if (this.#response.destroyed) return;
    this.#response.end(tail);
    if (this.#response.writableLength > 0) this.#response.socket?.setTimeout(STUCK_MS);
  }

  onClose(listener: () => void): void {
    if (this.#open) this.#listeners.push(listener);
    else listener();
  }

  keepAlive(): void {
    const unread = this.#response.writableLength > 0;
    if (unread !== this.#timed) this.#response.socket?.setTimeout(unread ? STUCK_MS : 0);
    this.#timed = unread;
    // Where something is unread a comment would only look as if the connection moved.
    if (!unread && this.open && !this.#within) this.#response.write(':\n\n');
  }

  recheck(): void {
    this.#options.recheck?.();
  }

  retire(): void {
    this.#options.retire?.();
  }

  readonly #closed = (): void => this.#leave();

  #leave(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#live.delete(this);
    this.#response.off('close', this.#closed);
    for (const listener of this.#listeners.splice(0)) listener();
  }
}
