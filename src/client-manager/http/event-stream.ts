import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import type { SseEvent } from '../../protocol/index.ts';
import { messageOf } from '../../shared/index.ts';
import { Pacer, type Pausable } from '../pacer.ts';
import { EventReader, isEventStream } from './event-reader.ts';

export interface EventStreamOptions {
  /** Largest event. */
  readonly maxBytes: number;
  /** Bytes in a tenth of a second after which the server is not read for a moment, unless they are answers. */
  readonly noiseBytes: number;
  /** Must not throw. */
  readonly onEvent: (event: SseEvent, bytes: number) => void;
}

/** How a stream ended, or why there was none. */
export type StreamEnd =
  /** The server refused it. */
  | { readonly why: 'status'; readonly status: number; readonly headers: IncomingHttpHeaders }
  /** It answered with something else than events. */
  | { readonly why: 'not_events' }
  | { readonly why: 'closed' }
  | { readonly why: 'too_large' }
  | { readonly why: 'error'; readonly error: Error };

const STOPPED = new Error('the stream was closed by the gateway');

/** The events of one GET, as a handler of undici's dispatch. It has no deadline: its owner ends it. */
export class EventStream implements Dispatcher.DispatchHandler, Pausable {
  /** Resolves with undefined once the server has agreed, or with why it has not. */
  readonly opened: Promise<StreamEnd | undefined>;
  readonly ended: Promise<StreamEnd>;
  readonly #options: EventStreamOptions;
  readonly #reader: EventReader;
  readonly #pacer: Pacer;
  readonly #open: (end: StreamEnd | undefined) => void;
  readonly #end: (end: StreamEnd) => void;
  #controller: Dispatcher.DispatchController | undefined;
  #over = false;

  constructor(options: EventStreamOptions) {
    this.#options = options;
    this.#reader = new EventReader(options.maxBytes);
    this.#pacer = new Pacer(this, options.noiseBytes);
    ({ promise: this.opened, resolve: this.#open } = Promise.withResolvers<StreamEnd | undefined>());
    ({ promise: this.ended, resolve: this.#end } = Promise.withResolvers<StreamEnd>());
  }

  get lastEventId(): string | undefined {
    return this.#reader.lastEventId;
  }

  get retryMs(): number | undefined {
    return this.#reader.retryMs;
  }

  pause(): void {
    this.#controller?.pause();
  }

  resume(): void {
    this.#controller?.resume();
  }

  noise(bytes: number): void {
    if (!this.#over) this.#pacer.noise(bytes);
  }

  stop(): void {
    this.#finish({ why: 'error', error: STOPPED });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#over) controller.abort(STOPPED);
    else this.#controller = controller;
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    const coding = headers['content-encoding'];
    if (status !== 200) this.#finish({ why: 'status', status, headers });
    else if (!isEventStream(headers['content-type']) || (coding !== undefined && coding !== 'identity'))
      this.#finish({ why: 'not_events' });
    else this.#open(undefined);
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#over) return;
    try {
      for (const event of this.#reader.feed(chunk)) {
        if (this.#over) return;
        this.#options.onEvent(event, event.data.length);
      }
    } catch (error) {
      if (error instanceof RangeError) this.#finish({ why: 'too_large' });
      else this.#finish({ why: 'error', error: error instanceof Error ? error : new Error(messageOf(error)) });
    }
  }

  onResponseEnd(): void {
    this.#controller = undefined;
    this.#finish({ why: 'closed' });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#controller = undefined;
    this.#finish({ why: 'error', error });
  }

  #finish(end: StreamEnd): void {
    if (this.#over) return;
    this.#over = true;
    this.#pacer.stop();
    this.#open(end);
    this.#end(end);
    this.#controller?.abort(STOPPED);
  }
}
