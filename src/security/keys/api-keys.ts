import type { Kysely } from 'kysely';
import { AppError, type Caps, type Clock } from '../../shared/index.ts';
import type { Authentication, Authenticator } from '../principal.ts';
import type { SecurityTables } from '../tables.ts';
import { createKey } from './create-key.ts';
import { makeFirstKeys, type FirstKeys, type FirstKeysOptions } from './first-keys.ts';
import type { KeyActor, NewKey } from './input.ts';
import { KeyRing, MAX_KEYS } from './key-ring.ts';
import { listKeys, loadKeys, saveUsed } from './load-keys.ts';
import { revokeKey } from './revoke-key.ts';
import { rotateKey } from './rotate-key.ts';
import { principalIdOf, viewOf, type ApiKeyView, type KeyRow } from './rows.ts';

/** The API keys of this installation. Verbs write to the database with their audit row; `authenticate` never asks it. */
export interface ApiKeys extends Authenticator {
  /** `secret` is for bootstrapping; without it a new one is made. The secret is returned this once. */
  create(input: NewKey & { secret?: string | undefined }, actor: KeyActor): Promise<{ key: ApiKeyView; secret: string }>;
  /** All keys, the newest first. */
  list(): Promise<ApiKeyView[]>;
  rotate(
    id: string,
    options: { overlapSeconds?: number | undefined },
    actor: KeyActor,
  ): Promise<{ key: ApiKeyView; secret: string; previous: ApiKeyView }>;
  revoke(id: string, actor: KeyActor): Promise<ApiKeyView>;
  /** The first start's keys, or undefined if the installation ever had a key. */
  createFirst(options?: FirstKeysOptions): Promise<FirstKeys | undefined>;
  /** Reads all keys again; what another replica changed takes effect. */
  reload(): Promise<void>;
  /** Writes back when keys were last used. */
  flush(): Promise<void>;
  /** Starts reloading every 30 s and writing back every 60 s. */
  start(): void;
  /** Stops both and writes back what is left. */
  stop(): Promise<void>;
}

export interface ApiKeysOptions {
  readonly db: Kysely<SecurityTables>;
  readonly clock: Clock;
  readonly caps: Caps;
  /** Periodic work that failed; the keys in memory go on working meanwhile. */
  readonly onFault?: ((error: unknown) => void) | undefined;
  /** A key got a new secret: `principalId` is the one that both secrets stand for. The old secret is still accepted during the call. */
  readonly onRotated?: ((principalId: string, secret: string) => void) | undefined;
  readonly reloadMs?: number | undefined;
  readonly flushMs?: number | undefined;
}

const RELOAD_MS = 30_000;
const FLUSH_MS = 60_000;
const DEFAULT_OVERLAP_SECONDS = 86_400;

class ApiKeyStore implements ApiKeys {
  readonly #options: ApiKeysOptions;
  readonly #ring: KeyRing;
  readonly #timers = new Set<NodeJS.Timeout>();
  #running: Promise<void> | undefined;
  #queued: Promise<void> | undefined;

  constructor(options: ApiKeysOptions) {
    this.#options = options;
    this.#ring = new KeyRing(options);
  }

  authenticate(authorization: string | undefined): Authentication {
    return this.#ring.authenticate(authorization);
  }

  async create(input: NewKey & { secret?: string | undefined }, actor: KeyActor): Promise<{ key: ApiKeyView; secret: string }> {
    this.#checkRoom();
    const { db, clock } = this.#options;
    const { row, secret } = await createKey(db, input, actor, clock.now());
    await this.#changed([row]);
    return { key: this.#view(row), secret };
  }

  async list(): Promise<ApiKeyView[]> {
    await this.#guarded(() => this.flush());
    return (await listKeys(this.#options.db)).map((row) => this.#view(row));
  }

  async rotate(
    id: string,
    options: { overlapSeconds?: number | undefined },
    actor: KeyActor,
  ): Promise<{ key: ApiKeyView; secret: string; previous: ApiKeyView }> {
    this.#checkRoom();
    const { db, clock } = this.#options;
    const input = { id, overlapSeconds: options.overlapSeconds ?? DEFAULT_OVERLAP_SECONDS };
    const { row, secret, previous } = await rotateKey(db, input, actor, clock.now());
    this.#tellRotated(principalIdOf(row), secret);
    await this.#changed([row, previous]);
    return { key: this.#view(row), secret, previous: this.#view(previous) };
  }

  async revoke(id: string, actor: KeyActor): Promise<ApiKeyView> {
    const { db, clock } = this.#options;
    const rows = await revokeKey(db, id, actor, clock.now());
    await this.#changed(rows);
    return this.#view(rows[0] as KeyRow);
  }

  async createFirst(options: FirstKeysOptions = {}): Promise<FirstKeys | undefined> {
    const made = await makeFirstKeys(this.#options.db, options, this.#options.clock.now());
    await this.#changed(made?.rows ?? []);
    return made?.keys;
  }

  /** A reload that runs already may have read before the caller's change: then another one follows it. */
  async reload(): Promise<void> {
    if (this.#running === undefined) {
      this.#running = this.#load().finally(() => (this.#running = undefined));
      return this.#running;
    }
    this.#queued ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#queued = undefined;
        return this.reload();
      });
    return this.#queued;
  }

  async flush(): Promise<void> {
    const used = this.#ring.takeUsed();
    try {
      await saveUsed(this.#options.db, used);
    } catch (error) {
      this.#ring.giveBack(used);
      throw error;
    }
  }

  start(): void {
    if (this.#timers.size > 0) return;
    this.#every(this.#options.reloadMs ?? RELOAD_MS, () => this.reload());
    this.#every(this.#options.flushMs ?? FLUSH_MS, () => this.flush());
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#timers.clear();
    await this.#guarded(() => this.flush());
    await Promise.allSettled([this.#running, this.#queued]);
  }

  async #load(): Promise<void> {
    const { live, ended } = await loadKeys(this.#options.db, this.#options.clock.now());
    this.#ring.replace(live, ended);
  }

  /** A change holds here at once, even if the database cannot be read again right now. */
  async #changed(rows: readonly KeyRow[]): Promise<void> {
    for (const row of rows) this.#ring.put(row);
    await this.#guarded(() => this.reload());
  }

  /** The rotation stands whatever its listener does: the new secret must reach the caller. */
  #tellRotated(principalId: string, secret: string): void {
    try {
      this.#options.onRotated?.(principalId, secret);
    } catch (error) {
      this.#options.onFault?.(error);
    }
  }

  #checkRoom(): void {
    if (this.#ring.liveCount < MAX_KEYS) return;
    throw new AppError('too_many_keys', `There are ${MAX_KEYS} live API keys, which is the cap: revoke those that nobody uses.`);
  }

  #every(ms: number, work: () => Promise<void>): void {
    const timer = setInterval(() => void this.#guarded(work), ms);
    timer.unref();
    this.#timers.add(timer);
  }

  async #guarded(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#options.onFault?.(error);
    }
  }

  #view(row: KeyRow): ApiKeyView {
    return viewOf(row, this.#options.clock.now());
  }
}

/** The API keys on our tables, loaded. Its owner calls `start` and `stop`. */
export async function createApiKeys(options: ApiKeysOptions): Promise<ApiKeys> {
  const keys = new ApiKeyStore(options);
  await keys.reload();
  return keys;
}

/** The first start's agent and approver key, or undefined if the installation ever had a key. Safe if two replicas start at once. */
export function ensureFirstKeys(keys: ApiKeys, options: FirstKeysOptions = {}): Promise<FirstKeys | undefined> {
  return keys.createFirst(options);
}
