import type { Announcement, CallerSession } from '../../protocol/index.ts';
import type { Follower, Following } from '../subscriptions/follower.ts';
import type { Lease } from './lease.ts';

/** What a session follows over its own leased connection. */
export interface OwnFollowing {
  /** True if the server tells of this over that connection: then nothing else needs to. */
  tells(announcement: Announcement): boolean;
  close(): void;
}

interface Feed {
  readonly follower: Follower;
  unwatch: () => void;
  carrier: Lease | undefined;
}

export interface SessionFeedsOptions {
  newFollower(): Follower;
  /** The leases in the order of use. */
  readonly leases: Iterable<Lease>;
  /** Keeps the lease for the session. */
  keep(lease: Lease, session: CallerSession): void;
}

/**
 * What sessions follow where their calls have leased connections: a server may tell of what a client does only in the session in which the client
 * does it. One lease of each session carries its subscriptions, the first one, and is the one that its calls take when it is free.
 */
export class SessionFeeds {
  readonly #options: SessionFeedsOptions;
  readonly #bySession = new Map<CallerSession, Feed>();

  constructor(options: SessionFeedsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#bySession.size;
  }

  /** True for a session that has followed something: its leases are its own. */
  has(session: CallerSession): boolean {
    return this.#bySession.has(session);
  }

  follow(session: CallerSession, following: Following): OwnFollowing {
    const feed = this.#bySession.get(session) ?? this.#open(session);
    feed.follower.add(following);
    for (const lease of this.#options.leases) if ((lease.owner ?? lease.last) === session) this.carry(session, lease);
    return {
      tells: ({ params }) => feed.follower.tells(params.value.uri),
      close: () => void feed.follower.remove(following),
    };
  }

  /** A lease of this session: it carries the session's subscriptions, if no other one does. */
  carry(session: CallerSession, lease: Lease): void {
    const feed = this.#bySession.get(session);
    if (feed === undefined || lease.state === 'abandoned' || (feed.carrier !== undefined && feed.carrier.state !== 'abandoned')) return;
    if (feed.carrier !== undefined) this.drop(feed.carrier);
    this.#options.keep(lease, session);
    feed.carrier = lease;
    lease.follower = feed.follower;
    feed.follower.attach(lease.connection);
  }

  /** The lease is used no more. */
  drop(lease: Lease): void {
    const feed = lease.owner && this.#bySession.get(lease.owner);
    lease.follower = undefined;
    if (feed?.carrier !== lease) return;
    feed.carrier = undefined;
    feed.follower.detach(lease.connection);
  }

  stop(): void {
    for (const session of this.#bySession.keys()) this.#close(session);
  }

  #open(session: CallerSession): Feed {
    const feed: Feed = { follower: this.#options.newFollower(), unwatch: () => undefined, carrier: undefined };
    this.#bySession.set(session, feed);
    feed.unwatch = session.watch({ rootsChanged: () => undefined, ended: () => this.#close(session) });
    return feed;
  }

  #close(session: CallerSession): void {
    const feed = this.#bySession.get(session);
    if (feed === undefined) return;
    if (feed.carrier !== undefined) this.drop(feed.carrier);
    this.#bySession.delete(session);
    feed.unwatch();
    feed.follower.stop();
  }
}
