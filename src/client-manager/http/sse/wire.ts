import type { SseEvent } from '../../../protocol/index.ts';
import type { FailedReply } from '../../connection.ts';
import { Duplex, type Wire } from '../../duplex/duplex.ts';
import type { Pending } from '../../duplex/pending.ts';
import type { Emit } from '../../events.ts';
import type { Failures } from '../../failures.ts';
import type { HttpChannel } from '../channel.ts';
import type { EventStream, StreamEnd } from '../event-stream.ts';
import type { HttpReply } from '../exchange.ts';
import { networkReason, statusReason } from '../reply.ts';
import type { Limits } from '../../limits.ts';
import type { HttpConfig } from '../../types.ts';

export interface SseWireOptions {
  readonly config: HttpConfig;
  readonly channel: HttpChannel;
  readonly limits: Limits;
  readonly failures: Failures;
  readonly emit: Emit;
}

/** Notifications and answers are worth this long; so is the status of a request without a deadline. */
const ASIDE_MS = 5_000;
/** POSTs under way besides those of calls. */
const SPARE_POSTS = 256;

/** HTTP+SSE as a wire (S24 transports, "HTTP with SSE"): all that comes in is on one event stream, all that goes out is a POST each. */
export class SseWire implements Wire {
  readonly duplex: Duplex;
  /** The event that names where to send to, or how the stream ended before it came. */
  readonly endpoint: Promise<SseEvent | StreamEnd>;
  readonly #options: SseWireOptions;
  readonly #stream: EventStream;
  readonly #posts = new Set<Promise<void>>();
  #bytes = 0;
  #path: string | undefined;
  #found: (event: SseEvent | StreamEnd) => void = () => undefined;

  constructor(options: SseWireOptions) {
    this.#options = options;
    this.duplex = new Duplex({ ...options, wire: this, roots: options.config.roots });
    this.endpoint = new Promise((resolve) => {
      this.#found = resolve;
    });
    this.#stream = options.channel.events([], (event, bytes) => this.#event(event, bytes));
    void this.#stream.ended.then((end) => {
      this.#found(end);
      this.duplex.end(reasonOf(end));
    });
  }

  get full(): boolean {
    const { limits, config } = this.#options;
    return this.#bytes > limits.stdinBytes || this.#posts.size >= config.maxInFlight + SPARE_POSTS;
  }

  /** From now on messages go to this path. */
  open(path: string): void {
    this.#path = path;
  }

  /** Resolves when everything that was sent has been taken. */
  async idle(): Promise<void> {
    await Promise.all(this.#posts);
  }

  send(message: Pending | string): void {
    const post = this.#post(message).finally(() => this.#posts.delete(post));
    this.#posts.add(post);
  }

  noise(bytes: number): void {
    this.#stream.noise(bytes);
  }

  async close(): Promise<void> {
    this.duplex.end('the connection was closed by the gateway');
    this.#stream.stop();
    await this.#options.channel.close();
  }

  #event(event: SseEvent, bytes: number): void {
    if (event.event === 'endpoint') this.#found(event);
    else if (event.event === 'message' && event.data !== '') this.duplex.frame(event.data, bytes);
  }

  async #post(message: Pending | string): Promise<void> {
    const pending = typeof message === 'string' ? undefined : message;
    const text = typeof message === 'string' ? message : message.take();
    const path = this.#path;
    if (path === undefined) return;
    this.#bytes += text.length;
    const expiresAt = Math.min(pending?.expiresAt ?? Infinity, performance.now() + ASIDE_MS);
    const reply = await this.#options.channel.say(path, text, expiresAt);
    this.#bytes -= text.length;
    const failure = this.#failureOf(reply);
    if (failure === undefined) return;
    if (pending !== undefined) this.duplex.settle(pending, failure);
    // A session that is over is made anew by connecting anew.
    const { broken, status, started } = reply;
    if (status === 404 || !started) this.duplex.end(broken?.why === 'error' ? networkReason(broken.error) : 'its session is over');
  }

  /** Why the server will not answer, if it did not take the message. A status that does not come is no reason: the answer may. */
  #failureOf(reply: HttpReply): FailedReply | undefined {
    const { failures } = this.#options;
    const { status, broken, started } = reply;
    if (broken?.why === 'error')
      return started
        ? failures.outcomeUnknown('closed the connection before it took the message', broken.error)
        : failures.unavailable(networkReason(broken.error), broken.error);
    if (broken !== undefined || status < 300) return undefined;
    if (status === 401 || status === 403) return failures.needsCredentials(status);
    if (status === 404) return failures.unavailable('its session is over');
    return failures.refused(statusReason(reply), 'unknown', { status });
  }
}

function reasonOf(end: StreamEnd): string {
  if (end.why === 'error') return networkReason(end.error);
  if (end.why === 'too_large') return 'it sent a message that is too large';
  return 'it closed its event stream';
}
