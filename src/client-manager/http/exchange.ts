import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import {
  arrayItems,
  decodeMessage,
  type Implementation,
  type NotificationMessage,
  type RequestMessage,
  type ResponseMessage,
} from '../../protocol/index.ts';
import type { Exchange } from '../connection.ts';
import type { Deadlines, Expiring } from '../deadlines.ts';
import type { Failures } from '../failures.ts';
import { Pacer } from '../pacer.ts';
import { concatenated, longerThan, MAX_BATCH, opensArray } from './batch.ts';
import { EventReader, isEventStream } from './event-reader.ts';
import { EventTail, lineEnd } from './event-tail.ts';
import { mayFlow, ResultFlow } from './flow.ts';
import { noAnswer } from './reply.ts';

/** How an HTTP request ended without a JSON-RPC response. */
export type Broken =
  | { readonly why: 'canceled' | 'deadline' | 'too_large' | 'no_response' }
  | { readonly why: 'not_mcp'; readonly what: string }
  | { readonly why: 'error'; readonly error: Error };

/** What came back for one request. `broken` is set exactly if there is neither `response` nor `flow`, and a response was due. */
export interface HttpReply {
  /** 0 if there was no answer at all. */
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly response: ResponseMessage | undefined;
  readonly flow: ResultFlow | undefined;
  readonly broken: Broken | undefined;
  /** False if not a byte of the request can have left. */
  readonly started: boolean;
  /** Where the event stream can be resumed, if it can, and the milliseconds that the server wants us to wait before. */
  readonly lastEventId: string | undefined;
  readonly retryMs: number | undefined;
}

/** How large results flow (PROTOCOL A13). */
export interface FlowRules {
  readonly maxBytes: number;
  readonly idleMs: number;
  readonly failures: Failures;
  serverInfo: Implementation;
}

/** What an exchange needs of its connection. */
export interface ExchangeOwner {
  readonly deadlines: Deadlines;
  readonly maxBytes: number;
  /** Bytes of notifications in a tenth of a second after which a server is not read for a moment. */
  readonly noiseBytes: number;
  readonly flows: FlowRules;
  /** A request of the server on the exchange's stream. */
  onRequest(message: RequestMessage, exchange: Exchange | undefined): void;
  /** A notification on the exchange's stream, before its response. */
  onNotification(message: NotificationMessage, exchange: Exchange | undefined): void;
}

const GAVE_UP = new Error('the exchange is over');
/** After its response a stream may go on this long before we close it. */
const DRAIN_MS = 1_000;
/** Larger answers flow where the exchange allows it. */
const FLOW_BYTES = 256 * 1024;

