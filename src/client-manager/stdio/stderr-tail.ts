const NEWLINE = 10;

/** The last lines that a child wrote to stderr, each cut to a length: for events and people, never for decisions. */
export class StderrTail {
  readonly #maxLines: number;
  readonly #maxBytes: number;
  #lines: string[] = [];
  /** The beginning of the line that has not ended yet. */
  #open = '';

  constructor(maxLines: number, maxBytes: number) {
    this.#maxLines = maxLines;
    this.#maxBytes = maxBytes;
  }

  get lines(): readonly string[] {
    return this.#open === '' ? this.#lines : [...this.#lines, this.#open];
  }

  feed(chunk: Buffer): void {
    let start = this.#firstWanted(chunk);
    if (start > 0) this.#open = '';
    for (let end = chunk.indexOf(NEWLINE, start); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      this.#extend(chunk, start, end);
      this.#lines.push(this.#open.trimEnd());
      this.#open = '';
      start = end + 1;
    }
    this.#extend(chunk, start, chunk.length);
    if (this.#lines.length > this.#maxLines) this.#lines = this.#lines.slice(-this.#maxLines);
  }

  /** Where the last lines of the chunk begin: what stands before them is not even decoded. */
  #firstWanted(chunk: Buffer): number {
    let at = chunk.length;
    for (let lines = 0; lines <= this.#maxLines; lines++) {
      at = at === 0 ? -1 : chunk.lastIndexOf(NEWLINE, at - 1);
      if (at < 0) return 0;
    }
    return at + 1;
  }

  #extend(chunk: Buffer, start: number, end: number): void {
    const room = this.#maxBytes - this.#open.length;
    if (room > 0 && end > start) this.#open += chunk.toString('utf8', start, Math.min(end, start + room));
  }
}
