import type { Call, CallContext, Era, HeaderParam, Implementation, Outcome, Target } from '../protocol/index.ts';
import type { Registry, ServerState } from '../registry/index.ts';
import { BoundedCount, sleep, type Caps, type Clock } from '../shared/index.ts';
import { Backoff } from './backoff.ts';
import { looksOutdated, outcomeOfReply, repeatable, runLeg } from './calls.ts';
import { Catalogue } from './catalogue.ts';
import { ConnectError, DeniedError, type Connection, type FailedReply, type Reply } from './connection.ts';
import { connectOnce, type Connected } from './connector.ts';
import type { Emit, UpstreamEvent } from './events.ts';
import { Failures } from './failures.ts';
import type { Limits } from './limits.ts';
import { turnedModern } from './recheck.ts';
import { Retirement } from './retirement.ts';
import type { ChildRecords } from './stdio/records.ts';
import type { UpstreamConfig, UpstreamStats } from './types.ts';
import { settledWithin } from './waiting.ts';

export interface UpstreamOptions {
  readonly config: UpstreamConfig;
  readonly registry: Registry;
  readonly caps: Caps;
  readonly clock: Clock;
  readonly gateway: Implementation;
  readonly limits: Limits;
  readonly records: ChildRecords;
  readonly onEvent: (event: UpstreamEvent) => void;
}

/** Why a connection ends that was retired. */
const RETIRED = 'it refuses the revision it agreed to';
/** A server that is backing off is waited for only if its turn comes this soon. */
const SOON_MS = 2_000;

/** One upstream: keeps it connected, keeps its catalogue in the registry, and carries out calls. It shares nothing with the others. */
export class Upstream implements Target {
  readonly #options: UpstreamOptions;
  readonly #config: UpstreamConfig;
  readonly #failures: Failures;
  readonly #inFlight: BoundedCount;
  readonly #backoff: Backoff;
  readonly #catalogue: Catalogue;
  readonly #retirement = new Retirement();
  readonly #emit: Emit;
  #state: ServerState = { state: 'connecting' };
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
  #era: Era | undefined;

  constructor(options: UpstreamOptions) {
    const { config, caps, limits, onEvent } = options;
    this.#options = options;
    this.#config = config;
    this.#failures = new Failures(config.name, limits.frameBytes);
    this.#inFlight = new BoundedCount(`upstream_calls:${config.name}`, config.maxInFlight, caps);
    this.#backoff = new Backoff({ firstMs: limits.backoffFirstMs, maxMs: limits.backoffMaxMs });
    this.#emit = (event) => onEvent({ ...event, server: config.name });
    this.#catalogue = new Catalogue({ ...options, emit: this.#emit });
  }

