import type { Failure, ResultSink, ResultStream } from '../protocol/index.ts';

/** `isError` if a tool says that it failed. */
type OnEnd = (bytes: number, failure: Failure | undefined, isError: boolean) => void;

/** A large result on its way to a client, counted: `onEnd` is called once, when it has flowed, broke off or was given up. */
export class CountedStream implements ResultStream {
  readonly #inner: ResultStream;
  readonly #onEnd: OnEnd;
  #bytes = 0;
  #ended = false;

  constructor(inner: ResultStream, onEnd: OnEnd) {
    this.#inner = inner;
    this.#onEnd = onEnd;
  }

  begin(sink: ResultSink): void {
    this.#inner.begin({
      idText: sink.idText,
      write: (bytes) => {
        this.#bytes += bytes.length;
        return sink.write(bytes);
      },
      end: (failure, isError) => {
        this.#end(failure, isError);
        sink.end(failure, isError);
      },
    });
  }

  resume(): void {
    this.#inner.resume();
  }

  abort(): void {
    this.#inner.abort();
    this.#end({ code: 'canceled', message: 'The client is gone.', executed: 'unknown' });
  }

  #end(failure: Failure | undefined, isError = false): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#onEnd(this.#bytes, failure, isError);
  }
}
