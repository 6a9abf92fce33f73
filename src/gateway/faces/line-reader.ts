import { isUtf8 } from 'node:buffer';

const LF = 10;
const CR = 13;

export type Line = { readonly ok: true; readonly text: string } | { readonly ok: false; readonly why: 'too_long' | 'not_utf8' };

/** Cuts a byte stream into lines of at most `limit` bytes. A longer line is reported once and skipped to its end. */
export class LineReader {
  readonly #limit: number;
  #parts: Buffer[] = [];
  #size = 0;
  #skipping = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  feed(chunk: Buffer): Line[] {
    const lines: Line[] = [];
    let start = 0;
    for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, start)) {
      this.#add(chunk.subarray(start, end), lines);
      if (!this.#skipping) this.#finish(lines);
      this.#skipping = false;
      start = end + 1;
    }
    if (start < chunk.length) this.#add(chunk.subarray(start), lines);
    return lines;
  }

  #add(part: Buffer, lines: Line[]): void {
    if (this.#skipping) return;
    this.#size += part.length;
    if (this.#size <= this.#limit) {
      this.#parts.push(part);
      return;
    }
    lines.push({ ok: false, why: 'too_long' });
    this.#reset();
    this.#skipping = true;
  }

  #finish(lines: Line[]): void {
    let bytes = this.#parts.length === 1 ? (this.#parts[0] as Buffer) : Buffer.concat(this.#parts, this.#size);
    this.#reset();
    if (bytes.at(-1) === CR) bytes = bytes.subarray(0, -1);
    if (bytes.length === 0) return;
    lines.push(isUtf8(bytes) ? { ok: true, text: bytes.toString('utf8') } : { ok: false, why: 'not_utf8' });
  }

  #reset(): void {
    this.#parts = [];
    this.#size = 0;
  }
}
