import type { Caps, Gauge } from '../../shared/index.ts';

/** What owns events of a log: it is told when one is lost. */
export interface EventOwner {
  /** The event of that number is not kept any more. */
  forget(sequence: number): void;
}

export interface StoredEvent {
  readonly owner: EventOwner;
  readonly sequence: number;
  readonly text: string;
}

interface Kept extends StoredEvent {
  readonly bytes: number;
}

export interface EventStoreOptions {
  readonly caps: Caps;
  /** Bytes that all sessions' events may take. */
  readonly bytes?: number;
  /** Events and bytes of one session. */
  readonly sessionEvents?: number;
  readonly sessionBytes?: number;
  /** A larger event is not kept. */
  readonly eventBytes?: number;
}

const MIB = 1024 * 1024;
/** An event costs something beyond its text. */
const OVERHEAD = 128;

/** The events of one session that its client may ask for again, oldest first. */
export class EventLog {
  readonly #store: EventStore;
  #events: Kept[] = [];
  #first = 0;
  #bytes = 0;

  constructor(store: EventStore) {
    this.#store = store;
  }

  get size(): number {
    return this.#events.length - this.#first;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** False for one that is too large to keep. Older events of the session give way. */
  append(owner: EventOwner, sequence: number, text: string): boolean {
    const { limits } = this.#store;
    const bytes = Buffer.byteLength(text) + OVERHEAD;
    if (bytes > limits.eventBytes) return false;
    while (this.size > 0 && (this.size >= limits.sessionEvents || this.#bytes + bytes > limits.sessionBytes)) this.drop();
    this.#store.makeRoom(this, bytes);
    this.#events.push({ owner, sequence, text, bytes });
    this.#bytes += bytes;
    return true;
  }

  /** Those of one owner behind that number, in order. */
  after(owner: EventOwner, sequence: number): StoredEvent[] {
    const found: StoredEvent[] = [];
    for (let i = this.#first; i < this.#events.length; i++) {
      const event = this.#events[i] as Kept;
      if (event.owner === owner && event.sequence > sequence) found.push(event);
    }
    return found;
  }

  /** Gives up the oldest event. */
  drop(): void {
    const event = this.#events[this.#first];
    if (event === undefined) return;
    this.#first++;
    if (this.#first * 2 >= this.#events.length) {
      this.#events = this.#events.slice(this.#first);
      this.#first = 0;
    }
    this.#bytes -= event.bytes;
    this.#store.released(event.bytes);
    event.owner.forget(event.sequence);
  }

  /** Gives up everything; the log is of no more use. */
  end(): void {
    this.#store.remove(this);
    this.#store.released(this.#bytes);
    this.#events = [];
    this.#first = 0;
    this.#bytes = 0;
  }
}

/** The events of all sessions, bounded in bytes: who has been silent for longest loses his oldest first. */
export class EventStore implements Gauge {
  readonly name = 'event_store_bytes';
  readonly cap: number;
  readonly limits: Required<Omit<EventStoreOptions, 'caps' | 'bytes'>>;
  readonly refused = 0;
  /** In the order of their last event. */
  readonly #logs = new Set<EventLog>();
  #size = 0;

  constructor({ caps, bytes = 64 * MIB, sessionEvents = 1000, sessionBytes = 4 * MIB, eventBytes = MIB }: EventStoreOptions) {
    this.cap = bytes;
    this.limits = { sessionEvents, sessionBytes, eventBytes };
    caps.add(this);
  }

  get size(): number {
    return this.#size;
  }

  open(): EventLog {
    return new EventLog(this);
  }

  /** Takes `bytes` into account for `log`, at the cost of others if need be. Only logs call it. */
  makeRoom(log: EventLog, bytes: number): void {
    this.#logs.delete(log);
    this.#logs.add(log);
    for (const oldest of this.#logs) {
      while (this.#size + bytes > this.cap && oldest.size > 0) oldest.drop();
      if (this.#size + bytes <= this.cap) break;
      if (oldest !== log) this.#logs.delete(oldest);
    }
    this.#size += bytes;
  }

  released(bytes: number): void {
    this.#size -= bytes;
  }

  remove(log: EventLog): void {
    this.#logs.delete(log);
  }
}
