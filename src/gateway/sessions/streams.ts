import { errorText, RPC, rpcError } from '../../protocol/index.ts';
import { randomText } from '../../shared/index.ts';
import type { Outlet } from './asks.ts';
import type { EventLog, EventOwner, EventStore } from './event-store.ts';

/** An open text/event-stream response. */
export interface EventSink {
  readonly open: boolean;
  /** True while its reader leaves much unread. */
  readonly behind: boolean;
  /** An event with that id. */
  event(text: string, id: string): void;
  /** An event without data, so that the client can resume before the first real one. */
  prime(id: string): void;
  end(): void;
  /** Called once when the stream is over, whoever ended it. */
  onClose(listener: () => void): void;
}

interface StreamParts {
  readonly log: EventLog;
  readonly onEmpty: (stream: SessionStream) => void;
  /** Priming events exist from 2025-11-25 on (PROTOCOL C14). */
  readonly primes: boolean;
}

const lost = (idText: string): string =>
  errorText(
    idText,
    rpcError(
      RPC.resultTooLarge,
      'The answer was too large, or too old, to be kept for a resumed stream. The request itself was carried out.',
    ),
  );

/** One SSE stream of a session, over all the connections that carry it (S25 transports, "Resumability and Redelivery"). */
export class SessionStream implements Outlet, EventOwner {
  readonly id = randomText(12);
  readonly #parts: StreamParts;
  #sink: EventSink | undefined;
  #sequence = 0;
  /** The newest event that is gone. */
  #lost = 0;
  #kept = 0;
  #done = false;
  /** Responses that went out, by their number: one that is lost is answered with an error. */
  readonly #responses: { readonly sequence: number; readonly idText: string }[] = [];

  constructor(parts: StreamParts) {
    this.#parts = parts;
  }

  get connected(): boolean {
    return this.#sink?.open === true;
  }

  /** True for one that nobody can resume. */
  get empty(): boolean {
    return !this.connected && this.#kept === 0;
  }

  get done(): boolean {
    return this.#done;
  }

  /** True for one that brought no response. */
  get silent(): boolean {
    return this.#responses.length === 0;
  }

  /** True if nothing comes behind that event any more. */
  isOver(after: number): boolean {
    return this.#done && after === this.#sequence;
  }

