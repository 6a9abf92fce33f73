import {
  decodeMessage,
  errorText,
  notificationText,
  requestText,
  RPC,
  type Era,
  type InvalidMessage,
  type Message,
  type RequestMessage,
  type ResponseMessage,
} from '../../protocol/index.ts';
import { messageOf } from '../../shared/index.ts';
import type { Exchange, FailedReply, Reply } from '../connection.ts';
import { Deadlines, type Expiring } from '../deadlines.ts';
import type { Emit } from '../events.ts';
import type { Failures } from '../failures.ts';
import type { Limits } from '../limits.ts';
import { answerTo } from '../server-requests.ts';
import type { Child } from './child.ts';
import { idFromEnds, LineSplitter, type LineSink } from './lines.ts';

export interface StdioChannelOptions {
  readonly child: Child;
  readonly failures: Failures;
  readonly limits: Limits;
  readonly emit: Emit;
}

/** A call that waits for its answer on a child's stdout. */
class Pending implements Expiring {
  readonly id: number;
  readonly expiresAt: number;
  slot = -1;
  readonly begunAt = performance.now();
  /** The request's line until it is written; then it may have taken effect. */
  line: string | undefined;
  readonly #channel: StdioChannel;
  readonly #signal: AbortSignal | undefined;
  readonly #resolve: (reply: Reply) => void;

  constructor(channel: StdioChannel, id: number, line: string, exchange: Exchange, resolve: (reply: Reply) => void) {
    this.#channel = channel;
    this.id = id;
    this.line = line;
    this.expiresAt = exchange.expiresAt;
    this.#signal = exchange.signal;
    this.#resolve = resolve;
    this.#signal?.addEventListener('abort', this);
  }

  handleEvent(): void {
    this.#channel.giveUp(this, 'canceled');
  }

  expire(): void {
    this.#channel.giveUp(this, 'deadline');
  }

  settle(reply: Reply): void {
    this.#signal?.removeEventListener('abort', this);
    this.#resolve(reply);
  }
}

/** The pipe may close a moment before the exit is known, which says more. */
const EXIT_MS = 20;
const LAST_WORDS_MS = 100;
const GARBAGE_EVENT_MS = 1_000;
/** A line that has not ended after this many times the frame limit never will. */
const ENDLESS = 64;

