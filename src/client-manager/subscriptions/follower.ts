import {
  withoutSubscriptionId,
  type Announcement,
  type Era,
  type Implementation,
  type Interest,
  type Params,
} from '../../protocol/index.ts';
import type { ListName } from '../../registry/index.ts';
import type { BoundedCount } from '../../shared/index.ts';
import type { Connection } from '../connection.ts';
import type { Limits } from '../limits.ts';
import { settledWithin } from '../waiting.ts';
import { NOTHING, type Feed } from './feed.ts';
import { LegacyFeed } from './legacy-feed.ts';
import { ModernFeed } from './modern-feed.ts';

export interface FollowerOptions {
  readonly gateway: Implementation;
  readonly limits: Limits;
  /** Distinct resources and tasks that are followed, over all connections of the server. */
  readonly followed: BoundedCount;
  readonly onListChanged: (list: ListName) => void;
  /** Announcements may have been missed. */
  readonly onGap: () => void;
}

/** Somebody who follows resources and tasks of a server, over whichever connections. */
export interface Following {
  readonly interest: Interest;
  /** The era in which he is told, where the server has two. */
  readonly era: Era;
  readonly onAnnouncement: (announcement: Announcement) => void;
}

type Followers = Map<string, Set<Following>>;

const LISTS: Readonly<Record<string, ListName | undefined>> = {
  'notifications/tools/list_changed': 'tools',
  'notifications/prompts/list_changed': 'prompts',
  'notifications/resources/list_changed': 'resources',
};
/** A longer URI is nobody's sub-resource, nor is it one of more distant parents: looking for them takes time with each slash. */
const MAX_URI = 2_048;
const MAX_PARENTS = 64;
const NEVER = new AbortController().signal;

/** What clients follow over the connections of a server in one era: the union of it is what the server is asked for (PROTOCOL C8). */
export class Follower {
  readonly #options: FollowerOptions;
  readonly #all = new Set<Following>();
  readonly #uris: Followers = new Map();
  readonly #taskIds: Followers = new Map();
  #connection: Connection | undefined;
  #feed: Feed | undefined;
  /** Settles with the next connection. */
  #attached = Promise.withResolvers<void>();

  constructor(options: FollowerOptions) {
    this.#options = options;
  }

  /** A new connection: what is followed is asked for over it. */
  attach(connection: Connection): void {
    const { limits, gateway, onGap } = this.#options;
    this.#feed?.close();
    this.#connection = connection;
    const wanted = { uris: this.#uris, taskIds: this.#taskIds };
    const onNotification = (method: string, params: Params | undefined): void => this.notified(method, params);
    this.#feed =
      connection.era === 'modern'
        ? new ModernFeed({ connection, gateway, limits, wanted, onNotification, onGap })
        : new LegacyFeed({ connection, limits, wanted });
    this.#attached.resolve();
  }

  detach(connection: Connection): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    this.#feed?.close();
    this.#feed = undefined;
    this.#attached = Promise.withResolvers();
  }

  /** The server has forgotten what it was asked for, over the same connection. */
  forgotten(): void {
    this.#feed?.forgotten();
  }

  stop(): void {
    if (this.#connection !== undefined) this.detach(this.#connection);
    for (const following of this.#all) this.#remove(following);
    this.#attached.resolve();
  }

  add(following: Following): void {
    const { uris, taskIds } = following.interest;
    this.#all.add(following);
    for (const uri of uris) this.#enter(this.#uris, uri, following);
    for (const id of taskIds) this.#enter(this.#taskIds, id, following);
    this.#feed?.changed();
  }

  /** False if it was not there. */
  remove(following: Following): boolean {
    if (!this.#remove(following)) return false;
    this.#feed?.changed();
    return true;
  }

  /** Hands over to another follower those who are told in `era`, or all. */
  handTo(other: Follower, era?: Era): void {
    for (const following of this.#all) {
      if (era !== undefined && following.era !== era) continue;
      this.#remove(following);
      other.add(following);
    }
    this.#feed?.changed();
  }

  /** What of the interest the server agreed to tell of, as soon as it is known. Never rejects. */
  async honoured(interest: Interest): Promise<Interest> {
    if (this.#feed === undefined) await settledWithin(this.#attached.promise, this.#options.limits.listenMs, NEVER);
    return (await this.#feed?.honoured(interest)) ?? NOTHING;
  }

  /** True while resources are followed. */
  get follows(): boolean {
    return this.#uris.size > 0;
  }

  /** True if the server agreed to tell of this resource, or of one that it is a part of. */
  tells(uri: unknown): boolean {
    const feed = this.#feed;
    if (feed?.tells === undefined || typeof uri !== 'string') return false;
    for (const one of withParents(uri)) if (feed.tells(one)) return true;
    return false;
  }

  /** A notification of the server that belongs to no call. */
  notified(method: string, params: Params | undefined): void {
    const list = LISTS[method];
    if (list !== undefined) this.#options.onListChanged(list);
    else if (params !== undefined && method === 'notifications/resources/updated') this.#updated(method, params);
    else if (params !== undefined && method === 'notifications/tasks') {
      const { taskId } = params.value;
      if (typeof taskId === 'string') tell(this.#taskIds.get(taskId), method, params);
    }
  }

  /** A server may name a sub-resource of what it was asked for (S25 resources): it is told to those who follow that or a parent. */
  #updated(method: 'notifications/resources/updated', params: Params): void {
    const { uri } = params.value;
    if (typeof uri !== 'string' || this.#uris.size === 0) return;
    const told = new Set<Following>();
    for (const one of withParents(uri)) for (const following of this.#uris.get(one) ?? []) told.add(following);
    tell(told, method, params);
  }

  #remove(following: Following): boolean {
    if (!this.#all.delete(following)) return false;
    const { uris, taskIds } = following.interest;
    for (const uri of uris) this.#leave(this.#uris, uri, following);
    for (const id of taskIds) this.#leave(this.#taskIds, id, following);
    return true;
  }

  #enter(followers: Followers, id: string, following: Following): void {
    const known = followers.get(id);
    if (known !== undefined) known.add(following);
    else if (this.#options.followed.enter()) followers.set(id, new Set([following]));
  }

  #leave(followers: Followers, id: string, following: Following): void {
    const known = followers.get(id);
    if (known?.delete(following) !== true || known.size > 0) return;
    followers.delete(id);
    this.#options.followed.leave();
  }
}

/** The URI, and those of which it may be a sub-resource. */
function* withParents(uri: string): Generator<string> {
  yield uri;
  let at = uri.length > MAX_URI ? -1 : uri.lastIndexOf('/');
  for (let parents = 0; at > 0 && parents < MAX_PARENTS; parents++, at = uri.lastIndexOf('/', at - 1)) {
    yield uri.slice(0, at);
    yield uri.slice(0, at + 1);
  }
}

function tell(followers: Iterable<Following> | undefined, method: Announcement['method'], params: Params): void {
  let announcement: Announcement | undefined;
  for (const { onAnnouncement } of followers ?? []) {
    const { text, span, value } = params;
    announcement ??= { method, params: withoutSubscriptionId({ text: text.slice(span.start, span.end), value }) };
    onAnnouncement(announcement);
  }
}
