import type { Caps, Gauge } from '../../shared/index.ts';

/** A result that is kept. */
export interface StoredResult {
  /** JSON text of the result, and the same parsed; nobody changes it. */
  readonly text: string;
  readonly value: Readonly<Record<string, unknown>>;
  /** Milliseconds since the epoch. */
  readonly storedAt: number;
  readonly expiresAt: number;
}

/** What of a server's results is no longer true. */
export type Part = 'tools' | 'resources';

/**
 * Where results are kept, for all servers together. What `version` names is part of
 * every key, so that dropping all results of a server is one step, and one that is under way cannot come back late.
 */
export interface ResultStore {
  version(server: string, part: Part): number;
  get(key: string, now: number): StoredResult | undefined;
  set(key: string, result: StoredResult): void;
  /** From now on results of this part of the server are not found. */
  drop(server: string, part: Part): void;
}

export interface MemoryStoreOptions {
  readonly entries: number;
  readonly bytes: number;
  readonly caps: Caps;
}

interface Entry {
  readonly result: StoredResult;
  readonly bytes: number;
}

/** What an entry costs beside its texts. */
const OVERHEAD = 200;

/** Results in this process: bounded by entries and by bytes, the least recently used one goes first. */
export class MemoryStore implements ResultStore {
  readonly #options: MemoryStoreOptions;
  /** The most recently used is last. */
  readonly #entries = new Map<string, Entry>();
  readonly #versions = new Map<string, number>();
  readonly #gauges: readonly Gauge[];
  #bytes = 0;

  constructor(options: MemoryStoreOptions) {
    this.#options = options;
    const { entries, bytes, caps } = options;
    const count = (): number => this.#entries.size;
    const size = (): number => this.#bytes;
    this.#gauges = [
      {
        name: 'result_cache',
        cap: entries,
        refused: 0,
        get size() {
          return count();
        },
      },
      {
        name: 'result_cache_bytes',
        cap: bytes,
        refused: 0,
        get size() {
          return size();
        },
      },
    ];
    for (const gauge of this.#gauges) caps.add(gauge);
  }

  version(server: string, part: Part): number {
    return this.#versions.get(`${server} ${part}`) ?? 0;
  }

  get(key: string, now: number): StoredResult | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    if (entry.result.expiresAt <= now) {
      this.#bytes -= entry.bytes;
      return undefined;
    }
    this.#entries.set(key, entry);
    return entry.result;
  }

  set(key: string, result: StoredResult): void {
    const { entries, bytes } = this.#options;
    // Texts are one or two bytes a character; the parsed value takes about as much again.
    const size = 2 * (key.length + 2 * result.text.length) + OVERHEAD;
    const known = this.#entries.get(key);
    if (known !== undefined) this.#remove(key, known);
    if (size > bytes) return;
    this.#entries.set(key, { result, bytes: size });
    this.#bytes += size;
    for (const [oldest, entry] of this.#entries) {
      if (this.#entries.size <= entries && this.#bytes <= bytes) break;
      this.#remove(oldest, entry);
    }
  }

  drop(server: string, part: Part): void {
    this.#versions.set(`${server} ${part}`, this.version(server, part) + 1);
  }

  /** Forgets everything. */
  stop(): void {
    this.#entries.clear();
    this.#bytes = 0;
    for (const gauge of this.#gauges) this.#options.caps.remove(gauge);
  }

  #remove(key: string, entry: Entry): void {
    this.#entries.delete(key);
    this.#bytes -= entry.bytes;
  }
}
