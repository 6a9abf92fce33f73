import {
  CACHEABLE,
  ResponseSplicer,
  type CacheHint,
  type Failure,
  type Implementation,
  type ResultSink,
  type ResultStream,
} from '../../protocol/index.ts';
import type { Failures } from '../failures.ts';
import type { Pausable } from '../pacer.ts';

export interface FlowOptions {
  /** What came so far. */
  readonly chunks: readonly Buffer[];
  readonly method: string;
  /** Our id of the request. */
  readonly id: number;
  readonly maxBytes: number;
  readonly serverInfo: Implementation;
  readonly failures: Failures;
  readonly source: Pausable;
  /** The flow is over: `failed` says that the rest of the answer is of no use. Called once. */
  readonly onOver: (failed: boolean) => void;
  /** The reader took something: the answer does not stand still. */
  readonly onMove: () => void;
}

const UNCACHED: CacheHint = { ttlMs: 0, cacheScope: 'private' };
const HEAD = 65_536;
const NOBODY: Implementation = { name: '', version: '' };

/**
 * Whether an answer with this beginning may flow. False where that shows another one than ours with a complete result: such a one is held
 * and read as a whole. Undefined as long as it does not show what it is.
 */
export function mayFlow(chunks: readonly Buffer[], id: number): boolean | undefined {
  const splicer = new ResponseSplicer({ idText: '0', serverInfo: NOBODY, maxHead: Infinity, expectedId: String(id) });
  for (const chunk of chunks) {
    splicer.feed(chunk);
    if (splicer.isSure) return true;
  }
  if (splicer.problem !== undefined) return false;
  return splicer.flows ? true : undefined;
}

/** A large answer that goes through without being held (PROTOCOL A13): the reader's pace is the server's pace. */
export class ResultFlow implements ResultStream {
  readonly #options: FlowOptions;
  #splicer: ResponseSplicer | undefined;
  #sink: ResultSink | undefined;
  #bytes = 0;
  /** What came before the reader did. */
  #early: Buffer[];
  /** What the reader was too slow for. */
  #queue: Buffer[] = [];
  #behind = false;
  #complete = false;
  #over = false;
  #failure: Failure | undefined;
  #isError = false;

  constructor(options: FlowOptions) {
    this.#options = options;
    this.#early = [...options.chunks];
    options.source.pause();
  }

  get isOver(): boolean {
    return this.#over;
  }

  begin(sink: ResultSink): void {
    if (this.#sink !== undefined) return;
    this.#sink = sink;
    if (this.#over) {
      sink.end(this.#failure);
      return;
    }
    const { serverInfo, method, id } = this.#options;
    const cache = CACHEABLE.has(method) ? UNCACHED : undefined;
    const early = this.#early;
    this.#early = [];
    const maxHead = early.reduce((sum, { length }) => sum + length, HEAD);
    this.#splicer = new ResponseSplicer({ idText: sink.idText, serverInfo, maxHead, cache, expectedId: String(id) });
    for (const chunk of early) this.#take(chunk);
    this.resume();
  }

  resume(): void {
    if (this.#sink === undefined || this.#over) return;
    this.#behind = false;
    this.#options.onMove();
    this.#write();
    if (this.#over || this.#behind) return;
    if (this.#complete) this.#finish();
    else this.#options.source.resume();
  }

  abort(): void {
    this.fail(this.#options.failures.canceled('unknown').failure);
  }

  /** More of the answer. */
  data(chunk: Buffer): void {
    if (this.#over || this.#complete) return;
    if (this.#sink === undefined) this.#early.push(chunk);
    else this.#take(chunk);
    this.#write();
  }

  /** The answer is there as a whole. */
  done(): void {
    if (this.#complete || this.#over) return;
    this.#complete = true;
    if (this.#sink !== undefined && !this.#behind) this.#finish();
  }

  /** There is no more of the answer, and it is not whole. */
  fail(failure: Failure): void {
    if (this.#over) return;
    this.#end(failure);
  }

  #take(chunk: Buffer): void {
    const { failures, maxBytes } = this.#options;
    const splicer = this.#splicer;
    if (splicer === undefined || this.#over) return;
    this.#bytes += chunk.length;
    if (this.#bytes > maxBytes) return this.fail(failures.tooLarge(maxBytes).failure);
    this.#queue.push(...splicer.feed(chunk));
    if (splicer.problem !== undefined) this.#refuse(splicer.problem);
  }

  #refuse(problem: string): void {
    this.fail(this.#options.failures.protocol('sent an answer that cannot be passed on', problem).failure);
  }

  #write(): void {
    const sink = this.#sink;
    if (sink === undefined) return;
    while (!this.#behind && !this.#over) {
      const bytes = this.#queue.shift();
      if (bytes === undefined) return;
      this.#options.onMove();
      if (!sink.write(bytes)) this.#behind = true;
    }
    if (this.#behind && !this.#complete) this.#options.source.pause();
  }

  #finish(): void {
    const splicer = this.#splicer;
    this.#splicer = undefined;
    if (splicer !== undefined && !this.#over) {
      this.#queue.push(...splicer.end());
      if (splicer.problem !== undefined) return this.#refuse(splicer.problem);
      this.#isError = splicer.isError;
    }
    this.#write();
    if (!this.#over && !this.#behind) this.#end(undefined);
  }

  #end(failure: Failure | undefined): void {
    this.#over = true;
    this.#failure = failure;
    this.#early = [];
    this.#queue = [];
    this.#options.onOver(failure !== undefined);
    this.#sink?.end(failure, this.#isError);
  }
}
