import {
  askOf,
  type AskAnswer,
  type AskClient,
  type CallerSession,
  type LogLevel,
  type Params,
  type RequestMessage,
} from '../../protocol/index.ts';
import type { Connection, ConnectionListener, Exchange } from '../connection.ts';
import { ownExchange } from '../own-requests.ts';
import { answerOutsideCalls } from '../server-requests.ts';
import type { Follower } from '../subscriptions/follower.ts';
import type { Root } from '../types.ts';
import { LeaseRoots } from './lease-roots.ts';
import { relatedAnswer } from './legacy-task.ts';

/** A level is worth waiting for this long. */
const LEVEL_MS = 2_000;

/** The call that a leased connection carries now: whatever the server says meanwhile is said to it (PROTOCOL A2). */
export interface LeaseUser {
  /** Undefined if the request is none that this call's client is asked. */
  onRequest(request: RequestMessage, exchange: Exchange | undefined, signal: AbortSignal): Promise<AskAnswer> | undefined;
  /** Asks the call's client while its request is open, where it can be asked so. */
  readonly ask: AskClient | undefined;
  /** False if the notification is not about a call. */
  onNotification(method: string, params: Params | undefined): boolean;
}

export interface LeaseOptions {
  readonly connection: Connection;
  /** Principal and offered set. */
  readonly key: string;
  /** True if the connection offered roots in a client's name. */
  readonly offersRoots: boolean;
  /** What `roots/list` is answered where the client is not asked. */
  readonly roots: readonly Root[];
  readonly onNotification: (method: string, params: Params | undefined) => void;
}

/** Notifications that mean something only to the client of a call. */
const OF_CALLS: ReadonlySet<string> = new Set(['notifications/progress', 'notifications/message', 'notifications/elicitation/complete']);

/** A connection that carries one call at a time, for one principal and one set of offered capabilities; some for one session only. */
export class Lease implements ConnectionListener {
  readonly connection: Connection;
  readonly key: string;
  /** The call that it carries. */
  user: LeaseUser | undefined;
  /** An `abandoned` one is never used again: its server may still be at work on a call that was given up. */
  state: 'busy' | 'idle' | 'abandoned' = 'busy';
  /** Ends it after a while, when it is not busy. */
  timer: NodeJS.Timeout | undefined;
  /** It carries its call to the end, and no other one. */
  outdated = false;
  /** The session whose call it carried last. */
  last: CallerSession | undefined;
  /** Who hears what the server says of resources: those who follow them in its own session. Undefined for those who share a connection. */
  follower: Follower | undefined;
  readonly #options: LeaseOptions;
  readonly #roots: LeaseRoots | undefined;
  #owner: CallerSession | undefined;
  #unwatch: (() => void) | undefined;
  #level: LogLevel | undefined;
  #token = 0;

  constructor(options: LeaseOptions) {
    this.#options = options;
    const { connection, key, offersRoots, roots } = options;
    this.connection = connection;
    this.key = key;
    this.#roots = offersRoots ? new LeaseRoots({ connection, configured: roots }) : undefined;
    this.connection.listen(this);
  }

  /** The session that it is kept for: no other one gets it. */
  get owner(): CallerSession | undefined {
    return this.#owner;
  }

  /** Keeps it for a session from now on. `onEnd`: that session is over. */
  keepFor(session: CallerSession, onEnd: () => void): void {
    if (this.#owner !== undefined) return;
    this.#owner = session;
    this.#unwatch = session.watch({ rootsChanged: () => this.#roots?.changed(this.user?.ask ?? session.ask), ended: onEnd });
  }

  /** The call is over: whose the next one is depends on whom the lease is kept for. */
  free(): void {
    this.user = undefined;
    if (this.#owner === undefined) this.#roots?.forget();
  }

  /** It is used no more. */
  end(): void {
    this.user = undefined;
    this.#unwatch?.();
  }

  /** Before its call is sent: the server learns of the client's roots. Never rejects. */
  async settle(signal: AbortSignal): Promise<void> {
    await this.#roots?.settle(signal);
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
    const ofRoots = request.method === 'roots/list' ? this.#roots : undefined;
    const asked = (): Promise<AskAnswer> | undefined => this.user?.onRequest(request, exchange, signal);
    const answer = await (ofRoots === undefined ? asked() : ofRoots.answer(() => asked() ?? this.#askApart(request, signal)));
    return answer === undefined ? answerOutsideCalls(request, this.#options.roots) : relatedAnswer(answer, request.params);
  }

  onNotification(method: string, params: Params | undefined): void {
    const taken = this.user?.onNotification(method, params) === true || OF_CALLS.has(method);
    if (taken) return;
    if (this.follower === undefined) this.#options.onNotification(method, params);
    else this.follower.notified(method, params);
  }

  onRenewed(): void {
    this.#level = undefined;
  }

  /** Between two calls only the session that the lease is kept for can be asked. */
  #askApart(request: RequestMessage, signal: AbortSignal): Promise<AskAnswer> | undefined {
    const ask = askOf(request);
    return ask && this.#owner?.ask?.(ask, signal);
  }
}
