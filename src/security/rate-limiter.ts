import { Bounded, type Caps, type Clock } from '../shared/index.ts';

export interface RateLimit {
  readonly perSecond: number;
  /** Tokens of a full bucket: what may come at once. */
  readonly burst: number;
}

interface Bucket {
  tokens: number;
  at: number;
}

/** Token buckets in memory, one per key, the least recently used dropped at the cap. Coarse: it protects the process, not a quota. */
export class RateLimiter {
  readonly #buckets: Bounded<string, Bucket>;
  readonly #limit: RateLimit;
  readonly #clock: Clock;

  constructor(options: RateLimit & { name: string; cap: number; caps: Caps; clock: Clock }) {
    this.#limit = { perSecond: options.perSecond, burst: options.burst };
    this.#clock = options.clock;
    this.#buckets = new Bounded({ name: options.name, cap: options.cap, caps: options.caps, full: 'evict' });
  }

  /** Takes one token. 0 if there was one, else the milliseconds until there is. */
  take(key: string): number {
    const now = this.#clock.now();
    const { perSecond, burst } = this.#limit;
    const bucket = this.#buckets.get(key, now);
    if (bucket === undefined) {
      this.#buckets.set(key, { tokens: burst - 1, at: now }, now);
      return 0;
    }
    if (now > bucket.at) bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.at) * perSecond) / 1000);
    bucket.at = now;
    if (bucket.tokens >= 1) {
      bucket.tokens--;
      return 0;
    }
    return Math.max(1, Math.ceil(((1 - bucket.tokens) * 1000) / perSecond));
  }
}
