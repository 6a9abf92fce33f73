import type { ResponseMessage } from '../../protocol/index.ts';
import { Backoff } from '../backoff.ts';
import type { Exchange } from '../connection.ts';
import type { Limits } from '../limits.ts';
import type { HttpChannel, Started } from './channel.ts';
import type { Broken, HttpExchange, HttpReply } from './exchange.ts';

export interface LegacyCallOptions {
  readonly channel: HttpChannel;
  readonly limits: Limits;
  readonly id: number;
  readonly exchange: Exchange;
  /** Headers of the session. */
  readonly headers: readonly string[];
}

/** How long to wait before a stream is resumed whose server does not say (S25 transports; the default of browsers' EventSource is like it). */
export const DEFAULT_RETRY_MS = 1_000;
/** Attempts in a row that brought nothing, after which a call is given up. */
const MAX_FAILURES = 5;
const BUSY: ReadonlySet<number> = new Set([408, 429]);

const isBusy = (status: number): boolean => status >= 500 || BUSY.has(status);

/** One request over Streamable HTTP of the legacy era. A stream that ends before the response is resumed where it broke off (PROTOCOL A10). */
export class LegacyCall {
  readonly exchange: Exchange;
  readonly #options: LegacyCallOptions;
  readonly #backoff: Backoff;
  #http: HttpExchange | undefined;
  #answer: ResponseMessage | undefined;
  #cut: Error | undefined;
  /** Ends the pause before a resumption. */
  #wake: () => void = () => undefined;
  #forgotten = false;

  constructor(options: LegacyCallOptions) {
    this.#options = options;
    this.exchange = options.exchange;
    this.#backoff = new Backoff({ firstMs: options.limits.backoffFirstMs, maxMs: options.limits.backoffMaxMs });
  }

  /** True if the server has forgotten the session while the call was under way. */
  get sessionForgotten(): boolean {
    return this.#forgotten;
  }

  /** Sends the request. Never rejects. */
  async run(body: string): Promise<HttpReply> {
    const { channel, headers, id } = this.#options;
    const first = await this.#wait(channel.start(body, headers, id, this.exchange));
    let { lastEventId } = first;
    if (lastEventId === undefined || !brokeOff(first)) return first;
    let last = first;
    for (let failures = 0; failures < MAX_FAILURES;) {
      const broken = await this.#pause(this.#delay(last));
      if (broken !== undefined) return { ...first, response: undefined, broken };
      if (this.#answer !== undefined) return { ...first, response: this.#answer, broken: undefined };
      last = await this.#wait(channel.resume(lastEventId, headers, id, this.exchange));
      lastEventId = last.lastEventId ?? lastEventId;
      if (last.response !== undefined || last.broken?.why === 'canceled' || last.broken?.why === 'deadline')
        return { ...last, started: true };
      if (last.broken?.why === 'too_large') return last;
      this.#forgotten = last.status === 404;
      if (last.status >= 300 && !isBusy(last.status)) break;
      failures = last.status === 200 && last.broken?.why === 'no_response' ? 0 : failures + 1;
    }
    return first;
  }

  /** The response, which came on another stream. */
  accept(message: ResponseMessage): void {
    this.#answer = message;
    this.#http?.accept(message);
    this.#wake();
  }

  /** The connection is over. */
  cut(error: Error): void {
    this.#cut = error;
    this.#http?.cut(error);
    this.#wake();
  }

  async #wait({ http, reply }: Started): Promise<HttpReply> {
    this.#http = http;
    const answer = await reply;
    this.#http = undefined;
    return answer;
  }

  /** Exactly what the server asked for, if it let us in; longer and longer if it did not. */
  #delay({ retryMs, status }: HttpReply): number {
    const wanted = retryMs ?? DEFAULT_RETRY_MS;
    if (status === 200) {
      this.#backoff.reset();
      return wanted;
    }
    return Math.max(wanted, this.#backoff.next());
  }

  async #pause(ms: number): Promise<Broken | undefined> {
    const { signal, expiresAt } = this.exchange;
    const left = expiresAt - performance.now();
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, Math.max(0, Math.min(ms, left, LONGEST_MS)));
    this.#wake = resolve;
    signal?.addEventListener('abort', this.#wake);
    if (this.#cut === undefined && this.#answer === undefined && signal?.aborted !== true) await promise;
    clearTimeout(timer);
    signal?.removeEventListener('abort', this.#wake);
    this.#wake = () => undefined;
    if (this.#answer !== undefined) return undefined;
    if (this.#cut !== undefined) return { why: 'error', error: this.#cut };
    if (signal?.aborted === true) return { why: 'canceled' };
    return ms >= left ? { why: 'deadline' } : undefined;
  }
}

const LONGEST_MS = 2 ** 31 - 1;

/** True if the stream of a request that the server took ended before its response. */
function brokeOff({ started, status, broken }: HttpReply): boolean {
  return started && status === 200 && (broken?.why === 'no_response' || broken?.why === 'error');
}
