import {
  decodeMessage,
  errorText,
  isObject,
  META,
  notificationText,
  requestText,
  RPC,
  type Era,
  type InvalidMessage,
  type Message,
  type NotificationMessage,
  type Params,
  type ResponseMessage,
} from '../../protocol/index.ts';
import { messageOf } from '../../shared/index.ts';
import type { Exchange, FailedReply, Reply } from '../connection.ts';
import { Deadlines } from '../deadlines.ts';
import type { Emit } from '../events.ts';
import type { Failures } from '../failures.ts';
import { ServerRequests } from '../server-requests.ts';
import type { Root } from '../types.ts';
import { Garbage } from './garbage.ts';
import { LogTurn } from './log-turn.ts';
import { Pending, type PendingOwner } from './pending.ts';
import { PendingTable } from './pending-table.ts';

/** What carries the messages: a child's pipes, a WebSocket, an event stream with its POSTs. */
export interface Wire {
  /** Sends a message, now or soon. What cannot be sent is dropped; a request that is given up before it leaves is not sent. */
  send(message: Pending | string): void;
  /** True while so much waits to be written that nothing may be added. */
  readonly full: boolean;
  /** The server sent so many bytes that were no answer. */
  noise(bytes: number): void;
}

export interface DuplexOptions {
  readonly wire: Wire;
  readonly failures: Failures;
  readonly emit: Emit;
  /** What `roots/list` is answered outside a call. */
  readonly roots: readonly Root[];
}

