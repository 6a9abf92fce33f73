import type { ClientFacts } from '../protocol/index.ts';
import type { Principal } from '../security/index.ts';
import { Bounded, uuid, type BoundedCount, type Caps, type Clock } from '../shared/index.ts';
import type { Endpoint } from './endpoints.ts';
import type { Services } from './frame.ts';
import { Conversation } from './sessions/conversation.ts';
import { EventStore } from './sessions/event-store.ts';
import { Flights } from './sessions/flights.ts';
import { SessionStreams } from './sessions/streams.ts';

export interface SessionOptions {
  readonly cap: number;
  readonly idleMs: number;
  readonly caps: Caps;
  readonly clock: Clock;
  readonly services: Services;
  /** Requests in flight of one session. */
  readonly maxInFlight: number;
  /** Open asks of all clients, and how long each may take. */
  readonly asks: { readonly open: BoundedCount; readonly deadlineMs: number };
}

const SWEEP_MS = 15_000;
/** One principal may hold this part of all sessions: a half. */
const SHARES = 2;
/** How long changes are still collected for a client whose last stream broke. */
const DEAF_MS = 60_000;

/** A legacy client's session over HTTP: made by `initialize`, ended by DELETE or by being idle. */
export class Session {
  readonly id = uuid();
  readonly principal: string;
  readonly endpointPath: string;
  readonly client: ClientFacts;
  readonly conversation: Conversation;
  readonly streams: SessionStreams;
  #deafSince: number | undefined;

  constructor(principal: Principal, endpoint: Endpoint, client: ClientFacts, options: SessionOptions, events: EventStore) {
    this.principal = principal.id;
    this.endpointPath = endpoint.path;
    this.client = client;
    const { services, asks, maxInFlight } = options;
    const flights = new Flights(maxInFlight);
    this.conversation = new Conversation({ face: 'streamable-http', services, endpoint, client, principal, flights, asks });
    this.streams = new SessionStreams(events, client.revision >= '2025-11-25');
  }

  /** One with a call in flight or an open stream is not idle. */
  get busy(): boolean {
    return this.conversation.flights.size > 0 || this.streams.connected;
  }

  /** Stops watching for a client that has not listened for a while. */
  tend(now: number): void {
    const { hearing } = this.conversation;
    if (!hearing.heard || this.streams.listening) {
      this.#deafSince = undefined;
      hearing.retry();
      return;
    }
    this.#deafSince ??= now;
    if (now - this.#deafSince >= DEAF_MS) hearing.through(undefined);
  }

  end(): void {
    this.conversation.end();
    this.streams.end();
  }
}

/** The legacy HTTP sessions of this process. Bounded; idle ones are swept. */
export class Sessions {
  readonly #options: SessionOptions;
  readonly #clock: Clock;
  readonly #events: EventStore;
  readonly #sessions: Bounded<string, Session>;
  /** Session ids by principal, the longest unused first. */
  readonly #byPrincipal = new Map<string, Set<string>>();
  readonly #share: number;
  readonly #timer: NodeJS.Timeout;

  constructor(options: SessionOptions) {
    const { cap, idleMs, caps, clock } = options;
    this.#options = options;
    this.#clock = clock;
    this.#events = new EventStore({ caps });
    this.#share = Math.max(1, Math.ceil(cap / SHARES));
    this.#sessions = new Bounded({ name: 'sessions', cap, idleMs, caps, onDrop: (session) => this.#forget(session) });
    this.#timer = setInterval(() => this.sweep(), SWEEP_MS);
    this.#timer.unref();
  }

  get size(): number {
    return this.#sessions.size;
  }

  /**
   * Undefined when full. A principal that holds its share of the places already gives up its longest unused session for the new one, so that
   * an agent that initializes for every request fills its own share only; clients recover from a lost session (404).
   */
  open(principal: Principal, endpoint: Endpoint, client: ClientFacts): Session | undefined {
    this.#keepShare(principal.id);
    const session = new Session(principal, endpoint, client, this.#options, this.#events);
    if (!this.#sessions.set(session.id, session, this.#clock.now())) return undefined;
    let own = this.#byPrincipal.get(session.principal);
    if (own === undefined) this.#byPrincipal.set(session.principal, (own = new Set()));
    own.add(session.id);
    return session;
  }

  /** A session is only there for the principal and the endpoint that it was made for: to everybody else it does not exist. */
  find(id: string, principal: string, endpointPath: string): Session | undefined {
    const session = this.#sessions.peek(id);
    if (session?.principal !== principal || session.endpointPath !== endpointPath) return undefined;
    const own = this.#byPrincipal.get(principal);
    if (own?.delete(id) === true) own.add(id);
    return this.#sessions.get(id, this.#clock.now());
  }

  end(session: Session): void {
    this.#sessions.delete(session.id);
    this.#forget(session);
  }

  #forget(session: Session): void {
    const own = this.#byPrincipal.get(session.principal);
    own?.delete(session.id);
    if (own?.size === 0) this.#byPrincipal.delete(session.principal);
    session.end();
  }

  #keepShare(principal: string): void {
    const own = this.#byPrincipal.get(principal);
    if (own === undefined || own.size < this.#share) return;
    for (const id of own) {
      const session = this.#sessions.peek(id);
      if (session === undefined || session.busy) continue;
      this.end(session);
      return;
    }
  }

  /** Drops idle sessions. */
  sweep(): void {
    const now = this.#clock.now();
    for (const session of this.#sessions.values()) {
      if (session.busy) this.#sessions.get(session.id, now);
      session.tend(now);
    }
    this.#sessions.sweep(now);
  }

  /** The gateway is about to go: streams that only listen end, what is due is still answered. */
  endListening(): void {
    for (const session of this.#sessions.values()) session.streams.endListening();
  }

  /** The gateway goes now: no client is waited for any more. */
  endAsks(): void {
    for (const { conversation } of this.#sessions.values()) conversation.endAsks('The gateway is shutting down.');
  }

  close(): void {
    clearInterval(this.#timer);
    for (const session of this.#sessions.values()) session.end();
    this.#sessions.clear();
    this.#byPrincipal.clear();
  }
}
