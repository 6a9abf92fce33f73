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

  constructor(maxLength: number) {
    this.#maxLength = maxLength;
  }

  feed(chunk: string): SseEvent[] {
    const events: SseEvent[] = [];
    if (chunk === '') return events;
    const text = this.#rest + (this.#afterCr && chunk.startsWith('\n') ? chunk.slice(1) : chunk);
    this.#afterCr = chunk.endsWith('\r');
    let start = text.charCodeAt(0) === 0xfeff ? 1 : 0;
    // What was left over holds no line end, so it is not searched again.
    for (let i = lineEnd(text, this.#rest.length); i >= 0; i = lineEnd(text, start)) {
      this.#line(text.slice(start, i), events);
      start = text.charCodeAt(i) === 13 && text.charCodeAt(i + 1) === 10 ? i + 2 : i + 1;
    }
    this.#rest = text.slice(start);
    if (this.#rest.length + this.#length > this.#maxLength) throw new RangeError(`An event is larger than ${this.#maxLength} characters.`);
    return events;
  }

  #line(line: string, events: SseEvent[]): void {
    if (line === '') {
      if (this.#data.length > 0)
        events.push({ event: this.#event || 'message', data: this.#data.join('\n'), id: this.#id, retry: this.#retry });
      this.#data = [];
      this.#length = 0;
      this.#event = '';
      this.#retry = undefined;
      return;
    }
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line.charCodeAt(colon + 1) === 32 ? colon + 2 : colon + 1);
    this.#field(field, value);
  }

  #field(field: string, value: string): void {
    if (field === 'data') {
      this.#data.push(value);
      this.#length += value.length;
      if (this.#length > this.#maxLength) throw new RangeError(`An event is larger than ${this.#maxLength} characters.`);
    } else if (field === 'event') this.#event = value;
    else if (field === 'id' && !value.includes('\0')) this.#id = value;
    else if (field === 'retry' && /^\d+$/.test(value)) this.#retry = Number(value);
  }
}

function lineEnd(text: string, from: number): number {
  const lf = text.indexOf('\n', from);
  const cr = text.indexOf('\r', from);
  if (cr < 0) return lf;
  return lf < 0 ? cr : Math.min(lf, cr);
}

/** An event as it stands on the wire. `data` must not hold line breaks (JSON text does not). */
export function sseEvent(data: string, id?: string): string {
  return `${id === undefined ? '' : `id: ${id}\n`}event: message\ndata: ${data}\n\n`;
}
