/** One event of a text/event-stream. */
export interface SseEvent {
  readonly event: string;
  readonly data: string;
  readonly id: string | undefined;
  readonly retry: number | undefined;
}

/**
 * Parses a text/event-stream piece by piece (WHATWG HTML, "Server-sent events"). Feed decoded text; whole events come out.
 * Throws a RangeError once a single event exceeds `maxLength` characters.
 */
export class SseParser {
  readonly #maxLength: number;
  #rest = '';
  #data: string[] = [];
  #length = 0;
  #event = '';
  #id: string | undefined;
  #retry: number | undefined;
  #afterCr = false;
  #begun = false;

  constructor(maxLength: number) {
    this.#maxLength = maxLength;
  }

  feed(chunk: string): SseEvent[] {
    const events: SseEvent[] = [];
    if (chunk === '') return events;
    const fresh = this.#afterCr && chunk.startsWith('\n') ? chunk.slice(1) : chunk;
    this.#afterCr = chunk.endsWith('\r');
    if (this.#begun && !fresh.includes('\n') && !fresh.includes('\r')) {
      // A long line grows piece by piece without being copied each time.
      this.#keep(this.#rest + fresh);
      return events;
    }
    const text = this.#rest + fresh;
    // A byte order mark counts only at the very beginning of the stream.
    let start = !this.#begun && text.charCodeAt(0) === 0xfeff ? 1 : 0;
    this.#begun = true;
    // What was left over holds no line end, so it is not searched again; each kind of line end is searched for once per piece.
    let lf = text.indexOf('\n', this.#rest.length);
    let cr = text.indexOf('\r', this.#rest.length);
    while (lf >= 0 || cr >= 0) {
      const end = cr < 0 || (lf >= 0 && lf < cr) ? lf : cr;
      this.#line(text.slice(start, end), events);
      start = end === cr && lf === cr + 1 ? end + 2 : end + 1;
      if (lf >= 0 && lf < start) lf = text.indexOf('\n', start);
      if (cr >= 0 && cr < start) cr = text.indexOf('\r', start);
    }
    this.#keep(text.slice(start));
    return events;
  }

  #keep(rest: string): void {
    this.#rest = rest;
    if (rest.length + this.#length > this.#maxLength) throw new RangeError(`An event is larger than ${this.#maxLength} characters.`);
  }

  #line(line: string, events: SseEvent[]): void {
    if (line === '') {
      this.#dispatch(events);
      return;
    }
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line.charCodeAt(colon + 1) === 32 ? colon + 2 : colon + 1);
    this.#field(field, value);
  }

  /** A block without data is no event, but the `retry` and `id` that stand in it hold for those that follow. */
  #dispatch(events: SseEvent[]): void {
    if (this.#data.length > 0) {
      events.push({ event: this.#event || 'message', data: this.#data.join('\n'), id: this.#id, retry: this.#retry });
      this.#data = [];
      this.#length = 0;
      this.#retry = undefined;
    }
    this.#event = '';
  }

  #field(field: string, value: string): void {
    if (field === 'data') {
      // The line break counts too: empty lines are not free.
      this.#length += value.length + (this.#data.length > 0 ? 1 : 0);
      this.#data.push(value);
      if (this.#length > this.#maxLength) throw new RangeError(`An event is larger than ${this.#maxLength} characters.`);
    } else if (field === 'event') this.#event = value;
    else if (field === 'id' && !value.includes('\0')) this.#id = value;
    else if (field === 'retry' && /^\d+$/.test(value)) this.#retry = Number(value);
  }
}

/** An event as it stands on the wire. `data` must not hold line breaks (JSON text does not). */
export function sseEvent(data: string, id?: string): string {
  return `${id === undefined ? '' : `id: ${id}\n`}event: message\ndata: ${data}\n\n`;
}
