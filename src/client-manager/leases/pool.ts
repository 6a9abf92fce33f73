import { LATEST_LEGACY, legacyOffers, type JsonObject, type Params } from '../../protocol/index.ts';
import { BoundedCount, type Caps } from '../../shared/index.ts';
import { ConnectError, DeniedError, type Connection, type FailedReply } from '../connection.ts';
import type { Failures } from '../failures.ts';
import type { Limits } from '../limits.ts';
import type { UpstreamConfig } from '../types.ts';
import { canonicalJson } from './canonical.ts';
import { Lease } from './lease.ts';

export interface LeasePoolOptions {
  readonly config: UpstreamConfig;
  readonly failures: Failures;
  readonly limits: Limits;
  readonly caps: Caps;
  open(offers: JsonObject, signal: AbortSignal): Promise<Connection>;
  onNotification(method: string, params: Params | undefined): void;
}

/** Who wants a lease, and until when he waits for it. */
export interface LeaseRequest {
  readonly principal: string;
  /** As the client declared them. */
  readonly offers: JsonObject;
  /** On the clock of `performance.now()`. */
  readonly expiresAt: number;
  readonly signal: AbortSignal;
}

/** The leased connections to one server (PROTOCOL A2): never more than `maxLeases`, those that are just opened or closed included. */
export class LeasePool {
  readonly #options: LeasePoolOptions;
  readonly #slots: BoundedCount;
  /** In the order of use. A lease in it has a slot; one that is being closed has left it, and gives its slot back when it is closed. */
  readonly #leases = new Set<Lease>();
  /** Connections that are being opened or closed: `stop` waits for them. */
  readonly #changing = new Set<Promise<unknown>>();
  readonly #stopping = new AbortController();

  constructor(options: LeasePoolOptions) {
    this.#options = options;
    this.#slots = new BoundedCount(`upstream_leases:${options.config.name}`, options.config.maxLeases, options.caps);
  }

  get size(): number {
    return this.#slots.size;
  }

  /** A connection that nobody uses, of this principal and offered set. The server has not seen anything of the call when this fails. */
  async take(request: LeaseRequest): Promise<Lease | FailedReply> {
    const { failures, config } = this.#options;
    const offers = legacyOffers(request.offers, LATEST_LEGACY);
    const key = canonicalJson([request.principal, offers]);
    const idle = this.#idle((lease) => lease.key === key);
    if (idle !== undefined) return this.#use(idle);
    if (this.#stopping.signal.aborted) return failures.unavailable('it is stopped');
    const hasRoom = this.#slots.size < this.#slots.cap;
    const victim = hasRoom ? undefined : this.#idle(() => true);
    // Where another lease makes room its slot passes on, so that no more than the cap ever run. At the cap `enter` counts the refusal.
    if (victim !== undefined) this.#leave(victim);
    else if (!this.#slots.enter())
      return failures.busy(`${config.maxLeases} calls that may ask their client are under way, which is its limit`);
    return this.#until(this.#replace(victim, key, offers, request));
  }

  /** The call has ended, and nothing of it can come any more. */
  giveBack(lease: Lease): void {
    this.#rest(lease, 'idle', this.#options.limits.leaseIdleMs);
  }

  /** The call was given up, and its server may still be at it: a moment to end is left to it, then the connection is closed. */
  abandon(lease: Lease): void {
    this.#rest(lease, 'abandoned', this.#options.limits.leaseGraceMs);
  }

  /** Closes it now. */
  discard(lease: Lease): void {
    lease.user = undefined;
    if (!this.#leave(lease)) return;
    void this.#until(lease.connection.close().finally(() => this.#slots.leave()));
  }

  /** The server did not know a connection any more: then it knows none that nobody uses. */
  discardIdle(): void {
    for (const lease of this.#leases) if (lease.state === 'idle') this.discard(lease);
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error('stopped'));
    for (const lease of this.#leases) this.discard(lease);
    await Promise.all(this.#changing);
    this.#options.caps.remove(this.#slots);
  }

  #rest(lease: Lease, state: 'idle' | 'abandoned', ms: number): void {
    lease.user = undefined;
    if (!this.#leases.delete(lease)) return;
    this.#leases.add(lease);
    lease.state = state;
    lease.timer = setTimeout(() => this.discard(lease), ms);
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
  async #replace(
    victim: Lease | undefined,
    key: string,
    offers: JsonObject,
    { expiresAt, signal }: LeaseRequest,
  ): Promise<Lease | FailedReply> {
    const { config, failures } = this.#options;
    await victim?.connection.close();
    const leftMs = Math.max(1, Math.round(expiresAt - performance.now()));
    const timeout = AbortSignal.timeout(leftMs);
    const stopping = this.#stopping.signal;
    try {
      const connection = await this.#options.open(offers, AbortSignal.any([signal, timeout, stopping]));
      const onNotification = (method: string, params: Params | undefined): void => this.#options.onNotification(method, params);
      const lease = new Lease({ connection, key, roots: config.roots, onNotification });
      this.#leases.add(lease);
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
