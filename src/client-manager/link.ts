import { sleep, type Clock } from '../shared/index.ts';
import type { Era } from '../protocol/index.ts';
import type { ServerState } from '../registry/index.ts';
import { Backoff, type BackoffOptions } from './backoff.ts';
import { ConnectError, DeniedError, type Connection, type FailedReply } from './connection.ts';
import type { Connected } from './connector.ts';
import type { Emit } from './events.ts';
import type { Failures } from './failures.ts';
import type { Limits } from './limits.ts';
import { Retirement } from './retirement.ts';
import { settledWithin } from './waiting.ts';

export interface LinkOptions {
  readonly clock: Clock;
  readonly limits: Limits;
  readonly failures: Failures;
  readonly backoff: BackoffOptions;
  /** Longest that calls over a connection that is retired go on, in milliseconds. */
  readonly deadlineMs: number;
  readonly emit: Emit;
  /** One attempt; `expected` is the era of the connection before. Throws a ConnectError, with nothing left running. */
  readonly connect: (expected: Era | undefined, signal: AbortSignal) => Promise<Connected>;
  /** A new connection, before calls use it. `signal` is aborted when it is over. */
  readonly onUp: (connected: Connected, signal: AbortSignal) => void;
  /** A connection gets no more calls. */
  readonly onLeave: (connection: Connection) => void;
  readonly onState: (state: ServerState) => void;
  /** Resolves with a reason to connect anew though the connection is not lost; never, once the signal is aborted. */
  readonly outdated: (connection: Connection, signal: AbortSignal) => Promise<string>;
}

/** Why a connection ends that was retired. */
const RETIRED = 'it refuses the revision it agreed to';
/** Why a connection gets no more calls, and whether those under way over it may go on. */
interface End {
  readonly reason: string;
  readonly retires: boolean;
}

/** A server that is backing off is waited for only if its turn comes this soon. */
const SOON_MS = 2_000;