const INDENTED = /^[ \t]+\{/;

/** JSON-RPC with one child over its stdin and stdout: newline framing, correlation by id, bounded in both directions. */
export class StdioChannel implements LineSink {
  readonly deadlines = new Deadlines();
  readonly lost: Promise<string>;
  /** Set once the era is known; a modern server's requests are ignored, a legacy one's answered (PROTOCOL A2, C16). */
  era: Era = 'modern';
  toolsChanged: () => void = () => undefined;
  readonly #options: StdioChannelOptions;
  readonly #pending = new Map<number, Pending>();
  /** Not yet handed to the pipe, in order: requests, and ready-made lines of notifications and answers. */
  #queue: (Pending | string)[] = [];
  #queuedBytes = 0;
  #flushing = false;
  #blocked = false;
  #lastId = 0;
  #over: string | undefined;
  #lose: (reason: string) => void = () => undefined;
  #garbage = 0;
  #garbageAt = -Infinity;
  readonly #asked = new Set<string>();

  constructor(options: StdioChannelOptions) {
    this.#options = options;
    const { child, limits } = options;
    this.lost = new Promise((resolve) => {
      this.#lose = resolve;
    });
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

  get inFlight(): number {
    return this.#pending.size;
  }

  exchange(exchange: Exchange): Promise<Reply> {
    const { failures, limits } = this.#options;
    if (this.#over !== undefined) return Promise.resolve(failures.unavailable(this.#over));
    if (exchange.signal?.aborted === true) return Promise.resolve(failures.canceled('no'));
    if (this.#queuedBytes > limits.stdinBytes) return Promise.resolve(failures.busy('it does not read its input fast enough'));
    return new Promise((resolve) => {
      const id = ++this.#lastId;
      const pending = new Pending(this, id, oneLine(requestText(id, exchange.method, exchange.params)), exchange, resolve);
      this.#pending.set(id, pending);
      this.deadlines.add(pending);
      this.#enqueue(pending, (pending.line as string).length);
    });
  }

  notify(method: string, params?: string): void {
    this.#say(oneLine(notificationText(method, params)));
  }

  /** Ends a call that nobody waits for any more, and tells the child if it knows of it. */
  giveUp(pending: Pending, why: 'canceled' | 'deadline'): void {
    if (!this.#pending.has(pending.id)) return;
    const executed = pending.line === undefined ? 'unknown' : 'no';
    if (executed === 'unknown') this.notify('notifications/cancelled', `{"requestId":${pending.id},"reason":"${why}"}`);
    const { failures } = this.#options;
    this.#settle(
      pending,
      why === 'canceled' ? failures.canceled(executed) : failures.deadline(pending.expiresAt - pending.begunAt, executed),
    );
  }

  /** Ends the connection on our side; the child is stopped by its owner. */
  close(): void {
    this.#end('the connection was closed by the gateway');
  }

  line(text: string, bytes: number): void {
    // A frame is an object, as batches have no place here; the check keeps a flood of other output cheap.
    const message = text.charCodeAt(0) === 123 || INDENTED.test(text) ? decodeMessage(text) : undefined;
    if (message?.kind === 'response') this.#response(message, bytes);
    else this.#other(message, text, bytes);
  }

  oversized(head: string, tail: string, bytes: number, done: boolean): void {
    const id = idFromEnds(head, tail);
    const pending = id === undefined ? undefined : this.#pending.get(id);
    if (pending !== undefined) {
      this.#options.emit({ kind: 'frame_too_large', bytes });
      this.#settle(pending, this.#options.failures.tooLarge());
    } else if ((done && id === undefined) || bytes > ENDLESS * this.#options.limits.frameBytes) {
      this.#options.emit({ kind: 'frame_too_large', bytes });
      this.#end(`it sent a message larger than ${this.#options.limits.frameBytes} bytes`);
    }
  }

  dropped(bytes: number): void {
    this.#options.child.noise.noise(bytes);
  }

  /** Whatever a child writes, it can end its own connection at worst. */
  #feed(splitter: LineSplitter, chunk: Buffer): void {
    try {
      if (this.#over === undefined) splitter.feed(chunk);
    } catch (error) {
      this.#end(`its output could not be read (${messageOf(error).slice(0, 100)})`);
    }
  }

  #response(message: ResponseMessage, bytes: number): void {
    const pending = typeof message.id === 'number' ? this.#pending.get(message.id) : undefined;
    if (pending === undefined || pending.line !== undefined) this.#options.child.noise.noise(bytes);
    else this.#settle(pending, message);
  }

  #other(message: Exclude<Message, ResponseMessage> | undefined, text: string, bytes: number): void {
    this.#options.child.noise.noise(bytes);
    if (message?.kind === 'request') this.#request(message);
    else if (message?.kind === 'notification') {
      if (message.method === 'notifications/tools/list_changed') this.toolsChanged();
    } else if (message?.kind === 'invalid' && message.error.code !== RPC.parseError) this.#invalid(message, text);
    else if (bytes > 0) this.#countGarbage(text);
  }

  /** A request is answered with what is wrong with it. An answer never is: its call ends here, instead of waiting for a better one. */
  #invalid({ idText, error }: InvalidMessage, text: string): void {
    const { id, method } = JSON.parse(text) as { readonly id?: unknown; readonly method?: unknown };
    const pending = typeof id === 'number' && method === undefined ? this.#pending.get(id) : undefined;
    if (pending !== undefined && pending.line === undefined)
      this.#settle(pending, this.#options.failures.protocol('answered with something that is not JSON-RPC', error.message));
    else if (idText !== 'null' && method !== undefined) {
      if (this.era === 'legacy') this.#say(errorText(idText, error));
    } else this.#countGarbage(text);
  }

  #request(message: RequestMessage): void {
    const answer = this.era === 'legacy' ? answerTo(message) : undefined;
    if (answer !== undefined) this.#say(answer.text);
    if (answer?.expected === true || this.#asked.has(message.method) || this.#asked.size >= 20) return;
    this.#asked.add(message.method);
    this.#options.emit({
      kind: 'server_request',
      method: message.method.slice(0, 100),
      answer: answer === undefined ? 'ignored' : 'refused',
    });
  }

  #countGarbage(text: string): void {
    this.#garbage++;
    const now = performance.now();
    if (now - this.#garbageAt < GARBAGE_EVENT_MS) return;
    this.#garbageAt = now;
    this.#options.emit({ kind: 'garbage', lines: this.#garbage, sample: text.slice(0, 200) });
    this.#garbage = 0;
  }

  /** A line of ours that nobody waits for; dropped rather than queued without bound. */
  #say(line: string): void {
    if (this.#over === undefined && this.#queuedBytes <= this.#options.limits.stdinBytes) this.#enqueue(line, line.length);
  }

  #enqueue(item: Pending | string, bytes: number): void {
    this.#queue.push(item);
    this.#queuedBytes += bytes;
    if (this.#flushing || this.#blocked) return;
    this.#flushing = true;
    setImmediate(() => this.#flush());
  }

  /** Writes what has gathered in this turn of the event loop at once: one system call for many calls. */
  #flush(): void {
    this.#flushing = false;
    if (this.#blocked || this.#over !== undefined || this.#queue.length === 0) return;
    let text = '';
    for (const item of this.#queue) {
      if (typeof item === 'string') text += `${item}\n`;
      else if (item.line !== undefined && this.#pending.has(item.id)) {
        text += `${item.line}\n`;
        item.line = undefined;
      }
    }
    this.#queue = [];
    this.#queuedBytes = 0;
    if (text !== '') this.#blocked = !this.#options.child.stdin.write(text);
  }

  #settle(pending: Pending, reply: Reply): void {
    this.#pending.delete(pending.id);
    this.deadlines.delete(pending);
    pending.settle(reply);
  }

  #end(reason: string): void {
    if (this.#over !== undefined) return;
    this.#over = reason;
    this.#queue = [];
    this.#queuedBytes = 0;
    const { failures } = this.#options;
    for (const pending of this.#pending.values()) this.#settle(pending, ended(failures, pending, reason));
    this.#lose(reason);
  }
}

function ended(failures: Failures, pending: Pending, reason: string): FailedReply {
  return pending.line === undefined ? failures.outcomeUnknown(`was lost while it worked: ${reason}`) : failures.unavailable(reason);
}

/** Line breaks of a message are white space between tokens: inside strings JSON escapes them. */
function oneLine(text: string): string {
  return text.includes('\n') || text.includes('\r') ? text.replaceAll(/[\r\n]/g, ' ') : text;
}
