import {
  RPC,
  rpcError,
  type Call,
  type CallContext,
  type CallerSession,
  type Implementation,
  type JsonObject,
  type Outcome,
  type Params,
} from '../../protocol/index.ts';
import { Bounded, BoundedCount, randomText, type Caps, type Clock } from '../../shared/index.ts';
import { outcomeOfReply } from '../calls.ts';
import type { Connection } from '../connection.ts';
import type { Emit } from '../events.ts';
import type { Failures } from '../failures.ts';
import type { Limits } from '../limits.ts';
import type { Follower, Following } from '../subscriptions/follower.ts';
import type { UpstreamConfig } from '../types.ts';
import { FinishedCalls } from './finished-calls.ts';
import type { Lease } from './lease.ts';
import { LeasedCall, type CallEnd } from './leased-call.ts';
import { exchangeAsTask } from './legacy-task.ts';
import { ID_LENGTH, OWNER_LENGTH, parseParkState } from './park-state.ts';
import { LeasePool } from './pool.ts';
import type { OwnFollowing } from './session-feeds.ts';

export interface LegacyCallsOptions {
  readonly server: string;
  readonly config: UpstreamConfig;
  readonly failures: Failures;
  readonly limits: Limits;
  readonly caps: Caps;
  readonly clock: Clock;
  readonly gateway: Implementation;
  readonly emit: Emit;
  /** A new connection in the legacy era that offers these client capabilities. Throws a ConnectError. */
  open(offers: JsonObject, signal: AbortSignal): Promise<Connection>;
  /** Notifications of a leased connection that belong to no call. */
  onNotification(method: string, params: Params | undefined): void;
  /** For what one session follows over a leased connection of its own. */
  newFollower(): Follower;
  /** True for a tool that must be called as a task of 2025-11-25 (`execution.taskSupport: required`, PROTOCOL C6). */
  readonly asTask?: (call: Call) => boolean;
}

const UNKNOWN: Outcome = {
  kind: 'error',
  error: rpcError(
    RPC.invalidParams,
    'This requestState belongs to no call that waits here: it may have expired. Look whether the call took effect, then start the call again.',
  ),
};

/**
 * Calls over one legacy server for clients that can be asked (PROTOCOL A2, D): each has a connection to itself, so that whatever the server
 * asks is the call's; where the client cannot be asked while its request is open, the call is parked until it comes back.
 */
export class LegacyCalls {
  readonly #options: LegacyCallsOptions;
  readonly #pool: LeasePool;
  /** The calls that hold a lease. */
  readonly #running = new Set<LeasedCall>();
  /** Those of them whose client has a state. */
  readonly #parked: Bounded<string, LeasedCall>;
  readonly #finished: FinishedCalls;
  readonly #legs: BoundedCount;
  readonly #owner = randomText(OWNER_LENGTH);
  #stopped = false;

  constructor(options: LegacyCallsOptions) {
    const { config, caps, limits, server } = options;
    this.#options = options;
    this.#pool = new LeasePool(options);
    this.#parked = new Bounded({ name: `upstream_parked:${server}`, cap: config.maxLeases, caps });
    this.#legs = new BoundedCount(`upstream_leased_requests:${server}`, Math.max(config.maxInFlight, config.maxLeases), caps);
    this.#finished = new FinishedCalls({ ...options, keepMs: limits.parkMs });
  }

  /** True for a state that a parked call gave out, of this process or another. */
  static owns(state: string): boolean {
    return parseParkState(state) !== undefined;
  }

  /** Calls that are parked now. */
  get size(): number {
    return this.#parked.size;
  }

