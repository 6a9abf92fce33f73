import type { Pending } from './pending.ts';

/** What a server may still say of a request that was given up has come by then. */
const DOUBT_MS = 5_000;

/**
 * Whose log messages a modern server's are, on a channel that all its messages share. They name no request, but come only for one that asked
 * for them, before its answer (S26 logging): with one such request in flight they are its own, with several they are nobody's.
 */
export class LogTurn {
  readonly #asking = new Set<Pending>();
  #doubtUntil = -Infinity;

  enter(pending: Pending): void {
    this.#asking.add(pending);
  }

  leave(pending: Pending): void {
    this.#asking.delete(pending);
  }

  /** A request that asked for log messages was given up: its last ones may still be on their way. */
  doubt(): void {
    this.#doubtUntil = performance.now() + DOUBT_MS;
  }

  /** The request that a log message belongs to now, if that is certain. */
  get only(): Pending | undefined {
    if (this.#asking.size !== 1 || performance.now() < this.#doubtUntil) return undefined;
    const [pending] = this.#asking;
    return pending?.isSent === true ? pending : undefined;
  }
}
