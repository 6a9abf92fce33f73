import type { CallRecord } from './call-record.ts';

export type Projection = (records: readonly CallRecord[]) => void;

const FLUSH_MS = 100;
const FLUSH_COUNT = 256;

/**
 * Takes finished call records and hands them to their projections in batches, off the calls' own path. Nothing waits for it and
 * it holds at most one batch: a full one is projected at once.
 */
export class Recorder {
  readonly #projections: readonly Projection[];
  readonly #onError: (error: unknown) => void;
  #batch: CallRecord[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(projections: readonly Projection[], onError: (error: unknown) => void) {
    this.#projections = projections;
    this.#onError = onError;
  }

  record(record: CallRecord): void {
    this.#batch.push(record);
    if (this.#batch.length >= FLUSH_COUNT) this.flush();
    else if (this.#timer === undefined) {
      this.#timer = setTimeout(() => this.flush(), FLUSH_MS);
      this.#timer.unref();
    }
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#batch.length === 0) return;
    const batch = this.#batch;
    this.#batch = [];
    for (const project of this.#projections) {
      try {
        project(batch);
      } catch (error) {
        this.#onError(error);
      }
    }
  }
}