const INDENTED = /^\s+\{/;

/**
 * JSON-RPC over one channel in both directions: answers are correlated by id, progress by token, subscriptions by the id of their
 * listen request (S26 stdio, "Receiving Messages"). What the server sends can end its own connection at worst.
 */
export class Duplex implements PendingOwner {
  readonly lost: Promise<string>;
  readonly requests: ServerRequests;
  /** Set once the era is known; a modern server's requests are ignored, a legacy one's answered (PROTOCOL A2, C16). */
  era: Era = 'modern';
  readonly #options: DuplexOptions;
  readonly #deadlines = new Deadlines();
  readonly #pending = new PendingTable();
  readonly #tokens = new Map<number, Pending>();
  readonly #logs = new LogTurn();
  readonly #garbage: Garbage;
  #over: string | undefined;
  #lose: (reason: string) => void = () => undefined;

  constructor(options: DuplexOptions) {
    this.#options = options;
    this.#garbage = new Garbage(options.emit);
    this.requests = new ServerRequests({ ...options, say: (text) => this.#say(text) });
    this.lost = new Promise((resolve) => {
      this.#lose = resolve;
    });
  }

  /** Requests that wait for their answer; those without a deadline, which are open for good, do not count. */
  get inFlight(): number {
    return this.#deadlines.size;
  }

  /** Why the connection is over, once it is. */
  get over(): string | undefined {
    return this.#over;
  }

  exchange(exchange: Exchange): Promise<Reply> {
    const { failures, wire } = this.#options;
    if (this.#over !== undefined) return Promise.resolve(failures.unavailable(this.#over));
    if (exchange.signal?.aborted === true) return Promise.resolve(failures.canceled('no'));
    if (wire.full || this.#pending.isFull) return Promise.resolve(failures.busy('it does not read its input fast enough'));
    return new Promise((resolve) => {
      const id = this.#pending.nextId();
      const pending = new Pending(this, id, requestText(id, exchange.method, exchange.params), exchange, resolve);
      this.#pending.add(pending);
      if (exchange.progressToken !== undefined) this.#tokens.set(exchange.progressToken, pending);
      if (exchange.logs === true) this.#logs.enter(pending);
      if (exchange.expiresAt !== Infinity) this.#deadlines.add(pending);
      wire.send(pending);
    });
  }

  notify(method: string, params?: string): void {
    this.#say(notificationText(method, params));
  }

  isWaiting(pending: Pending): boolean {
    return this.#pending.get(pending.id) === pending;
  }

  /** The call that waits under this id. */
  waiting(id: number): Pending | undefined {
    return this.#pending.get(id);
  }

  /** Ends a call that nobody waits for any more, and tells the server if it knows of it. */
  giveUp(pending: Pending, why: 'canceled' | 'deadline'): void {
    if (!this.isWaiting(pending)) return;
    const executed = pending.isSent ? 'unknown' : 'no';
    if (pending.isSent) this.notify('notifications/cancelled', `{"requestId":${pending.id},"reason":"${why}"}`);
    const { failures } = this.#options;
    if (pending.exchange.logs === true && pending.isSent) this.#logs.doubt();
    this.settle(
      pending,
      why === 'canceled' ? failures.canceled(executed) : failures.deadline(pending.expiresAt - pending.begunAt, executed),
    );
  }

  settle(pending: Pending, reply: Reply): void {
    if (!this.#pending.delete(pending)) return;
    const { progressToken } = pending.exchange;
    if (progressToken !== undefined && this.#tokens.get(progressToken) === pending) this.#tokens.delete(progressToken);
    this.#deadlines.delete(pending);
    if (pending.exchange.logs === true) this.#logs.leave(pending);
    pending.settle(reply);
  }

  /** One message of the server, `bytes` long. Never throws. */
  frame(text: string, bytes: number): void {
    if (this.#over !== undefined) return;
    try {
      // A frame is an object, as batches have no place here; the check keeps a flood of other output cheap.
      const message = text.charCodeAt(0) === 123 || INDENTED.test(text) ? decodeMessage(text) : undefined;
      if (message?.kind === 'response') this.#response(message, bytes);
      else this.#other(message, text, bytes);
    } catch (error) {
      this.end(`its output could not be read (${messageOf(error).slice(0, 100)})`);
    }
  }

  /** The connection is over: calls in flight end, nothing is sent or answered any more. */
  end(reason: string): void {
    if (this.#over !== undefined) return;
    this.#over = reason;
    this.requests.end(reason);
    for (const pending of this.#pending.all()) this.settle(pending, ended(this.#options.failures, pending, reason));
    this.#lose(reason);
  }

  #response(message: ResponseMessage, bytes: number): void {
    const pending = typeof message.id === 'number' ? this.#pending.get(message.id) : undefined;
    if (pending === undefined || !pending.isSent) this.#options.wire.noise(bytes);
    else this.settle(pending, message);
  }

  #other(message: Exclude<Message, ResponseMessage> | undefined, text: string, bytes: number): void {
    this.#options.wire.noise(bytes);
    if (message?.kind === 'request') {
      if (this.era === 'legacy') this.requests.take(message, undefined);
      else this.requests.ignore(message);
    } else if (message?.kind === 'notification') this.#notification(message);
    else if (message?.kind === 'invalid' && message.error.code !== RPC.parseError) this.#invalid(message, text);
    else if (bytes > 0) this.#garbage.count(text);
  }

  /** What belongs to a request that is over is dropped. */
  #notification({ method, params }: NotificationMessage): void {
    if (method === 'notifications/cancelled') return this.requests.cancel(params);
    if (method === 'notifications/progress') {
      const token = params?.value.progressToken;
      const pending = typeof token === 'number' ? this.#tokens.get(token) : undefined;
      pending?.exchange.onNotification?.(method, params);
      return;
    }
    const owner = method === 'notifications/message' && this.era === 'modern' ? this.#logs.only : undefined;
    if (owner !== undefined) return owner.exchange.onNotification?.(method, params);
    const subscription = this.era === 'modern' ? subscriptionOf(params) : undefined;
    if (subscription === undefined) return this.requests.listener?.onNotification(method, params);
    const pending = typeof subscription === 'number' ? this.#pending.get(subscription) : undefined;
    if (pending?.exchange.method === 'subscriptions/listen') pending.exchange.onNotification?.(method, params);
  }

  /** A request is answered with what is wrong with it. An answer never is: its call ends here, instead of waiting for a better one. */
  #invalid({ idText, error }: InvalidMessage, text: string): void {
    const { id, method } = JSON.parse(text) as { readonly id?: unknown; readonly method?: unknown };
    const pending = typeof id === 'number' && method === undefined ? this.#pending.get(id) : undefined;
    if (pending?.isSent === true)
      this.settle(pending, this.#options.failures.protocol('answered with something that is not JSON-RPC', error.message));
    else if (idText !== 'null' && method !== undefined) {
      if (this.era === 'legacy') this.#say(errorText(idText, error));
    } else this.#garbage.count(text);
  }

  /** A message of ours that nobody waits for; dropped rather than queued without bound. */
  #say(text: string): void {
    if (this.#over === undefined && !this.#options.wire.full) this.#options.wire.send(text);
  }
}

function subscriptionOf(params: Params | undefined): unknown {
  const meta = params?.value._meta;
  return isObject(meta) ? meta[META.subscriptionId] : undefined;
}

function ended(failures: Failures, pending: Pending, reason: string): FailedReply {
  return pending.isSent ? failures.outcomeUnknown(`was lost while it worked: ${reason}`) : failures.unavailable(reason);
}
