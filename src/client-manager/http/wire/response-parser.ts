import type { IncomingHttpHeaders } from 'node:http';

/** What a parser tells of one response, in order: a head, pieces of the body, the end. */
export interface ResponseSink {
  onHead(status: number, headers: IncomingHttpHeaders): void;
  onBody(piece: Buffer): void;
  /** `reusable` is false where the server closes the connection behind this response. */
  onEnd(reusable: boolean): void;
}

/** A response that breaks RFC 9112: nothing behind it on the connection can be trusted. */
export class ResponseError extends Error {
  readonly code = 'HPE_INVALID_RESPONSE';
}

const MAX_HEAD_BYTES = 64 * 1024;
/** A chunk-size line with its extensions, and all trailers together. */
const MAX_LINE_BYTES = 16 * 1024;
const CR = 13;
const LF = 10;
const STATUS_LINE = /^HTTP\/1\.([01]) (\d{3})(?: [^\r\n\0]*)?$/;
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const HEX = /^[0-9a-fA-F]{1,13}$/;

interface Head {
  readonly text: string;
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly framing: Framing;
  readonly reusable: boolean;
}

type Framing =
  { readonly kind: 'none' } | { readonly kind: 'length'; readonly bytes: number } | { readonly kind: 'chunked' | 'until_close' };

function parseHeaders(lines: readonly string[]): IncomingHttpHeaders {
  const headers: Record<string, string> = {};
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i] as string;
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    if (colon <= 0 || !TOKEN.test(name)) throw new ResponseError('a header line is malformed');
    const value = line.slice(colon + 1).trim();
    if (value.includes('\0') || value.includes('\r')) throw new ResponseError('a header value is malformed');
    const known = headers[name];
    headers[name] = known === undefined ? value : `${known}, ${value}`;
  }
  return headers;
}

/** RFC 9112 section 6.3, for answers to POST, GET and DELETE. What is ambiguous is refused: it is how responses are smuggled. */
function framingOf(status: number, headers: IncomingHttpHeaders): Framing {
  const coding = headers['transfer-encoding'];
  const length = headers['content-length'];
  if (status === 204 || status === 304) return { kind: 'none' };
  if (coding !== undefined) {
    if (length !== undefined) throw new ResponseError('it has both Transfer-Encoding and Content-Length');
    if (coding.toLowerCase() !== 'chunked') throw new ResponseError('its Transfer-Encoding is not chunked');
    return { kind: 'chunked' };
  }
  if (length === undefined) return { kind: 'until_close' };
  if (!/^\d{1,15}$/.test(length)) throw new ResponseError('its Content-Length is not a number');
  return { kind: 'length', bytes: Number(length) };
}

function parseHead(text: string): Head {
  const lines = text.split('\r\n');
  const match = STATUS_LINE.exec(lines[0] ?? '');
  if (match === null) throw new ResponseError('it is not an HTTP/1.1 response');
  const status = Number(match[2]);
  const headers = parseHeaders(lines);
  const framing = framingOf(status, headers);
  const connection = headers.connection?.toLowerCase() ?? '';
  const persistent = match[1] === '1' ? !/\bclose\b/.test(connection) : /\bkeep-alive\b/.test(connection);
  return { text, status, headers, framing, reusable: persistent && framing.kind !== 'until_close' };
}

type State = 'head' | 'length' | 'until_close' | 'chunk_size' | 'chunk' | 'chunk_end' | 'trailers' | 'done';

/**
 * The head that was parsed last, by its text: a server that answers the same way again costs one comparison. Shared by the connections of
 * a pool; what is in it is never written to.
 */
export class HeadCache {
  #last: Head | undefined;

  parse(text: string): Head {
    if (this.#last?.text === text) return this.#last;
    const head = parseHead(text);
    this.#last = head;
    return head;
  }
}

/** HTTP/1.1 responses of one connection, piece by piece (RFC 9112). Throws a ResponseError; then the connection is of no more use. */
export class ResponseParser {
  readonly #heads: HeadCache;
  #sink: ResponseSink | undefined;
  #state: State = 'done';
  #reusable = true;
  #left = 0;
  #ended = false;
  /** An unfinished head or line. */
  #rest: Buffer | undefined;

  constructor(heads: HeadCache) {
    this.#heads = heads;
  }

