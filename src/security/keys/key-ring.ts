import { Bounded, type Caps, type Clock } from '../../shared/index.ts';
import type { Authentication, Principal, Refusal } from '../principal.ts';
import { principalIdOf, scopesOf, type KeyRow } from './rows.ts';
import { isDamagedSecret, secretHash } from './secret.ts';

/** Live and ended keys that are held in memory; far more than one installation has agents. */
export const MAX_KEYS = 10_000;
/** Headers that were good a moment ago; beyond this many all are forgotten. */
const MAX_RECENT = 512;
const SCHEME = /^bearer +([\x21-\x7e]+) *$/i;

/** When a key was last used; milliseconds since the epoch. */
export interface KeyUse {
  readonly id: string;
  readonly at: number;
}

interface HeldKey {
  readonly id: string;
  readonly principal: Principal;
  readonly expiresAt: number;
  readonly revoked: boolean;
  readonly replaced: boolean;
  lastUsedAt: number;
}

const refuse = (code: Refusal['code'], message: string): Refusal => Object.freeze({ ok: false, code, status: 401, message });
const HOW = 'send the header "Authorization: Bearer <API key>"; make a key with: stockpulse keys create';

const MISSING = refuse('credential_missing', `No credential: ${HOW}.`);
const MALFORMED = refuse('credential_malformed', `The Authorization header is not "Bearer <API key>": ${HOW}.`);
const DAMAGED = refuse('credential_malformed', 'This is not a whole API key: a character is wrong or missing. Copy it again.');
const UNKNOWN = refuse('credential_unknown', `Unknown API key: ${HOW}.`);
const REVOKED = refuse('credential_revoked', 'This API key was revoked. Ask the operator for another one (stockpulse keys create).');
const ROTATED = refuse('credential_expired', 'This API key was replaced by rotation and its overlap is over. Use the new key.');
const EXPIRED = refuse(
  'credential_expired',
  'This API key has expired. Ask the operator for another one (stockpulse keys rotate or create).',
);

const LIVE_ALWAYS = Infinity;

function held(row: KeyRow): HeldKey {
  const principal: Principal = Object.freeze({
    id: principalIdOf(row),
    kind: 'api_key',
    client: row.name,
    scopes: new Set<string>(scopesOf(row)),
  });
  return {
    id: row.id,
    principal,
    expiresAt: row.expires_at?.getTime() ?? LIVE_ALWAYS,
    revoked: row.revoked_at !== null,
    replaced: row.replaced_by !== null,
    lastUsedAt: 0,
  };
}

/**
 * Every key in memory, by the SHA-256 of its secret, so that a credential is checked without a database round trip. Ended keys are
 * remembered too, for a clear refusal; they never push out a live one.
 */
export class KeyRing {
  readonly #clock: Clock;
  readonly #live: Bounded<string, HeldKey>;
  readonly #ended: Bounded<string, HeldKey>;
  readonly #used = new Map<string, number>();
  /** Keys by the Authorization header that proved them, so that the usual request costs no hash. Emptied whenever a key changes. */
  readonly #recent = new Map<string, HeldKey>();

  constructor(options: { clock: Clock; caps: Caps }) {
    this.#clock = options.clock;
    this.#live = new Bounded({ name: 'security.api_keys', cap: MAX_KEYS, caps: options.caps });
    this.#ended = new Bounded({ name: 'security.ended_api_keys', cap: MAX_KEYS, caps: options.caps, full: 'evict' });
  }

  get liveCount(): number {
    return this.#live.size;
  }

  /** Replaces everything that is held by what the database holds. `ended` comes with the oldest first. */
  replace(live: readonly KeyRow[], ended: readonly KeyRow[]): void {
    this.#recent.clear();
    this.#live.clear();
    this.#ended.clear();
    const now = this.#clock.now();
    for (const row of live) this.#live.set(row.secret_hash, held(row), now);
    for (const row of ended) this.#ended.set(row.secret_hash, held(row), now);
  }

  /** Takes one changed key over at once, whatever the database says later. False if there is no room for it. */
  put(row: KeyRow): boolean {
    this.#recent.clear();
    const key = held(row);
    const now = this.#clock.now();
    if (!key.revoked && key.expiresAt > now) return this.#live.set(row.secret_hash, key, now);
    this.#live.delete(row.secret_hash);
    return this.#ended.set(row.secret_hash, key, now);
  }

  /** Who the credential belongs to, or why it is refused. `authorization` is the raw header. */
  authenticate(authorization: string | undefined): Authentication {
    if (authorization === undefined || authorization === '') return MISSING;
    const key = this.#recent.get(authorization) ?? this.#prove(authorization);
    if ('ok' in key) return key;
    const now = this.#clock.now();
    if (key.revoked) return REVOKED;
    if (key.expiresAt <= now) return key.replaced ? ROTATED : EXPIRED;
    if (key.lastUsedAt !== now) {
      key.lastUsedAt = now;
      this.#used.set(key.id, now);
    }
    return { ok: true, principal: key.principal };
  }

  #prove(authorization: string): HeldKey | Refusal {
    const token = SCHEME.exec(authorization)?.[1];
    if (token === undefined) return MALFORMED;
    const digest = secretHash(token);
    const key = this.#live.peek(digest) ?? this.#ended.peek(digest);
    if (key === undefined) return isDamagedSecret(token) ? DAMAGED : UNKNOWN;
    if (this.#recent.size >= MAX_RECENT) this.#recent.clear();
    this.#recent.set(authorization, key);
    return key;
  }

  /** When keys were used since the last call, by id; milliseconds since the epoch. */
  takeUsed(): KeyUse[] {
    const used = [...this.#used].map(([id, at]) => ({ id, at }));
    this.#used.clear();
    return used;
  }

  /** Takes back what could not be written; newer uses win. */
  giveBack(used: readonly KeyUse[]): void {
    for (const { id, at } of used) if (!this.#used.has(id)) this.#used.set(id, at);
  }
}
