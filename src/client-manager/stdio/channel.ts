import { messageOf } from '../../shared/index.ts';
import { Duplex } from '../duplex/duplex.ts';
import type { Pending } from '../duplex/pending.ts';
import type { Wire } from '../duplex/duplex.ts';
import type { Emit } from '../events.ts';
import type { Failures } from '../failures.ts';
import type { Limits } from '../limits.ts';
import type { Root } from '../types.ts';
import type { Child } from './child.ts';
import { idFromEnds, LineSplitter, type LineSink } from './lines.ts';

export interface StdioChannelOptions {
  readonly child: Child;
  readonly failures: Failures;
  readonly limits: Limits;
  readonly emit: Emit;
  readonly roots: readonly Root[];
}

/** The pipe may close a moment before the exit is known, which says more. */
const EXIT_MS = 20;
const LAST_WORDS_MS = 100;
/** A line that has not ended after this many times the frame limit never will. */
const ENDLESS = 64;

/** One child's stdin and stdout as a wire: newline framing, bounded in both directions. */
export class StdioChannel implements Wire, LineSink {
  readonly duplex: Duplex;
  readonly #options: StdioChannelOptions;
  /** Not yet handed to the pipe, in order: requests, and ready-made texts of notifications and answers. */
  #queue: (Pending | string)[] = [];
  #queuedBytes = 0;
  #flushing = false;
  #blocked = false;

  constructor(options: StdioChannelOptions) {
    this.#options = options;
    this.duplex = new Duplex({ ...options, wire: this });
    const { child, limits } = options;
    const splitter = new LineSplitter(limits.frameBytes, this);
    child.stdout.on('data', (chunk: Buffer) => this.#feed(splitter, chunk));
    child.stdin.on('drain', () => {
      this.#blocked = false;
      this.#flush();
    });
    let exit = 'it closed its output';
    child.stdout.once('close', () => setTimeout(() => this.#end(exit), EXIT_MS));
    void child.exited.then((reason) => {
      exit = reason;
      // Its last answers may still be in the pipe; `close` comes behind them, unless a grandchild holds the pipe open.
      setTimeout(() => this.#end(reason), LAST_WORDS_MS);
    });
  }

  get full(): boolean {
    return this.#queuedBytes > this.#options.limits.stdinBytes;
  }

  send(message: Pending | string): void {
    this.#queue.push(message);
    this.#queuedBytes += typeof message === 'string' ? message.length : (message.text?.length ?? 0);
    if (this.#flushing || this.#blocked) return;
    this.#flushing = true;
    setImmediate(() => this.#flush());
  }

  noise(bytes: number): void {
    this.#options.child.noise.noise(bytes);
  }

  line(text: string, bytes: number): void {
    this.duplex.frame(text, bytes);
  }

  oversized(head: string, tail: string, bytes: number, done: boolean): void {
    const { emit, failures, limits } = this.#options;
    const id = idFromEnds(head, tail);
    const pending = id === undefined ? undefined : this.duplex.waiting(id);
    if (pending !== undefined) {
      emit({ kind: 'frame_too_large', bytes });
      this.duplex.settle(pending, failures.tooLarge());
    } else if ((done && id === undefined) || bytes > ENDLESS * limits.frameBytes) {
      emit({ kind: 'frame_too_large', bytes });
      this.#end(`it sent a message larger than ${limits.frameBytes} bytes`);
    }
  }

  dropped(bytes: number): void {
    this.noise(bytes);
  }

  /** Whatever a child writes, it can end its own connection at worst. */
  #feed(splitter: LineSplitter, chunk: Buffer): void {
    try {
      if (this.duplex.over === undefined) splitter.feed(chunk);
    } catch (error) {
      this.#end(`its output could not be read (${messageOf(error).slice(0, 100)})`);
    }
  }

  /** Writes what has gathered in this turn of the event loop at once: one system call for many calls. */
  #flush(): void {
    this.#flushing = false;
    if (this.#blocked || this.#queue.length === 0) return;
    const queue = this.#queue;
    this.#queue = [];
    this.#queuedBytes = 0;
    if (this.duplex.over !== undefined) return;
    let text = '';
    for (const item of queue) {
      if (typeof item === 'string') text += `${oneLine(item)}\n`;
      else if (this.duplex.isWaiting(item)) text += `${oneLine(item.take())}\n`;
    }
    if (text !== '') this.#blocked = !this.#options.child.stdin.write(text);
  }

  #end(reason: string): void {
    this.duplex.end(reason);
    this.#queue = [];
    this.#queuedBytes = 0;
  }
}

/** Line breaks of a message are white space between tokens: inside strings JSON escapes them. */
function oneLine(text: string): string {
  return text.includes('\n') || text.includes('\r') ? text.replaceAll(/[\r\n]/g, ' ') : text;
}
