/** What `/metrics` shows of one bounded collection. */
export interface Gauge {
  readonly name: string;
  readonly size: number;
  readonly cap: number;
  /** Additions refused because the collection was full. */
  readonly refused: number;
}

/** Every bounded collection of one running gateway, so that each is measured without anybody remembering to. */
export class Caps {
  readonly #all = new Set<Gauge>();

  add(gauge: Gauge): void {
    this.#all.add(gauge);
  }

  remove(gauge: Gauge): void {
    this.#all.delete(gauge);
  }

  list(): readonly Gauge[] {
    return [...this.#all];
  }
}

export interface BoundedOptions<K, V> {
  name: string;
  cap: number;
  caps: Caps;
  /** What to do when full: refuse the newcomer (the default) or drop the least recently used entry. */
  full?: 'refuse' | 'evict';
  /** Entries untouched for this long are dropped by `sweep`. */
  idleMs?: number;
  onDrop?: (value: V, key: K, why: 'idle' | 'evicted') => void;
}

interface Entry<V> {
  value: V;
  touched: number;
}

/** A map with a cap, an idle limit and a gauge. Insertion order is recency order: `get` with a time moves an entry to the end. */
export class Bounded<K, V> implements Gauge {
  readonly name: string;
  readonly cap: number;
  #refused = 0;
  readonly #entries = new Map<K, Entry<V>>();
  readonly #options: BoundedOptions<K, V>;

  constructor(options: BoundedOptions<K, V>) {
    this.name = options.name;
    this.cap = options.cap;
    this.#options = options;
    options.caps.add(this);
  }

  get size(): number {
    return this.#entries.size;
  }

  get refused(): number {
    return this.#refused;
  }

  /** False if the collection is full and refuses newcomers. `now` is wall time in milliseconds. */
  set(key: K, value: V, now: number): boolean {
    const known = this.#entries.delete(key);
    if (!known && this.#entries.size >= this.cap && !this.#makeRoom()) {
      this.#refused++;
      return false;
    }
    this.#entries.set(key, { value, touched: now });
    return true;
  }

  /** The value, marked as used at `now`. */
  get(key: K, now: number): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    entry.touched = now;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.value;
  }

  /** The value without marking it as used. */
  peek(key: K): V | undefined {
    return this.#entries.get(key)?.value;
  }

  delete(key: K): boolean {
    return this.#entries.delete(key);
  }

  /** All values as they are now: what the caller does to the collection meanwhile does not disturb the walk. */
  *values(): Generator<V> {
    yield* Array.from(this.#entries.values(), ({ value }) => value);
  }

  /** Drops what has been idle for too long; the owner calls it from its timer. Returns how many went. */
  sweep(now: number): number {
    const { idleMs, onDrop } = this.#options;
    if (idleMs === undefined) return 0;
    let dropped = 0;
    for (const [key, entry] of this.#entries) {
      if (now - entry.touched < idleMs) break;
      this.#entries.delete(key);
      dropped++;
      onDrop?.(entry.value, key, 'idle');
    }
    return dropped;
  }

  clear(): void {
    this.#entries.clear();
  }

  #makeRoom(): boolean {
    if (this.#options.full !== 'evict') return false;
    const oldest = this.#entries.entries().next();
    if (oldest.done) return false;
    const [key, entry] = oldest.value;
    this.#entries.delete(key);
    this.#options.onDrop?.(entry.value, key, 'evicted');
    return true;
  }
}

/** A counter with a cap and a gauge, for things that are counted and not kept (calls in flight, waiters). */
export class BoundedCount implements Gauge {
  readonly name: string;
  readonly cap: number;
  #size = 0;
  #refused = 0;

  constructor(name: string, cap: number, caps: Caps) {
    this.name = name;
    this.cap = cap;
    caps.add(this);
  }

  get size(): number {
    return this.#size;
  }

  get refused(): number {
    return this.#refused;
  }

  /** Takes one place; false at the cap. */
  enter(): boolean {
    if (this.#size >= this.cap) {
      this.#refused++;
      return false;
    }
    this.#size++;
    return true;
  }

  /** Gives one place back; one given back twice must not make room for more than the cap. */
  leave(): void {
    if (this.#size > 0) this.#size--;
  }
}
