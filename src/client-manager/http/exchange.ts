import type { IncomingHttpHeaders } from 'node:http';
import { StringDecoder } from 'node:string_decoder';
import type { Dispatcher } from 'undici';
import { arrayItems, decodeMessage, SseParser, type Message, type RequestMessage, type ResponseMessage } from '../../protocol/index.ts';
import type { Exchange } from '../connection.ts';
import type { Deadlines, Expiring } from '../deadlines.ts';
import { longerThan, MAX_BATCH, opensArray } from './batch.ts';

/** How an HTTP request ended without a JSON-RPC response. */
export type Broken =
  | { readonly why: 'canceled' | 'deadline' | 'too_large' | 'no_response' }
  | { readonly why: 'not_mcp'; readonly what: string }
  | { readonly why: 'error'; readonly error: Error };

/** What came back for one POST. `broken` is set exactly if `response` is not and a response was due. */
export interface HttpReply {
  /** 0 if there was no answer at all. */
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly response: ResponseMessage | undefined;
  readonly broken: Broken | undefined;
  /** False if not a byte of the request can have left. */
  readonly started: boolean;
}

/** What an exchange needs of its connection. */
export interface ExchangeOwner {
  readonly deadlines: Deadlines;
  readonly maxBytes: number;
  /** A server request on the exchange's stream: legacy servers may send them. */
  onServerRequest(message: RequestMessage): void;
  /** A notification on the stream of any exchange. */
  onServerNotification(method: string): void;
}

const GAVE_UP = new Error('the exchange is over');
/** After its response a stream may go on this long before we close it. */
const DRAIN_MS = 1_000;

/** One POST and its answer, as a handler of undici's dispatch. `id` is undefined for notifications, which get no response. */
export class HttpExchange implements Dispatcher.DispatchHandler, Expiring {
  expiresAt: number;
  slot = -1;
  readonly #id: number | undefined;
  readonly #exchange: Exchange | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #owner: ExchangeOwner;
  #resolve: ((reply: HttpReply) => void) | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #started = false;
  #status = 0;
  #headers: IncomingHttpHeaders = {};
  #chunks: Buffer[] = [];
  #bytes = 0;
  #sse: SseParser | undefined;
  #decoder: StringDecoder | undefined;

  constructor(
    owner: ExchangeOwner,
    id: number | undefined,
    expiresAt: number,
    exchange: Exchange | undefined,
    resolve: (reply: HttpReply) => void,
  ) {
    this.#owner = owner;
    this.#id = id;
    this.expiresAt = expiresAt;
    this.#exchange = exchange;
    this.#signal = exchange?.signal;
    this.#resolve = resolve;
    owner.deadlines.add(this);
    this.#signal?.addEventListener('abort', this);
  }

  /** The caller's signal: an object as listener needs no closure per call. */
  handleEvent(): void {
    this.#break({ why: 'canceled' });
  }

