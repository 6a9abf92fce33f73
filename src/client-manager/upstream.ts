import type { Call, CallContext, Era, HeaderParam, Implementation, Outcome, Target } from '../protocol/index.ts';
import type { Registry, ServerEntry, ServerState } from '../registry/index.ts';
import { BoundedCount, sleep, type Caps, type Clock } from '../shared/index.ts';
import { Backoff } from './backoff.ts';
import { outcomeOfReply, repeatable, runLeg } from './calls.ts';
import { ConnectError, type Connection, type FailedReply, type Reply } from './connection.ts';
import { connectOnce, type Connected } from './connector.ts';
import { discoverTools, type Discovered } from './discovery.ts';
import type { Emit, UpstreamEvent } from './events.ts';
import { Failures } from './failures.ts';
import type { Limits } from './limits.ts';
import { turnedModern } from './recheck.ts';
import { Refresher } from './refresher.ts';
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

/** A server that is backing off is waited for only if its turn comes this soon. */
const SOON_MS = 2_000;

/** One upstream: keeps it connected, keeps its catalogue in the registry, and carries out calls. It shares nothing with the others. */
export class Upstream implements Target {
  readonly #options: UpstreamOptions;
  readonly #config: UpstreamConfig;
  readonly #failures: Failures;
  readonly #inFlight: BoundedCount;
  readonly #backoff: Backoff;
  readonly #refresher: Refresher;
  readonly #emit: Emit;
  #state: ServerState = { state: 'stopped' };
  #connection: Connection | undefined;
  /** Settles when the current attempt has ended: with a connection, or without. */
  #attempt = Promise.withResolvers<Connection | undefined>();
  /** Aborted to end the current connection, attempt or pause. */
  #life = new AbortController();
  #running: Promise<void> | undefined;
  #stopped = false;
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
    this.#refresher = new Refresher(limits.refreshDelayMs, () => this.#refresh());
    this.#setState({ state: 'connecting' });
    options.registry.put(this.#entry());
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
    this.#refresher.stop();
    this.#life.abort();
    await this.#running;
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
    const why = repeatable(first.reply);
    if (why === undefined || context.signal.aborted || first.connection === undefined) return first.reply;
    if (why === 'headers') await this.#refresher.now();
    else if (why === 'revision') await this.restart();
    else this.#withdraw(first.connection);
    const headerParams = why === 'headers' ? this.#headerParams(call) : call.headerParams;
    return (await this.#leg(call, context, headerParams, expiresAt)).reply;
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
    this.#publish(connected);
    const { connection } = connected;
    const since = performance.now();
    const reason = await this.#end(connection, signal);
    this.#withdraw(connection);
    if (!signal.aborted) this.#setState({ state: 'connecting' });
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
    const endings = [connection.lost, aborted(signal)];
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
    this.#setState({ state: 'backing_off', reason, retryAt: this.#options.clock.now() + retryInMs });
    this.#emit({ kind: 'connect_failed', reason, detail, retryInMs });
    this.#attempt = Promise.withResolvers();
    attempt.resolve(undefined);
    return retryInMs;
  }

  #publish({ connection, discovered, connectMs, listMs }: Connected): void {
    this.#connection = connection;
    this.#era = connection.era;
    this.#connections++;
    this.#state = { state: 'ready', since: this.#options.clock.now() };
    connection.onToolsChanged(() => this.#refresher.soon());
    this.#put(connection, discovered);
    this.#attempt.resolve(connection);
    const { via, revision, eras } = connection;
    this.#emit({ kind: 'connected', via, revision, eras, tools: discovered.tools.length, durationMs: connectMs + listMs });
  }

  #put(connection: Connection, discovered: Discovered): void {
    this.#options.registry.put({ ...this.#entry(), ...discovered, eras: connection.eras, facts: connection.facts });
    if (discovered.warnings.length > 0) this.#emit({ kind: 'tools_left_out', reasons: discovered.warnings.slice(0, 50) });
  }

  /** From now on calls wait for the next connection instead of using this one. */
  #withdraw(connection = this.#connection): void {
    if (connection === undefined || this.#connection !== connection) return;
    this.#connection = undefined;
    this.#attempt = Promise.withResolvers();
  }

  async #refresh(): Promise<void> {
    const connection = this.#connection;
    if (connection === undefined) return;
    const { gateway, limits } = this.#options;
    try {
      const discovered = await discoverTools(connection, { gateway, limits, scopes: this.#config.scopes, signal: this.#life.signal });
      if (this.#connection !== connection) return;
      this.#put(connection, discovered);
      this.#emit({ kind: 'catalogue_refreshed', tools: discovered.tools.length });
    } catch (error) {
      this.#emit({ kind: 'refresh_failed', reason: error instanceof ConnectError ? error.reason : 'an unexpected error' });
    }
  }

  #headerParams(call: Call): readonly HeaderParam[] {
    const name = call.toolName ?? call.params?.value.name;
    const tool = this.#options.registry.get(this.#config.name)?.tools.find(({ definition }) => definition.name === name);
    return tool?.headerParams ?? call.headerParams;
  }

  #setState(state: ServerState): void {
    this.#state = state;
    this.#options.registry.setState(this.#config.name, state);
  }

  /** The registry's entry: the last known catalogue in the present state. A lost connection never wipes it. */
  #entry(): ServerEntry {
    const { name, transport } = this.#config;
    const known = this.#options.registry.get(name);
    return {
      name,
      kind: 'upstream',
      transport,
      eras: known?.eras ?? [],
      facts: known?.facts ?? { info: undefined, capabilities: {}, instructions: undefined },
      tools: known?.tools ?? [],
      toolsCache: known?.toolsCache ?? { ttlMs: 0, cacheScope: 'private' },
      warnings: known?.warnings ?? [],
      state: this.#state,
    };
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