  /**
   * A call over a leased connection; parks where `context.ask` is missing. `expiresAt` is on the clock of `performance.now()`. At the cap
   * of leases it is `busy`, before the server sees it. Never rejects.
   */
  async handle(call: Call, context: CallContext, expiresAt: number): Promise<Outcome> {
    const first = await this.#attempt(call, context, expiresAt);
    // A connection that was lost while it was idle: nothing of the call has left (PROTOCOL A8).
    return first.unsent && !context.signal.aborted ? (await this.#attempt(call, context, expiresAt)).outcome : first.outcome;
  }

  /** A retry of a parked call: `call.state` is one that `owns` knows. Never carries anything out again. Never rejects. */
  async resume(call: Call, context: CallContext): Promise<Outcome> {
    const { principal } = call.caller;
    const state = call.state === undefined ? undefined : parseParkState(call.state);
    if (state === undefined || state.owner !== this.#owner) return UNKNOWN;
    const parked = this.#parked.peek(state.id);
    if (parked?.principal === principal)
      return parked.retry(call, context, state.round, Math.min(call.deadlineMs, this.#options.config.deadlineMs));
    return this.#finished.outcome(state.id, principal) ?? UNKNOWN;
  }

  /** True for a retry after which its parked call goes on: everything that was asked is answered. */
  completes(call: Call): boolean {
    const state = call.state === undefined ? undefined : parseParkState(call.state);
    const parked = state?.owner === this.#owner ? this.#parked.peek(state.id) : undefined;
    return state !== undefined && parked?.principal === call.caller.principal && parked.goesOn(call, state.round);
  }

  /** Follows resources over the session's own leased connection too, while it has one. */
  follow(session: CallerSession, following: Following): OwnFollowing {
    return this.#pool.feeds.follow(session, following);
  }

  /** The server begins anew: connections carry the calls that they have, and no more. */
  renew(): void {
    this.#pool.renew();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const call of this.#running) call.stop();
    await this.#pool.stop();
    this.#finished.stop();
    this.#options.caps.remove(this.#parked);
    this.#options.caps.remove(this.#legs);
  }

  async #attempt(call: Call, context: CallContext, expiresAt: number): Promise<Attempted> {
    const { failures } = this.#options;
    const { signal } = context;
    const { principal, session } = call.caller;
    const lease = await this.#pool.take({ principal, session, offers: call.offers.value, expiresAt, signal });
    if ('kind' in lease) return { outcome: outcomeOfReply(lease), unsent: false };
    await lease.setLevel(call.logLevel, signal);
    const leftMs = expiresAt - performance.now();
    const problem = signal.aborted
      ? failures.canceled('no')
      : leftMs <= 0
        ? failures.deadline(Math.min(call.deadlineMs, this.#options.config.deadlineMs), 'no')
        : this.#stopped
          ? failures.unavailable('it is stopped')
          : !this.#legs.enter()
            ? failures.busy('too many requests wait for calls under way')
            : undefined;
    if (problem === undefined) return this.#run(lease, call, context, leftMs);
    this.#pool.giveBack(lease);
    return { outcome: outcomeOfReply(problem), unsent: false };
  }

  async #run(lease: Lease, call: Call, context: CallContext, leftMs: number): Promise<Attempted> {
    const { failures, limits, asTask } = this.#options;
    const { connection } = lease;
    let unsent = false;
    const leased = new LeasedCall({
      lease,
      call,
      ask: context.ask,
      owner: this.#owner,
      id: randomText(ID_LENGTH),
      failures,
      limits,
      legs: this.#legs,
      send: (exchange) => (asTask?.(call) === true ? exchangeAsTask(connection, exchange, failures) : connection.exchange(exchange)),
      onPark: (one) => void this.#parked.set(one.id, one, this.#options.clock.now()),
      onEnd: (one, end) => {
        unsent = end.unsent;
        this.#over(one, end);
      },
    });
    this.#running.add(leased);
    const outcome = await leased.start(context, leftMs);
    return { outcome, unsent };
  }

  #over(call: LeasedCall, { outcome, clean, unsent }: CallEnd): void {
    this.#running.delete(call);
    if (clean) this.#pool.giveBack(call.lease);
    else if (unsent) {
      this.#pool.discard(call.lease);
      this.#pool.discardIdle();
    } else this.#pool.abandon(call.lease);
    if (!call.parked) return;
    this.#parked.delete(call.id);
    if (!this.#stopped) this.#finished.keep(call.id, call.principal, outcome);
  }
}

interface Attempted {
  readonly outcome: Outcome;
  /** True if it never left, because the connection was of no more use. */
  readonly unsent: boolean;
}
