import type { Caps, Gauge } from '../../shared/index.ts';

/** A response that stays open. */
export interface LiveStream {
  /** Every 15 s: shows that the connection lives, and gives up a reader that does not read. */
  keepAlive(): void;
  /** Every minute: whether the client's credential still holds. */
  recheck(): void;
  /** The gateway goes: no more than what is due is sent. */
  retire(): void;
}

const KEEP_ALIVE_MS = 15_000;
const TICKS_PER_RECHECK = 4;

/** The open streams of all clients, with one timer for all. It runs only while there are any. */
export class LiveStreams implements Gauge {
  readonly name: string;
  readonly cap: number;
  readonly #streams = new Set<LiveStream>();
  readonly #tickMs: number;
  #timer: NodeJS.Timeout | undefined;
  #ticks = 0;
  #refused = 0;
  #retired = false;

  constructor({ name, cap, caps, tickMs = KEEP_ALIVE_MS }: { name: string; cap: number; caps: Caps; tickMs?: number }) {
    this.name = name;
    this.cap = cap;
    this.#tickMs = tickMs;
    caps.add(this);
  }

  get size(): number {
    return this.#streams.size;
  }

  get refused(): number {
    return this.#refused;
  }

  /** Whether the gateway is about to go. */
  get retired(): boolean {
    return this.#retired;
  }

  /** False at the cap. */
  add(stream: LiveStream): boolean {
    if (this.#streams.size >= this.cap) {
      this.#refused++;
      return false;
    }
    this.#streams.add(stream);
    this.#timer ??= setInterval(() => this.#tick(), this.#tickMs).unref();
    return true;
  }

  delete(stream: LiveStream): void {
    this.#streams.delete(stream);
    if (this.#streams.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  retire(): void {
    this.#retired = true;
    for (const stream of this.#streams) stream.retire();
  }

  #tick(): void {
    const recheck = ++this.#ticks % TICKS_PER_RECHECK === 0;
    for (const stream of this.#streams) {
      if (recheck) stream.recheck();
      stream.keepAlive();
    }
  }
}