  get stats(): UpstreamStats {
    const pid = this.#connection?.pid;
    return {
      name: this.#config.name,
      state: this.#state.state,
      inFlight: this.#inFlight.size,
      restarts: Math.max(0, this.#connections - 1),
      ...(pid === undefined ? {} : { pid }),
    };
  }

  /** Connects and stays connected until `stop`. Resolves when the first attempt has ended. */
  async start(): Promise<void> {
    this.#running ??= this.#run();
    await this.#attempt.promise;
  }

  /** Ends the connection, attempt or pause, and connects anew at once. Resolves when that attempt has ended. */
  async restart(): Promise<void> {
    if (this.#stopped || this.#running === undefined) return;
    this.#backoff.reset();
    this.#withdraw();
    const { promise } = this.#attempt;
    this.#life.abort();
    await promise;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#catalogue.stop();
    this.#life.abort();
    await this.#running;
    await this.#retirement.end();
    this.#attempt.resolve(undefined);
    this.#setState({ state: 'stopped' });
    this.#options.caps.remove(this.#inFlight);
  }

  async handle(call: Call, context: CallContext): Promise<Outcome> {
    if (!this.#inFlight.enter())
      return outcomeOfReply(this.#failures.busy(`${this.#config.maxInFlight} calls are under way, which is its limit`));
    try {
      return outcomeOfReply(await this.#carryOut(call, context));
    } catch (error) {
      return outcomeOfReply(this.#failures.refused('could not be called because of an error in the gateway', 'unknown', error));
    } finally {
      this.#inFlight.leave();
    }
  }

  /** Sends the call; once more if it provably did nothing (PROTOCOL A8). */
  async #carryOut(call: Call, context: CallContext): Promise<Reply> {
    const expiresAt = performance.now() + Math.min(call.deadlineMs, this.#config.deadlineMs);
    const first = await this.#leg(call, context, call.headerParams, expiresAt);
    const { reply, connection } = first;
    if (connection === undefined) return reply;
    const why = repeatable(reply, connection);
    if (why === undefined && looksOutdated(reply, connection.era)) this.#catalogue.doubt();
    if (why === undefined || context.signal.aborted) return reply;
    let { headerParams } = call;
    if (why === 'headers') {
      const present = await this.#catalogue.presentHeaders(call, expiresAt - performance.now(), context.signal);
      if (present === undefined) return reply;
      headerParams = present;
    } else if (why === 'revision') {
      if (!this.#renew(connection)) return reply;
    } else this.#withdraw(connection);
    return (await this.#leg(call, context, headerParams, expiresAt)).reply;
  }

  /** A connection in a revision that is not refused, made beside the calls under way. False if that was tried a moment ago. */
  #renew(connection: Connection): boolean {
    if (this.#connection !== connection) return true;
    const now = performance.now();
    if (this.#retirement.busy || now - this.#renewedAt < this.#options.limits.renewMs) return false;
    this.#renewedAt = now;
    this.#withdraw(connection);
    this.#retire();
    return true;
  }

  async #leg(call: Call, context: CallContext, headerParams: readonly HeaderParam[], expiresAt: number): Promise<LegEnd> {
    const connection = this.#connection ?? (await this.#await(expiresAt, context.signal));
    if ('kind' in connection) return { reply: connection, connection: undefined };
    const { gateway } = this.#options;
    const reply = await runLeg({ server: this.#config.name, connection, call, context, headerParams, expiresAt, gateway });
    return { reply, connection };
  }

  /** The connection that is being made, or why it is not waited for. */
  async #await(expiresAt: number, signal: AbortSignal): Promise<Connection | FailedReply> {
    const { clock, limits } = this.#options;
    const state = this.#state;
    if (state.state === 'stopped' || this.#stopped) return this.#failures.unavailable('it is stopped');
    if (state.state === 'backing_off' && this.#denied !== undefined) return this.#failures.needsCredentials(this.#denied);
    const retryInMs = state.state === 'backing_off' ? state.retryAt - clock.now() : 0;
    if (state.state === 'backing_off' && retryInMs > SOON_MS) return this.#failures.unavailable(state.reason, undefined, retryInMs);
    const left = expiresAt - performance.now();
    const connection = await settledWithin(this.#attempt.promise, Math.min(limits.waitMs, left), signal);
    if (connection === 'canceled') return this.#failures.canceled('no');
    if (connection === 'late')
      return left <= limits.waitMs
        ? this.#failures.deadline(left, 'no')
        : this.#failures.unavailable('it is still connecting', undefined, 1_000);
    if (connection !== undefined) return connection;
    if (this.#denied !== undefined) return this.#failures.needsCredentials(this.#denied);
    const reason = this.#state.state === 'backing_off' ? this.#state.reason : 'it could not be reached';
    return this.#failures.unavailable(reason, undefined, limits.backoffFirstMs);
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
    this.#setState({ state: 'connecting' });
    let connected: Connected;
    try {
      connected = await connectOnce({ ...this.#options, emit: this.#emit, purpose: 'serve', expected: this.#era }, signal);
    } catch (error) {
      return this.#failed(error, signal);
    }
    this.#publish(connected, signal);
    const { connection } = connected;
    const since = performance.now();
    const reason = await this.#end(connection, signal);
    this.#withdraw(connection);
    if (!signal.aborted) this.#setState({ state: 'connecting' });
    if (reason === RETIRED && !signal.aborted) {
      this.#emit({ kind: 'lost', reason });
      this.#retirement.begin(connection, this.#config.deadlineMs);
      return 0;
    }
    await connection.close();
    if (signal.aborted) return 0;
    this.#emit({ kind: 'lost', reason });
    if (performance.now() - since >= this.#options.limits.stableMs) this.#backoff.reset();
    const delayMs = this.#backoff.afterLoss();
    if (delayMs > 0) this.#setState({ state: 'backing_off', reason, retryAt: this.#options.clock.now() + delayMs });
    return delayMs;
  }

  /** Why the connection is over, once it is. */
  async #end(connection: Connection, signal: AbortSignal): Promise<string> {
    const over = new AbortController();
    const retired = new Promise<string>((resolve) => {
      this.#retire = () => resolve(RETIRED);
    });
    const endings = [connection.lost, aborted(signal), retired];
    if (this.#config.era === 'auto' && connection.era === 'legacy') {
      const isIdle = (): boolean => this.#inFlight.size === 0;
      const speaksModern = (): Promise<boolean> => this.#speaksModern(over.signal);
      endings.push(turnedModern({ everyMs: this.#options.limits.verdictMs, speaksModern, isIdle, signal: over.signal }));
    }
    const reason = await Promise.race(endings);
    over.abort(new Error('the connection is over'));
    return reason;
  }

  async #speaksModern(signal: AbortSignal): Promise<boolean> {
    const config = { ...this.#config, era: 'modern' as const };
    try {
      const { connection } = await connectOnce({ ...this.#options, config, emit: this.#emit, purpose: 'check' }, signal);
      await connection.close();
      return true;
    } catch {
      return false;
    }
  }

  #failed(error: unknown, signal: AbortSignal): number {
    if (signal.aborted) return 0;
    const attempt = this.#attempt;
    const retryInMs = this.#backoff.next();
    const reason = error instanceof ConnectError ? error.reason : 'it could not be reached';
    const detail = error instanceof ConnectError ? { detail: error.detail, stderr: error.stderr } : error;
    this.#denied = error instanceof DeniedError ? error.status : undefined;
    this.#setState({ state: 'backing_off', reason, retryAt: this.#options.clock.now() + retryInMs });
    this.#emit({ kind: 'connect_failed', reason, detail, retryInMs });
    this.#attempt = Promise.withResolvers();
    attempt.resolve(undefined);
    return retryInMs;
  }

  #publish({ connection, discovered, connectMs, listMs }: Connected, signal: AbortSignal): void {
    this.#connection = connection;
    this.#era = connection.era;
    this.#connections++;
    this.#state = { state: 'ready', since: this.#options.clock.now() };
    this.#denied = undefined;
    this.#catalogue.publish({ connection, signal }, discovered, this.#state);
    this.#attempt.resolve(connection);
    const { via, revision, eras } = connection;
    this.#emit({ kind: 'connected', via, revision, eras, tools: discovered.tools.length, durationMs: connectMs + listMs });
  }

  /** From now on calls wait for the next connection instead of using this one. */
  #withdraw(connection = this.#connection): void {
    if (connection === undefined || this.#connection !== connection) return;
    this.#connection = undefined;
    this.#catalogue.leave(connection);
    this.#attempt = Promise.withResolvers();
  }

  #setState(state: ServerState): void {
    this.#state = state;
    this.#catalogue.setState(state);
  }
}

interface LegEnd {
  readonly reply: Reply;
  readonly connection: Connection | undefined;
}

const aborted = (signal: AbortSignal): Promise<string> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve('closed');
    else signal.addEventListener('abort', () => resolve('closed'), { once: true });
  });
