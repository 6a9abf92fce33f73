import { sleep } from '../shared/index.ts';
import type { Connection } from './connection.ts';

const POLL_MS = 50;

/** Closes a connection that gets no new calls once those under way over it have ended. One at a time: two would be a leak. */
export class Retirement {
  #cut = new AbortController();
  #closing: Promise<void> | undefined;

  get busy(): boolean {
    return this.#closing !== undefined;
  }

  /** Only while none is busy. After `patienceMs` the connection is closed whatever is under way. */
  begin(connection: Connection, patienceMs: number): void {
    this.#cut = new AbortController();
    this.#closing = this.#close(connection, patienceMs, this.#cut.signal).finally(() => {
      this.#closing = undefined;
    });
  }

  /** Closes what is retiring at once. Resolves when it is closed. */
  async end(): Promise<void> {
    this.#cut.abort(new Error('no more patience'));
    await this.#closing;
  }

  async #close(connection: Connection, patienceMs: number, signal: AbortSignal): Promise<void> {
    const until = performance.now() + patienceMs;
    do await sleep(POLL_MS, signal).catch(() => undefined);
    while (connection.inFlight > 0 && performance.now() < until && !signal.aborted);
    await connection.close();
  }
}
