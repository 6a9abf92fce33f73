import { canonicalJson, LATEST_LEGACY, legacyOffers, type CallerSession, type JsonObject, type Params } from '../../protocol/index.ts';
import { BoundedCount, type Caps } from '../../shared/index.ts';
import { ConnectError, DeniedError, type Connection, type FailedReply } from '../connection.ts';
import type { Failures } from '../failures.ts';
import type { Limits } from '../limits.ts';
import type { Follower } from '../subscriptions/follower.ts';
import type { UpstreamConfig } from '../types.ts';
import { Lease } from './lease.ts';
import { SessionFeeds } from './session-feeds.ts';

export interface LeasePoolOptions {
  readonly config: UpstreamConfig;
  readonly failures: Failures;
  readonly limits: Limits;
  readonly caps: Caps;
  open(offers: JsonObject, signal: AbortSignal): Promise<Connection>;
  onNotification(method: string, params: Params | undefined): void;
  newFollower(): Follower;
}

/** Who wants a lease, and until when he waits for it. */
export interface LeaseRequest {
  readonly principal: string;
  readonly session: CallerSession | undefined;
  /** As the client declared them. */
  readonly offers: JsonObject;
  /** On the clock of `performance.now()`. */
  readonly expiresAt: number;
  readonly signal: AbortSignal;
}

/** A lease that is wanted. */
interface Wish extends LeaseRequest {
  /** Principal and offered set. */
  readonly key: string;
  /** As the connection declares them. */
  readonly offered: JsonObject;
  /** The session, where it has a lease to itself: the server knows its roots then, and tells of what it follows. */
  readonly owner: CallerSession | undefined;
}

/** The leased connections to one server (PROTOCOL A2): never more than `maxLeases`, those that are just opened or closed included. */
export class LeasePool {
  readonly feeds: SessionFeeds;
  readonly #options: LeasePoolOptions;
  readonly #slots: BoundedCount;
  /** In the order of use. A lease in it has a slot; one that is being closed has left it, and gives its slot back when it is closed. */
  readonly #leases = new Set<Lease>();
  /** Connections that are being opened or closed: `stop` waits for them. */
  readonly #changing = new Set<Promise<unknown>>();
  readonly #stopping = new AbortController();
  /** Counts how often the server began anew. */
  #age = 0;

