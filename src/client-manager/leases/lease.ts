import type { AskAnswer, LogLevel, Params, RequestMessage } from '../../protocol/index.ts';
import type { Connection, ConnectionListener, Exchange } from '../connection.ts';
import { ownExchange } from '../own-requests.ts';
import { answerOutsideCalls } from '../server-requests.ts';
import type { Root } from '../types.ts';
import { relatedAnswer } from './legacy-task.ts';

/** A level is worth waiting for this long. */
const LEVEL_MS = 2_000;

/** The call that a leased connection carries now: whatever the server says meanwhile is said to it (PROTOCOL A2). */
export interface LeaseUser {
  /** Undefined if the request is none that this call's client is asked. */
  onRequest(request: RequestMessage, exchange: Exchange | undefined, signal: AbortSignal): Promise<AskAnswer> | undefined;
  /** False if the notification is not about a call. */
  onNotification(method: string, params: Params | undefined): boolean;
}

export interface LeaseOptions {
  readonly connection: Connection;
  /** Principal and offered set. */
  readonly key: string;
  /** What `roots/list` is answered where the client is not asked. */
  readonly roots: readonly Root[];
  readonly onNotification: (method: string, params: Params | undefined) => void;
}

/** Notifications that mean something only to the client of a call. */
const OF_CALLS: ReadonlySet<string> = new Set(['notifications/progress', 'notifications/message', 'notifications/elicitation/complete']);

/** A connection that carries one call at a time, for one principal and one set of offered capabilities. */
export class Lease implements ConnectionListener {
  readonly connection: Connection;
  readonly key: string;
  /** The call that it carries. */
  user: LeaseUser | undefined;
  /** An `abandoned` one is never used again: its server may still be at work on a call that was given up. */
  state: 'busy' | 'idle' | 'abandoned' = 'busy';
  /** Ends it after a while, when it is not busy. */
  timer: NodeJS.Timeout | undefined;
  readonly #options: LeaseOptions;
  #level: LogLevel | undefined;
  #token = 0;

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.connection = options.connection;
    this.key = options.key;
    this.connection.listen(this);
  }

  /** A progress token that no earlier call of this connection had: late progress finds nobody. */
  nextToken(): number {
    return ++this.#token;
  }

  /** Has the server log from this level on, if it can; what a call does not want is dropped later. Never rejects. */
  async setLevel(level: LogLevel | undefined, signal: AbortSignal): Promise<void> {
    if (level === undefined || level === this.#level || this.connection.facts.capabilities.logging === undefined) return;
    this.#level = level;
    const params = { level };
    const reply = await this.connection.exchange(ownExchange({ method: 'logging/setLevel', params, timeoutMs: LEVEL_MS, signal }));
    const set = reply.kind === 'response' && reply.error === undefined;
    if (!set && this.#level === level) this.#level = undefined;
  }

  async onRequest(request: RequestMessage, exchange: Exchange | undefined, signal: AbortSignal): Promise<AskAnswer> {
    const answer = await this.user?.onRequest(request, exchange, signal);
    return answer === undefined ? answerOutsideCalls(request, this.#options.roots) : relatedAnswer(answer, request.params);
  }

  onNotification(method: string, params: Params | undefined): void {
    const taken = this.user?.onNotification(method, params) === true || OF_CALLS.has(method);
    if (!taken) this.#options.onNotification(method, params);
  }

  onRenewed(): void {
    this.#level = undefined;
  }
}