/** One connection to a server, made anew whenever it is lost, until it is stopped. */
export class Link {
  readonly #options: LinkOptions;
  readonly #backoff: Backoff;
  readonly #retirement = new Retirement();
  #state: ServerState = { state: 'connecting' };
  /** Why there is no connection; undefined before the first attempt, and while there is one. */
  #reason: string | undefined;
  #connection: Connection | undefined;
  /** Settles when the current attempt has ended: with a connection, or without. */
  #attempt = Promise.withResolvers<Connection | undefined>();
  /** Aborted to end the current connection, attempt or pause. */
  #life = new AbortController();
  #running: Promise<void> | undefined;
  #stopped = false;
  /** Ends the connection that is up, but not the calls over it. */
  #retire: () => void = () => undefined;
  #renewedAt = -Infinity;
  /** The status of the last attempt, if our credentials were refused. */
  #denied: number | undefined;
  #connections = 0;
  #expected: Era | undefined;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.backoff);
  }

  get state(): ServerState {
    return this.#state;
  }

  /** The connection that is up now. */
  get connection(): Connection | undefined {
    return this.#connection;
  }

  /** Connections made so far. */
  get connections(): number {
    return this.#connections;
  }

  /** Connects and stays connected until `stop`. `expected` is the era that the server had last. Resolves when the first attempt has ended. */
  async start(expected?: Era): Promise<void> {
    if (this.#running === undefined) this.#expected = expected;
    this.#running ??= this.#run();
    await this.#attempt.promise;
  }

  /** Ends the connection, attempt or pause, and connects anew at once. Resolves when that attempt has ended. */
  async restart(): Promise<void> {
    if (this.#stopped || this.#running === undefined) return;
    this.#backoff.reset();
    this.withdraw();
    const { promise } = this.#attempt;
    this.#life.abort();
    await promise;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.withdraw();
    this.#life.abort();
    await Promise.all([this.#running, this.#retirement.end()]);
    this.#attempt.resolve(undefined);
    this.#setState({ state: 'stopped' });
  }

  /** The connection that is up or being made, or why it is not waited for. `expiresAt` is on the clock of `performance.now()`. */
  async ready(expiresAt: number, signal: AbortSignal): Promise<Connection | FailedReply> {
    if (this.#connection !== undefined) return this.#connection;
    const { clock, limits, failures } = this.#options;
    const state = this.#state;
    if (state.state === 'stopped' || this.#stopped) return failures.unavailable('it is stopped');
    if (state.state === 'backing_off' && this.#denied !== undefined) return failures.needsCredentials(this.#denied);
    const retryInMs = state.state === 'backing_off' ? state.retryAt - clock.now() : 0;
    if (state.state === 'backing_off' && retryInMs > SOON_MS) return failures.unavailable(state.reason, undefined, retryInMs);
    const left = expiresAt - performance.now();
    const connection = await settledWithin(this.#attempt.promise, Math.min(limits.waitMs, left), signal);
    if (connection === 'canceled') return failures.canceled('no');
    if (connection === 'late')
      return left <= limits.waitMs ? failures.deadline(left, 'no') : failures.unavailable('it is still connecting', undefined, 1_000);
    if (connection !== undefined) return connection;
    if (this.#denied !== undefined) return failures.needsCredentials(this.#denied);
    const reason = this.#state.state === 'backing_off' ? this.#state.reason : 'it could not be reached';
    return failures.unavailable(reason, undefined, limits.backoffFirstMs);
  }

  /** A connection in a revision that is not refused, made beside the calls under way. False if that was tried a moment ago. */
  renew(connection: Connection): boolean {
    if (this.#connection !== connection) return true;
    const now = performance.now();
    if (this.#retirement.busy || now - this.#renewedAt < this.#options.limits.renewMs) return false;
    this.#renewedAt = now;
    this.withdraw(connection);
    this.#retire();
    return true;
  }

  /** From now on calls wait for the next connection instead of using this one. */
  withdraw(connection = this.#connection): void {
    if (connection === undefined || this.#connection !== connection) return;
    this.#connection = undefined;
    this.#options.onLeave(connection);
    this.#attempt = Promise.withResolvers();
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      this.#life = new AbortController();
      const { signal } = this.#life;
      const delayMs = await this.#live(signal);
      if (delayMs > 0 && !signal.aborted) await sleep(delayMs, signal).catch(() => undefined);
    }
  }

  /** One life of the connection, from the attempt to its end. Milliseconds to wait before the next. */
  async #live(signal: AbortSignal): Promise<number> {
    this.#connecting();
    let connected: Connected;
    try {
      connected = await this.#options.connect(this.#expected, signal);
    } catch (error) {
      return this.#failed(error, signal);
    }
    const { connection } = connected;
    if (signal.aborted) {
      await connection.close();
      return 0;
    }
    this.#up(connected, signal);
    const since = performance.now();
    const { reason, retires } = await this.#end(connection, signal);
    this.withdraw(connection);
    if (!signal.aborted) {
      this.#reason = reason;
      this.#connecting();
    }
    if (retires && !signal.aborted) {
      this.#options.emit({ kind: 'lost', reason });
      if (this.#retirement.busy) await connection.close();
      else this.#retirement.begin(connection, this.#options.deadlineMs);
      return 0;
    }
    await connection.close();
    if (signal.aborted) return 0;
    this.#options.emit({ kind: 'lost', reason });
    if (performance.now() - since >= this.#options.limits.stableMs) this.#backoff.reset();
    const delayMs = this.#backoff.afterLoss();
    if (delayMs > 0) this.#setState({ state: 'backing_off', reason, retryAt: this.#options.clock.now() + delayMs });
    return delayMs;
  }

  /** Why the connection is over, once it is. */
  async #end(connection: Connection, signal: AbortSignal): Promise<End> {
    const over = new AbortController();
    const retired = new Promise<string>((resolve) => {
      this.#retire = () => resolve(RETIRED);
    });
    const outdated = this.#options.outdated(connection, over.signal);
    const end = await Promise.race([
      Promise.race([connection.lost, aborted(signal)]).then((reason) => ({ reason, retires: false })),
      Promise.race([retired, outdated]).then((reason) => ({ reason, retires: true })),
    ]);
    over.abort(new Error('the connection is over'));
    return end;
  }

  #failed(error: unknown, signal: AbortSignal): number {
    if (signal.aborted) return 0;
    const attempt = this.#attempt;
    const retryInMs = this.#backoff.next();
    const reason = error instanceof ConnectError ? error.reason : 'it could not be reached';
    const detail = error instanceof ConnectError ? { detail: error.detail, stderr: error.stderr } : error;
    this.#denied = error instanceof DeniedError ? error.status : undefined;
    this.#reason = reason;
    this.#setState({ state: 'backing_off', reason, retryAt: this.#options.clock.now() + retryInMs });
    this.#options.emit({ kind: 'connect_failed', reason, detail, retryInMs });
    this.#attempt = Promise.withResolvers();
    attempt.resolve(undefined);
    return retryInMs;
  }

  #up(connected: Connected, signal: AbortSignal): void {
    const { connection } = connected;
    this.#connection = connection;
    this.#expected = connection.era;
    this.#connections++;
    this.#denied = undefined;
    this.#reason = undefined;
    this.#state = { state: 'ready', since: this.#options.clock.now() };
    this.#options.onUp(connected, signal);
    this.#attempt.resolve(connection);
  }

  #connecting(): void {
    this.#setState({ state: 'connecting', ...(this.#reason === undefined ? {} : { reason: this.#reason }) });
  }

  #setState(state: ServerState): void {
    this.#state = state;
    this.#options.onState(state);
  }
}

const aborted = (signal: AbortSignal): Promise<string> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve('closed');
    else signal.addEventListener('abort', () => resolve('closed'), { once: true });
  });