  constructor(options: LeasePoolOptions) {
    this.#options = options;
    const keep = (lease: Lease, session: CallerSession): void => lease.keepFor(session, () => this.#outdate(lease));
    this.feeds = new SessionFeeds({ newFollower: () => options.newFollower(), leases: this.#leases, keep });
    this.#slots = new BoundedCount(`upstream_leases:${options.config.name}`, options.config.maxLeases, options.caps);
  }

  get size(): number {
    return this.#slots.size;
  }

  /**
   * A connection that nobody uses, of this principal, offered set and, where it matters, session. The server has not seen anything of the call
   * when this fails.
   */
  async take(request: LeaseRequest): Promise<Lease | FailedReply> {
    const { failures, config } = this.#options;
    const wish = this.#wishOf(request);
    const idle = this.#fitting(wish);
    if (idle !== undefined) return this.#assign(this.#use(idle), wish);
    if (this.#stopping.signal.aborted) return failures.unavailable('it is stopped');
    const hasRoom = this.#slots.size < this.#slots.cap;
    const victim = hasRoom ? undefined : this.#idle(() => true);
    // Where another lease makes room its slot passes on, so that no more than the cap ever run. At the cap `enter` counts the refusal.
    if (victim !== undefined) this.#leave(victim);
    else if (!this.#slots.enter())
      return failures.busy(`${config.maxLeases} calls that may ask their client are under way, which is its limit`);
    return this.#until(this.#replace(victim, wish));
  }

  /** The call has ended, and nothing of it can come any more. */
  giveBack(lease: Lease): void {
    if (lease.outdated) this.discard(lease);
    else this.#rest(lease, 'idle', this.#options.limits.leaseIdleMs);
  }

  /** The call was given up, and its server may still be at it: a moment to end is left to it, then the connection is closed. */
  abandon(lease: Lease): void {
    this.#rest(lease, 'abandoned', this.#options.limits.leaseGraceMs);
  }

  /** Closes it now. */
  discard(lease: Lease): void {
    lease.end();
    if (!this.#leave(lease)) return;
    void this.#until(lease.connection.close().finally(() => this.#slots.leave()));
  }

  /** The server did not know a connection any more: then it knows none that nobody uses. */
  discardIdle(): void {
    for (const lease of this.#leases) if (lease.state === 'idle') this.discard(lease);
  }

  /** The server begins anew: idle connections end, the others when their calls have ended. */
  renew(): void {
    this.#age++;
    for (const lease of this.#leases) this.#outdate(lease);
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error('stopped'));
    for (const lease of this.#leases) this.discard(lease);
    this.feeds.stop();
    await Promise.all(this.#changing);
    this.#options.caps.remove(this.#slots);
  }

  #rest(lease: Lease, state: 'idle' | 'abandoned', ms: number): void {
    lease.free();
    if (!this.#leases.delete(lease)) return;
    this.#leases.add(lease);
    lease.state = state;
    this.#endIn(lease, ms);
  }

  /** An idle one stays while its session follows resources over it. */
  #endIn(lease: Lease, ms: number): void {
    lease.timer = setTimeout(() => {
      if (lease.state === 'idle' && lease.follower?.follows === true) this.#endIn(lease, ms);
      else this.discard(lease);
    }, ms);
  }

  #outdate(lease: Lease): void {
    lease.outdated = true;
    if (lease.state === 'idle') this.discard(lease);
  }

  #wishOf(request: LeaseRequest): Wish {
    const { principal, session } = request;
    const offers = legacyOffers(request.offers, LATEST_LEGACY);
    const roots = offers.roots !== undefined;
    // The roots change with what the client tells, and with the client.
    const offered = roots ? { ...offers, roots: { listChanged: true } } : offers;
    const own = session !== undefined && (roots || this.feeds.has(session));
    return { ...request, key: canonicalJson([principal, offers]), offered, owner: own ? session : undefined };
  }

  /** An idle lease for this: best the one that carries the session's subscriptions, or that was its last one. */
  #fitting({ key, owner, session }: Wish): Lease | undefined {
    const fits = (lease: Lease): boolean =>
      lease.key === key && (owner === undefined ? lease.owner === undefined : (lease.owner ?? lease.last) === owner);
    return (
      this.#idle((lease) => fits(lease) && lease.follower !== undefined) ??
      this.#idle((lease) => fits(lease) && lease.last === session) ??
      this.#idle(fits)
    );
  }

  #assign(lease: Lease, { session, owner }: Wish): Lease {
    lease.last = session;
    if (owner === undefined) return lease;
    lease.keepFor(owner, () => this.#outdate(lease));
    this.feeds.carry(owner, lease);
    return lease;
  }

  /** The one that has been idle for the longest time. */
  #idle(fits: (lease: Lease) => boolean): Lease | undefined {
    for (const lease of this.#leases) if (lease.state === 'idle' && fits(lease)) return lease;
    return undefined;
  }

  #use(lease: Lease): Lease {
    clearTimeout(lease.timer);
    lease.state = 'busy';
    return lease;
  }

  #leave(lease: Lease): boolean {
    this.#use(lease);
    this.feeds.drop(lease);
    return this.#leases.delete(lease);
  }

  async #until<T>(change: Promise<T>): Promise<T> {
    this.#changing.add(change);
    try {
      return await change;
    } finally {
      this.#changing.delete(change);
    }
  }

  /** A new lease instead of the victim, if there is one, in a slot that is taken already. Never rejects. */
  async #replace(victim: Lease | undefined, wish: Wish): Promise<Lease | FailedReply> {
    const { config, failures } = this.#options;
    const { key, offered, expiresAt, signal } = wish;
    const age = this.#age;
    await victim?.connection.close();
    const leftMs = Math.max(1, Math.round(expiresAt - performance.now()));
    const timeout = AbortSignal.timeout(leftMs);
    const stopping = this.#stopping.signal;
    try {
      const connection = await this.#options.open(offered, AbortSignal.any([signal, timeout, stopping]));
      const onNotification = (method: string, params: Params | undefined): void => this.#options.onNotification(method, params);
      const offersRoots = offered.roots !== undefined;
      const lease = new Lease({ connection, key, offersRoots, roots: config.roots, onNotification });
      this.#leases.add(lease);
      lease.outdated = age !== this.#age;
      this.#assign(lease, wish);
      void connection.lost.then(() => this.discard(lease));
      if (!stopping.aborted) return lease;
      this.discard(lease);
      return failures.unavailable('it is stopped');
    } catch (error) {
      this.#slots.leave();
      if (signal.aborted) return failures.canceled('no');
      if (stopping.aborted) return failures.unavailable('it is stopped');
      if (timeout.aborted) return failures.deadline(leftMs, 'no');
      if (error instanceof DeniedError) return failures.needsCredentials(error.status);
      return failures.unavailable(error instanceof ConnectError ? error.reason : 'it could not be reached', error, 1_000);
    }
  }
}