  expire(): void {
    if (this.#resolve === undefined) this.#controller?.abort(GAVE_UP);
    else this.#break({ why: 'deadline' });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // undici aborts before it writes the first byte, so a call that was given up in the queue provably never left.
    if (this.#resolve === undefined) {
      controller.abort(GAVE_UP);
      return;
    }
    this.#started = true;
    this.#controller = controller;
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    this.#status = status;
    this.#headers = headers;
    const coding = headers['content-encoding'];
    if (this.#id === undefined) {
      // Notifications get no response: the status says it all.
      this.#settle(undefined, undefined);
      this.#drain();
    } else if (coding !== undefined && coding !== 'identity') {
      this.#break({ why: 'not_mcp', what: `answered with the content coding ${String(coding).slice(0, 40)}, which was not asked for` });
    } else if (Number(headers['content-length']) > this.#owner.maxBytes) {
      this.#break({ why: 'too_large' });
    } else if (isEventStream(headers['content-type'])) {
      this.#sse = new SseParser(this.#owner.maxBytes);
      this.#decoder = new StringDecoder('utf8');
    }
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#resolve === undefined) return;
    if (this.#sse !== undefined) {
      this.#feed(this.#sse, chunk);
      return;
    }
    this.#bytes += chunk.length;
    if (this.#bytes > this.#owner.maxBytes) this.#break({ why: 'too_large' });
    else this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    this.#controller = undefined;
    this.#owner.deadlines.delete(this);
    if (this.#resolve === undefined) return;
    if (this.#sse !== undefined) this.#settle(undefined, { why: 'no_response' });
    else this.#body();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#controller = undefined;
    this.#owner.deadlines.delete(this);
    this.#settle(undefined, { why: 'error', error });
  }

  #feed(sse: SseParser, chunk: Buffer): void {
    try {
      for (const { data, event } of sse.feed(this.#decoder?.write(chunk) ?? ''))
        if (event === 'message' && data !== '') this.#message(data);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#break({ why: 'too_large' });
    }
  }

  #message(text: string): void {
    if (this.#resolve === undefined) return;
    if (opensArray(text)) {
      this.#batch(text);
      return;
    }
    const message = decodeMessage(text);
    if (message.kind === 'response') this.#response(message);
    else if (message.kind === 'request') this.#owner.onServerRequest(message);
    else if (message.kind === 'notification') {
      this.#exchange?.onNotification?.(message.method, message.params);
      this.#owner.onServerNotification(message.method);
    }
  }

  /** The messages of an array. One that is an array itself is none: each level would be read once more. */
  #batch(text: string): void {
    if (longerThan(text, MAX_BATCH)) {
      this.#break({ why: 'not_mcp', what: `answered with an array of more than ${MAX_BATCH} messages` });
      return;
    }
    if (decodeMessage(text).kind !== 'batch') return;
    for (const item of arrayItems(text)) {
      if (this.#resolve === undefined) return;
      if (!opensArray(item)) this.#message(item);
    }
  }

  #response(message: ResponseMessage): void {
    const ours = message.id === this.#id || (message.id === null && message.error !== undefined);
    if (!ours || this.#resolve === undefined) return;
    this.#settle(message, undefined);
    this.#drain();
  }

  /** Lets the stream end by itself, for a while. */
  #drain(): void {
    if (this.#controller === undefined) return;
    this.expiresAt = performance.now() + DRAIN_MS;
    this.#owner.deadlines.add(this);
  }

  #body(): void {
    const first = this.#chunks[0];
    if (first === undefined) {
      this.#settle(undefined, { why: 'no_response' });
      return;
    }
    const text = (this.#chunks.length === 1 ? first : Buffer.concat(this.#chunks, this.#bytes)).toString('utf8');
    if (opensArray(text)) {
      this.#batch(text);
      this.#break({ why: 'not_mcp', what: 'answered with an array that does not hold the answer' });
      return;
    }
    const message = decodeMessage(text);
    if (message.kind === 'response') this.#response(message);
    this.#break({ why: 'not_mcp', what: describe(message) });
  }

  #break(broken: Broken): void {
    if (this.#resolve === undefined) return;
    this.#settle(undefined, broken);
    this.#controller?.abort(GAVE_UP);
  }

  #settle(response: ResponseMessage | undefined, broken: Broken | undefined): void {
    const resolve = this.#resolve;
    if (resolve === undefined) return;
    this.#resolve = undefined;
    this.#chunks = [];
    this.#owner.deadlines.delete(this);
    this.#signal?.removeEventListener('abort', this);
    resolve({ status: this.#status, headers: this.#headers, response, broken, started: this.#started });
  }
}

const EVENT_STREAM = /^text\/event-stream(?![^\s;])/i;

function isEventStream(type: string | undefined): boolean {
  return type !== undefined && EVENT_STREAM.test(type);
}

function describe(message: Message): string {
  if (message.kind === 'response') return 'answered with the id of another request';
  return message.kind === 'invalid' ? 'answered with something that is not JSON-RPC' : `answered a request with a ${message.kind}`;
}