/** One HTTP request and its answer, as a handler of undici's dispatch. `id` is undefined for notifications, which get no response. */
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
  #events: EventReader | undefined;
  #pacer: Pacer | undefined;
  /** What came of the present event, while an answer on an event stream may flow. */
  #tail: EventTail | undefined;
  #flow: ResultFlow | undefined;
  #mayFlow: boolean;
  /** More bytes than these of an answer are looked at: may it flow? */
  #lookAt = FLOW_BYTES;

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
    this.#mayFlow = exchange?.streams === true;
    this.#signal = exchange?.signal;
    this.#resolve = resolve;
    if (expiresAt !== Infinity) owner.deadlines.add(this);
    this.#signal?.addEventListener('abort', this);
  }

  /** The caller's signal: an object as listener needs no closure per call. */
  handleEvent(): void {
    this.#flow?.fail(this.#owner.flows.failures.canceled('unknown').failure);
    this.#break({ why: 'canceled' });
  }

  expire(): void {
    const { failures, idleMs } = this.#owner.flows;
    if (this.#resolve !== undefined) return this.#break({ why: 'deadline' });
    this.#flow?.fail(failures.deadline(idleMs, 'unknown').failure);
    this.#controller?.abort(GAVE_UP);
  }

  /** Ends it for a reason outside of it. */
  cut(error: Error): void {
    this.#break({ why: 'error', error });
  }

  /** The response, which came another way. */
  accept(message: ResponseMessage): void {
    this.#response(message);
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
    if (status !== 200) this.#mayFlow = false;
    if (this.#id === undefined) {
      // Notifications get no response: the status says it all.
      this.#settle(undefined, undefined);
      this.#drain();
    } else if (coding !== undefined && coding !== 'identity') {
      this.#break({ why: 'not_mcp', what: `answered with the content coding ${String(coding).slice(0, 40)}, which was not asked for` });
    } else if (Number(headers['content-length']) > (this.#mayFlow ? this.#owner.flows.maxBytes : this.#owner.maxBytes)) {
      this.#break({ why: 'too_large' });
    } else if (isEventStream(headers['content-type'])) {
      this.#events = new EventReader(this.#owner.maxBytes);
    }
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#flow !== undefined) return this.#flowOn(this.#flow, chunk);
    if (this.#resolve === undefined) return;
    if (this.#events !== undefined) return this.#feed(this.#events, chunk);
    this.#bytes += chunk.length;
    if (this.#bytes > this.#owner.maxBytes) return this.#break({ why: 'too_large' });
    this.#chunks.push(chunk);
    if (this.#mayFlow && this.#bytes > this.#lookAt) this.#startFlow(this.#chunks, this.#bytes);
  }

  onResponseEnd(): void {
    this.#controller = undefined;
    this.#owner.deadlines.delete(this);
    this.#pacer?.stop();
    if (this.#flow !== undefined) this.#endFlow(this.#flow);
    else if (this.#resolve === undefined) return;
    else if (this.#events !== undefined) this.#settle(undefined, { why: 'no_response' });
    else this.#body();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#controller = undefined;
    this.#owner.deadlines.delete(this);
    this.#pacer?.stop();
    const { failures } = this.#owner.flows;
    this.#flow?.fail(failures.outcomeUnknown('closed the connection before it had sent the whole answer', error).failure);
    this.#settle(undefined, { why: 'error', error });
  }

  #feed(events: EventReader, chunk: Buffer): void {
    try {
      const complete = events.feed(chunk);
      for (const { data, event } of complete) if (event === 'message' && data !== '') this.#message(data);
      if (this.#mayFlow && this.#resolve !== undefined) this.#look(chunk, complete.length > 0);
    } catch (error) {
      if (error instanceof RangeError) this.#break({ why: 'too_large' });
      else this.#break({ why: 'not_mcp', what: 'sent an event stream that could not be read' });
    }
  }

  #message(text: string): void {
    if (this.#resolve === undefined) return;
    if (opensArray(text)) {
      this.#batch(text);
      return;
    }
    const message = decodeMessage(text);
    if (message.kind === 'response' && this.#isOurs(message)) return this.#response(message);
    this.#noise(text.length);
    if (message.kind === 'request') this.#owner.onRequest(message, this.#exchange);
    else if (message.kind === 'notification') this.#owner.onNotification(message, this.#exchange);
  }

  /** What is no answer is read only so fast; a server that sends nothing else slows down itself. */
  #noise(bytes: number): void {
    const controller = this.#controller;
    if (controller === undefined) return;
    this.#pacer ??= new Pacer(controller, this.#owner.noiseBytes);
    this.#pacer.noise(bytes);
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

  #isOurs({ id, error }: ResponseMessage): boolean {
    return id === this.#id || (id === null && error !== undefined);
  }

  #response(message: ResponseMessage): void {
    if (!this.#isOurs(message) || this.#resolve === undefined) return;
    this.#settle(message, undefined);
    this.#drain();
  }

  /** Looks whether the event that is coming in is a large answer. */
  #look(chunk: Buffer, ended: boolean): void {
    this.#tail ??= new EventTail();
    this.#tail.keep(chunk, ended);
    if (ended) this.#lookAt = FLOW_BYTES;
    if (this.#tail.bytes <= this.#lookAt) return;
    const data = this.#tail.data();
    this.#startFlow(data === undefined ? [] : [data], this.#tail.bytes);
  }

  /** The rest of the answer is not held: whoever waits gets a stream of it. An answer in doubt is looked at again when there is much more of it. */
  #startFlow(chunks: readonly Buffer[], bytes: number): void {
    const controller = this.#controller;
    if (controller === undefined || this.#id === undefined) return;
    const flows = chunks.length > 0 && mayFlow(chunks, this.#id);
    this.#lookAt = 4 * bytes;
    if (flows === undefined) return;
    this.#mayFlow = false;
    this.#tail = undefined;
    if (!flows) return;
    const { maxBytes, failures, serverInfo, idleMs } = this.#owner.flows;
    this.#flow = new ResultFlow({
      chunks,
      method: this.#exchange?.method ?? '',
      id: this.#id,
      maxBytes,
      serverInfo,
      failures,
      source: controller,
      onOver: (failed) => this.#flowIsOver(failed),
      onMove: () => (this.expiresAt = performance.now() + idleMs),
    });
    this.#settle(undefined, undefined);
    this.expiresAt = performance.now() + idleMs;
    this.#owner.deadlines.add(this);
    this.#signal?.addEventListener('abort', this);
  }

  /** On an event stream the answer ends with its line. */
  #flowOn(flow: ResultFlow, chunk: Buffer): void {
    const end = this.#events === undefined ? -1 : lineEnd(chunk);
    flow.data(end < 0 ? chunk : chunk.subarray(0, end));
    if (end >= 0) flow.done();
  }

  /** The reader may be behind still: its deadline runs on. */
  #endFlow(flow: ResultFlow): void {
    if (flow.isOver) return;
    this.#owner.deadlines.add(this);
    flow.done();
  }

  #flowIsOver(failed: boolean): void {
    this.#owner.deadlines.delete(this);
    this.#signal?.removeEventListener('abort', this);
    if (failed) return this.#controller?.abort(GAVE_UP);
    this.#controller?.resume();
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
    else if (message.kind === 'invalid') for (const item of concatenated(text, MAX_BATCH) ?? []) this.#message(item);
    this.#break({ why: 'not_mcp', what: noAnswer(message) });
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
    this.#pacer?.stop();
    resolve({
      status: this.#status,
      headers: this.#headers,
      response,
      flow: this.#flow,
      broken,
      started: this.#started,
      lastEventId: this.#events?.lastEventId,
      retryMs: this.#events?.retryMs,
    });
  }
}