  /** The next response goes to `sink`. */
  expect(sink: ResponseSink): void {
    this.#sink = sink;
    this.#state = 'head';
    this.#ended = false;
  }

  feed(piece: Buffer): void {
    const bytes = this.#rest === undefined ? piece : Buffer.concat([this.#rest, piece]);
    this.#rest = undefined;
    let at = 0;
    while (at < bytes.length && !this.#ended) {
      const next = this.#step(bytes, at);
      if (next < 0) {
        this.#rest = at === 0 ? bytes : bytes.subarray(at);
        return;
      }
      at = next;
    }
    // More than one response to one request: what follows must not become the next request's.
    if (this.#ended) this.#tell(this.#reusable && at === bytes.length);
  }

  /** The server closed the connection. True if that is a proper end of the response. */
  close(): boolean {
    if (this.#state !== 'until_close') return this.#state === 'done';
    this.#finish();
    this.#tell(false);
    return true;
  }

  /** Handles what it can at `at`. The position behind it, or -1 if more bytes are needed. */
  #step(bytes: Buffer, at: number): number {
    switch (this.#state) {
      case 'head':
        return this.#head(bytes, at);
      case 'length':
      case 'chunk':
        return this.#body(bytes, at);
      case 'until_close':
        this.#sink?.onBody(at === 0 ? bytes : bytes.subarray(at));
        return bytes.length;
      case 'chunk_size':
      case 'chunk_end':
      case 'trailers':
        return this.#line(bytes, at);
      case 'done':
        throw new ResponseError('it sent more than it was asked for');
    }
  }

  #head(bytes: Buffer, at: number): number {
    const end = bytes.indexOf('\r\n\r\n', at, 'latin1');
    if (end < 0 || end - at > MAX_HEAD_BYTES) {
      if (bytes.length - at > MAX_HEAD_BYTES) throw new ResponseError('its head is too large');
      return -1;
    }
    const head = this.#heads.parse(bytes.toString('latin1', at, end));
    if (head.status < 200) {
      if (head.status === 101) throw new ResponseError('it switches protocols unasked');
      return end + 4;
    }
    this.#reusable = head.reusable;
    this.#begin(head.framing);
    this.#sink?.onHead(head.status, head.headers);
    if (head.framing.kind === 'none' || (head.framing.kind === 'length' && head.framing.bytes === 0)) this.#finish();
    return end + 4;
  }

  #begin(framing: Framing): void {
    if (framing.kind === 'length') this.#left = framing.bytes;
    this.#state = framing.kind === 'chunked' ? 'chunk_size' : framing.kind === 'none' ? 'length' : framing.kind;
  }

  #body(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.length, at + this.#left);
    this.#left -= end - at;
    this.#sink?.onBody(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end));
    if (this.#left > 0) return end;
    if (this.#state === 'length') this.#finish();
    else this.#state = 'chunk_end';
    return end;
  }

  #line(bytes: Buffer, at: number): number {
    const end = bytes.indexOf(LF, at);
    if (end < 0) {
      if (bytes.length - at > MAX_LINE_BYTES) throw new ResponseError('a line of its chunked body is too long');
      return -1;
    }
    if (end === at || bytes[end - 1] !== CR) throw new ResponseError('a line of its chunked body ends without CR');
    this.#take(bytes.toString('latin1', at, end - 1));
    return end + 1;
  }

  #take(line: string): void {
    if (this.#state === 'chunk_end') {
      if (line !== '') throw new ResponseError('a chunk is longer than it said');
      this.#state = 'chunk_size';
    } else if (this.#state === 'trailers') {
      this.#left += line.length;
      if (this.#left > MAX_LINE_BYTES) throw new ResponseError('its trailers are too long');
      if (line === '') this.#finish();
    } else {
      const size = line.split(';', 1)[0]?.trim() ?? '';
      if (!HEX.test(size)) throw new ResponseError('a chunk size is not a number');
      this.#left = Number.parseInt(size, 16);
      this.#state = this.#left === 0 ? 'trailers' : 'chunk';
    }
  }

  #finish(): void {
    this.#state = 'done';
    this.#ended = true;
  }

  #tell(reusable: boolean): void {
    const sink = this.#sink;
    this.#sink = undefined;
    this.#ended = false;
    sink?.onEnd(reusable);
  }
}
