import { PassThrough, Writable, type Readable } from 'node:stream';
import { Dialogue } from './dialogue.ts';

const LF = 10;
/** Longer answers than any gateway gives by default. */
const MAX_ANSWER = 64 * 1024 * 1024;

/** Cuts bytes into lines, their ends included. A line beyond `limit` comes in parts. */
class Lines {
  readonly #limit: number;
  #parts: Buffer[] = [];
  #bytes = 0;
  /** Within a line of which parts were given out already. */
  within = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  feed(chunk: Buffer, take: (bytes: Buffer, whole: boolean) => void): void {
    let from = 0;
    for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, from)) {
      this.#add(chunk.subarray(from, end + 1));
      const whole = !this.within;
      this.within = false;
      take(this.rest(), whole);
      from = end + 1;
    }
    if (from === chunk.length) return;
    this.#add(chunk.subarray(from));
    if (this.#bytes <= this.#limit) return;
    this.within = true;
    take(this.rest(), false);
  }

  /** What came of a line that has not ended. */
  rest(): Buffer {
    const bytes = this.#parts.length === 1 ? (this.#parts[0] as Buffer) : Buffer.concat(this.#parts, this.#bytes);
    this.#parts = [];
    this.#bytes = 0;
    return bytes;
  }

  #add(part: Buffer): void {
    this.#parts.push(part);
    this.#bytes += part.length;
  }
}

const isEmpty = (line: Buffer): boolean => line.length === 1 || (line.length === 2 && line[0] === 13);

/** The streams of one gateway that serves the host. */
export interface Ends {
  readonly input: Readable;
  readonly output: Writable;
}

/**
 * The desktop host on our stdin and stdout, over all the gateways that serve it one after the other. Whole lines are passed on, so that no
 * gateway leaves half a message behind. Empty lines are left out: with them a gateway looks whether we are there.
 */
export class HostLink {
  readonly #stdin: Readable;
  readonly #stdout: Writable;
  readonly #dialogue = new Dialogue();
  readonly #said: Lines;
  readonly #gone = new AbortController();
  #heard = new Lines(MAX_ANSWER);
  #input: PassThrough | undefined;
  #output: Writable | undefined;
  #onData: ((chunk: Buffer) => void) | undefined;
  #began = false;

  constructor(options: { readonly stdin: Readable; readonly stdout: Writable; readonly maxLineBytes: number }) {
    this.#stdin = options.stdin;
    this.#stdout = options.stdout;
    this.#said = new Lines(options.maxLineBytes);
    this.#stdin.on('error', this.#onGone);
    this.#stdout.on('error', this.#onGone);
  }

  /** Aborts when the host cannot be reached any more. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** Whether a gateway served the host through us. */
  get began(): boolean {
    return this.#began;
  }

  /** Reads and writes for one more gateway, which is told first what the last one knew. */
  attach(): Ends {
    if (!this.#began) this.#stdin.once('end', this.#onEnd);
    this.#began = true;
    const input = new PassThrough();
    for (const line of this.#dialogue.repeat()) input.write(line);
    this.#heard = new Lines(MAX_ANSWER);
    const output = new Writable({ write: (chunk: Buffer, _encoding, done) => this.#hear(chunk, done) });
    output.on('error', () => undefined);
    this.#input = input;
    this.#output = output;
    if (this.gone.aborted) output.destroy();
    if (this.#stdin.readableEnded || this.#stdin.destroyed) input.end();
    else {
      this.#onData = this.#listener(input);
      this.#stdin.on('data', this.#onData).resume();
    }
    return { input, output };
  }

  /** The gateway went away: everything that it owed the host is answered here. */
  lose(): void {
    this.#detach();
    if (this.#heard.within) this.#stdout.write('\n');
    for (const line of this.#dialogue.lost()) this.#stdout.write(line);
  }

  dispose(): void {
    this.#detach();
    this.#stdin.off('end', this.#onEnd);
  }

  #listener(input: PassThrough): (chunk: Buffer) => void {
    // The rest of a line that the last gateway got the beginning of is nobody's.
    let skips = this.#said.within;
    return (chunk) => {
      this.#said.feed(chunk, (bytes, whole) => {
        if (skips) {
          skips = bytes.at(-1) !== LF;
          return;
        }
        if (whole) this.#dialogue.said(bytes);
        input.write(bytes);
      });
      if (!input.writableNeedDrain) return;
      this.#stdin.pause();
      input.once('drain', () => {
        if (this.#input === input) this.#stdin.resume();
      });
    };
  }

  #hear(chunk: Buffer, done: () => void): void {
    this.#heard.feed(chunk, (bytes, whole) => {
      if (!whole || (!isEmpty(bytes) && this.#dialogue.heard(bytes))) this.#stdout.write(bytes);
    });
    if (this.#stdout.writableNeedDrain) this.#stdout.once('drain', done);
    else done();
  }

  #detach(): void {
    if (this.#onData !== undefined) this.#stdin.off('data', this.#onData).pause();
    this.#input?.destroy();
    this.#input = undefined;
  }

  readonly #onEnd = (): void => {
    const rest = this.#said.rest();
    if (rest.length > 0) this.#input?.write(rest);
    this.#input?.end();
  };

  readonly #onGone = (): void => {
    this.#gone.abort();
    this.#output?.destroy();
  };
}