  /** Kept for a resumption, whether it could be written or not. */
  send(text: string, droppable: boolean): boolean {
    if (this.#done) return false;
    const sink = this.connected ? this.#sink : undefined;
    if (droppable && sink?.behind === true) return true;
    const sequence = ++this.#sequence;
    const kept = this.#keep(sequence, text);
    sink?.event(text, this.#idOf(sequence));
    return kept || sink !== undefined;
  }

  /** The response to a request. One that is too large to keep is kept as an error for whoever resumes. */
  respond(text: string, idText: string): void {
    if (this.#done) return;
    const sequence = ++this.#sequence;
    this.#responses.push({ sequence, idText });
    if (!this.#keep(sequence, text)) this.#keep(sequence, lost(idText));
    if (this.connected) this.#sink?.event(text, this.#idOf(sequence));
  }

  /** Nothing comes any more. */
  finish(): void {
    this.#done = true;
    this.#sink?.end();
    if (this.empty) this.#parts.onEmpty(this);
  }

  /** Carries the stream on over another connection, with what came behind event `after`. */
  attach(sink: EventSink, after: number): void {
    const old = this.#sink;
    this.#sink = sink;
    old?.end();
    sink.onClose(() => {
      if (this.#sink === sink) this.#sink = undefined;
      if (this.#done && this.empty) this.#parts.onEmpty(this);
    });
    if (this.#parts.primes) sink.prime(this.#idOf(after));
    for (const { sequence, idText } of this.#responses)
      if (sequence > after && sequence <= this.#lost) sink.event(lost(idText), this.#idOf(sequence));
    for (const { sequence, text } of this.#parts.log.after(this, after)) sink.event(text, this.#idOf(sequence));
    if (this.#done) sink.end();
  }

  disconnect(): void {
    this.#sink?.end();
  }

  /** The number of an event of this stream; undefined if it never had that one. */
  numberOf(text: string): number | undefined {
    const number = /^\d{1,10}$/.test(text) ? Number(text) : undefined;
    return number !== undefined && number <= this.#sequence ? number : undefined;
  }

  forget(sequence: number): void {
    this.#kept--;
    this.#lost = Math.max(this.#lost, sequence);
    if (this.#done && this.empty) this.#parts.onEmpty(this);
  }

  #keep(sequence: number, text: string): boolean {
    const kept = this.#parts.log.append(this, sequence, text);
    if (kept) this.#kept++;
    return kept;
  }

  #idOf(sequence: number): string {
    return `${this.id}_${sequence}`;
  }
}

/** An event's id: of its stream, and its number there. */
function cutId(lastEventId: string): readonly [stream: string, number: string] {
  const cut = lastEventId.lastIndexOf('_');
  return [lastEventId.slice(0, Math.max(0, cut)), lastEventId.slice(cut + 1)];
}

/** Streams that nobody's request opened, at once; the oldest gives way. */
const MAX_LISTENING = 8;
/** Streams without a response that are remembered when they are gone. */
const MAX_SILENT = 16;

/** The SSE streams of one legacy HTTP session. As an outlet it sends what belongs to no request: to exactly one stream. */
export class SessionStreams implements Outlet {
  readonly #log: EventLog;
  readonly #primes: boolean;
  readonly #byId = new Map<string, SessionStream>();
  /** Opened by GET, oldest first. */
  #listening: SessionStream[] = [];
  #silent: string[] = [];
  #ended = false;

  constructor(store: EventStore, primes: boolean) {
    this.#log = store.open();
    this.#primes = primes;
  }

  get size(): number {
    return this.#byId.size;
  }

  /** True once the session has ended. */
  get ended(): boolean {
    return this.#ended;
  }

  get connected(): boolean {
    for (const stream of this.#byId.values()) if (stream.connected) return true;
    return false;
  }

  /** Whether a message that belongs to no request would reach the client. */
  get listening(): boolean {
    return this.#listening.some(({ connected }) => connected);
  }

  /** The stream of a POST. */
  open(sink: EventSink): SessionStream {
    const stream = new SessionStream({ log: this.#log, onEmpty: this.#remove, primes: this.#primes });
    this.#byId.set(stream.id, stream);
    stream.attach(sink, 0);
    return stream;
  }

  /** The stream of a GET. Streams that cannot be resumed any more go. */
  listen(sink: EventSink): void {
    for (const old of this.#listening) if (old.empty) this.#byId.delete(old.id);
    this.#listening = this.#listening.filter(({ empty }) => !empty);
    while (this.#listening.length >= MAX_LISTENING) {
      const oldest = this.#listening.shift();
      oldest?.finish();
    }
    this.#listening.push(this.open(sink));
  }

  /** True where nothing comes behind a Last-Event-ID any more. Clients go on asking for a stream that ended without a result until they are told. */
  isOver(lastEventId: string): boolean {
    const [id, number] = cutId(lastEventId);
    const stream = this.#byId.get(id);
    const after = stream?.numberOf(number);
    return stream === undefined ? this.#silent.includes(id) : after !== undefined && stream.isOver(after);
  }

  /** Carries on the stream that a Last-Event-ID names. False if there is no such event: nothing of another stream is ever shown instead. */
  resume(lastEventId: string, sink: () => EventSink | undefined): boolean {
    const [id, number] = cutId(lastEventId);
    const stream = this.#byId.get(id);
    const after = stream?.numberOf(number);
    if (stream === undefined || after === undefined) return false;
    const opened = sink();
    if (opened !== undefined) stream.attach(opened, after);
    return true;
  }

  send(text: string, droppable: boolean): boolean {
    const stream = this.#listening.findLast(({ connected }) => connected) ?? this.#listening.at(-1);
    return stream?.send(text, droppable) ?? false;
  }

  /** The streams that only listen end, as they do when the gateway goes. */
  endListening(): void {
    for (const stream of this.#listening) stream.disconnect();
  }

  end(): void {
    this.#ended = true;
    for (const stream of this.#byId.values()) stream.finish();
    this.#byId.clear();
    this.#listening = [];
    this.#log.end();
  }

  readonly #remove = (stream: SessionStream): void => {
    this.#byId.delete(stream.id);
    this.#listening = this.#listening.filter((other) => other !== stream);
    if (stream.silent) this.#silent = [...this.#silent, stream.id].slice(-MAX_SILENT);
  };
}
