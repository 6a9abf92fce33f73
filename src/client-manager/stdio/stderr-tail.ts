/** The last lines that a child wrote to stderr, each cut to a length: for events and people, never for decisions. */
export class StderrTail {
  readonly #maxLines: number;
  readonly #maxBytes: number;
  #lines: string[] = [];
  #rest = '';

  constructor(maxLines: number, maxBytes: number) {
    this.#maxLines = maxLines;
    this.#maxBytes = maxBytes;
  }

  get lines(): readonly string[] {
    return this.#rest === '' ? this.#lines : [...this.#lines, this.#rest];
  }

  feed(chunk: Buffer): void {
    // Only the end of a large chunk can still be among the last lines.
    const kept = chunk.subarray(-this.#maxLines * this.#maxBytes).toString('utf8');
    const lines = (this.#rest + kept).split('\n');
    this.#rest = (lines.pop() ?? '').slice(0, this.#maxBytes);
    for (const line of lines.slice(-this.#maxLines)) this.#lines.push(line.slice(0, this.#maxBytes).trimEnd());
    if (this.#lines.length > this.#maxLines) this.#lines = this.#lines.slice(-this.#maxLines);
  }
}
