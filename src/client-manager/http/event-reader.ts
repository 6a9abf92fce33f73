import { StringDecoder } from 'node:string_decoder';
import { SseParser, type SseEvent } from '../../protocol/index.ts';

const EVENT_STREAM = /^text\/event-stream(?![^\s;])/i;

export function isEventStream(type: string | undefined): boolean {
  return type !== undefined && EVENT_STREAM.test(type);
}

/** The events of one response, and where it can be resumed (WHATWG HTML, "Server-sent events"). */
export class EventReader {
  readonly #parser: SseParser;
  readonly #decoder = new StringDecoder('utf8');
  lastEventId: string | undefined;
  retryMs: number | undefined;

  constructor(maxBytes: number) {
    this.#parser = new SseParser(maxBytes);
  }

  /** Throws a RangeError for an event that is too large. */
  feed(chunk: Buffer): readonly SseEvent[] {
    const events = this.#parser.feed(this.#decoder.write(chunk));
    for (const { id, retry } of events) {
      if (id !== undefined) this.lastEventId = id === '' ? undefined : id;
      if (retry !== undefined) this.retryMs = retry;
    }
    return events;
  }
}
