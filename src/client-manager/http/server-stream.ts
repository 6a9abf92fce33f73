import type { SseEvent } from '../../protocol/index.ts';
import { sleep } from '../../shared/index.ts';
import { Backoff } from '../backoff.ts';
import type { Limits } from '../limits.ts';
import type { HttpChannel } from './channel.ts';
import type { EventStream, StreamEnd } from './event-stream.ts';
import { DEFAULT_RETRY_MS } from './legacy-call.ts';

export interface ServerStreamOptions {
  readonly channel: HttpChannel;
  readonly limits: Limits;
  /** Headers of the session. */
  readonly headers: readonly string[];
  /** The text of one message. Must not throw. */
  readonly onMessage: (text: string) => void;
  /** The server does not know the session any more. */
  readonly onForgotten: () => void;
}

/** Statuses after which asking again may help. */
const PASSING: ReadonlySet<number> = new Set([408, 429]);
/** However often a server says that we may come back at once. */
const SHORTEST_MS = 10;

/**
 * The stream on which a legacy server sends what belongs to no request (S25 transports, "Listening for Messages from the Server"). It is
 * opened again where it broke off, after what the server asked for, or after a backoff if it was refused or brought nothing.
 */
export class ServerStream {
  /** Resolves when the server has agreed or refused for the first time. */
  readonly settled: Promise<void>;
  readonly #options: ServerStreamOptions;
  readonly #backoff: Backoff;
  readonly #over = new AbortController();
  readonly #settle: () => void;
  #stream: EventStream | undefined;
  #lastEventId: string | undefined;
  #retryMs: number | undefined;
  #events = 0;

  constructor(options: ServerStreamOptions) {
    this.#options = options;
    this.#backoff = new Backoff({ firstMs: options.limits.backoffFirstMs, maxMs: options.limits.backoffMaxMs });
    ({ promise: this.settled, resolve: this.#settle } = Promise.withResolvers<void>());
    void this.#run();
  }

  stop(): void {
    this.#over.abort(new Error('the stream is not wanted any more'));
    this.#stream?.stop();
    this.#settle();
  }

  async #run(): Promise<void> {
    const { signal } = this.#over;
    while (!signal.aborted) {
      const end = await this.#once();
      if (signal.aborted || !this.#mayReturn(end)) return;
      await sleep(this.#delay(), signal).catch(() => undefined);
    }
  }

  async #once(): Promise<StreamEnd> {
    const { channel, headers } = this.#options;
    const resume = this.#lastEventId === undefined ? [] : ['last-event-id', this.#lastEventId];
    this.#events = 0;
    const stream = channel.events([...headers, ...resume], (event, bytes) => this.#event(event, bytes));
    this.#stream = stream;
    await stream.opened;
    this.#settle();
    const end = await stream.ended;
    this.#lastEventId = stream.lastEventId ?? this.#lastEventId;
    this.#retryMs = stream.retryMs ?? this.#retryMs;
    // What is too large would come again and again.
    if (end.why === 'too_large') this.#lastEventId = undefined;
    return end;
  }

  #event({ event, data }: SseEvent, bytes: number): void {
    this.#events++;
    this.#stream?.noise(bytes);
    if (event === 'message' && data !== '') this.#options.onMessage(data);
  }

  #mayReturn(end: StreamEnd): boolean {
    if (end.why === 'not_events') return false;
    if (end.why !== 'status' || end.status >= 500 || PASSING.has(end.status)) return true;
    if (end.status === 404) this.#options.onForgotten();
    return false;
  }

  #delay(): number {
    const wanted = Math.max(SHORTEST_MS, this.#retryMs ?? DEFAULT_RETRY_MS);
    if (this.#events === 0) return Math.max(wanted, this.#backoff.next());
    this.#backoff.reset();
    return wanted;
  }
}
