const NEWLINE = 10;
/** What is kept of both ends of an oversized line: its id stands in one of them. */
const END_BYTES = 256;

export interface LineSink {
  line(text: string, bytes: number): void;
  /** A line is longer than allowed. `head` and `tail` are its ends, `bytes` its length so far; `done` is false while it goes on. */
  oversized(head: string, tail: string, bytes: number, done: boolean): void;
  /** Bytes that were dropped. */
  dropped(bytes: number): void;
}

/** Cuts a byte stream into lines. Memory is bounded by the longest line allowed: what is beyond is dropped as it comes. */
export class LineSplitter {
  readonly #maxBytes: number;
  readonly #sink: LineSink;
  #parts: Buffer[] = [];
  #bytes = 0;
  #head = '';
  #tail: Buffer = Buffer.alloc(0);
  #dropping = false;

  constructor(maxBytes: number, sink: LineSink) {
    this.#maxBytes = maxBytes;
    this.#sink = sink;
  }

  feed(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      if (this.#bytes === 0 && end - start <= this.#maxBytes) this.#sink.line(chunk.toString('utf8', start, end), end - start);
      else this.#end(chunk.subarray(start, end));
      start = end + 1;
    }
    if (start < chunk.length) this.#keep(start === 0 ? chunk : chunk.subarray(start));
  }

  #keep(part: Buffer): void {
    this.#bytes += part.length;
    if (!this.#dropping) {
      this.#parts.push(part);
      if (this.#bytes <= this.#maxBytes) return;
      this.#startDropping();
    } else {
      this.#tail = Buffer.concat([this.#tail, part.subarray(-END_BYTES)]).subarray(-END_BYTES);
    }
    this.#sink.dropped(part.length);
    this.#sink.oversized(this.#head, '', this.#bytes, false);
  }

  #startDropping(): void {
    const all = Buffer.concat(this.#parts);
    this.#head = all.toString('latin1', 0, END_BYTES);
    this.#tail = Buffer.from(all.subarray(-END_BYTES));
    this.#parts = [];
    this.#dropping = true;
  }

  #end(last: Buffer): void {
    this.#keep(last);
    const { length } = this.#parts;
    if (this.#dropping) this.#sink.oversized(this.#head, this.#tail.toString('latin1'), this.#bytes, true);
    else this.#sink.line((length === 1 ? (this.#parts[0] as Buffer) : Buffer.concat(this.#parts)).toString('utf8'), this.#bytes);
    this.#parts = [];
    this.#bytes = 0;
    this.#dropping = false;
  }
}

const AT_HEAD = /^\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?"id"\s*:\s*(\d+)\s*,/;
const AT_TAIL = /,\s*"id"\s*:\s*(\d+)\s*(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?\}\s*$/;

/** The id of a response of which only the ends are known; undefined if they do not tell. */
export function idFromEnds(head: string, tail: string): number | undefined {
  const found = AT_HEAD.exec(head)?.[1] ?? AT_TAIL.exec(tail)?.[1];
  return found === undefined ? undefined : Number(found);
}
