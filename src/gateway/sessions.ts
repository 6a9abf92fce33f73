import type { ClientFacts } from '../protocol/index.ts';
import { Bounded, uuid, type Caps, type Clock } from '../shared/index.ts';

/** A legacy client's session: made by `initialize`, ended by DELETE or by being idle. */
export interface Session {
  readonly id: string;
  readonly principal: string;
  readonly endpointPath: string;
  readonly client: ClientFacts;
  /** Calls in flight by the JSON text of their request id, so that `notifications/cancelled` finds them. */
  readonly inFlight: Map<string, AbortController>;
}

export interface SessionOptions {
  readonly cap: number;
  readonly idleMs: number;
  readonly caps: Caps;
  readonly clock: Clock;
}

const SWEEP_MS = 15_000;
/** One principal may hold this part of all sessions: a half. */
const SHARES = 2;

/** The legacy sessions of this process. Bounded; idle ones are swept. */
export class Sessions {
  readonly #clock: Clock;
  readonly #sessions: Bounded<string, Session>;
  /** Session ids by principal, the longest unused first. */
  readonly #byPrincipal = new Map<string, Set<string>>();
  readonly #share: number;
  readonly #timer: NodeJS.Timeout;

  constructor(options: SessionOptions) {
    this.#clock = options.clock;
    this.#share = Math.max(1, Math.ceil(options.cap / SHARES));
    this.#sessions = new Bounded({
      name: 'sessions',
      cap: options.cap,
      idleMs: options.idleMs,
      caps: options.caps,
      onDrop: (session) => this.#forget(session),
    });
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
  open(principal: string, endpointPath: string, client: ClientFacts): Session | undefined {
    this.#keepShare(principal);
    const session: Session = { id: uuid(), principal, endpointPath, client, inFlight: new Map() };
    if (!this.#sessions.set(session.id, session, this.#clock.now())) return undefined;
    let own = this.#byPrincipal.get(principal);
    if (own === undefined) this.#byPrincipal.set(principal, (own = new Set()));
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
    abortAll(session);
  }

  #keepShare(principal: string): void {
    const own = this.#byPrincipal.get(principal);
    if (own === undefined || own.size < this.#share) return;
    for (const id of own) {
      const session = this.#sessions.peek(id);
      if (session === undefined || session.inFlight.size > 0) continue;
      this.end(session);
      return;
    }
  }

  /** Drops idle sessions. A session with a call in flight is not idle. */
  sweep(): void {
    const now = this.#clock.now();
    for (const session of this.#sessions.values()) if (session.inFlight.size > 0) this.#sessions.get(session.id, now);
    this.#sessions.sweep(now);
  }

  close(): void {
    clearInterval(this.#timer);
    for (const session of this.#sessions.values()) abortAll(session);
    this.#sessions.clear();
  }
}

function abortAll(session: Session): void {
  for (const controller of session.inFlight.values()) controller.abort();
  session.inFlight.clear();
}
