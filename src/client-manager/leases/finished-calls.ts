import type { Outcome } from '../../protocol/index.ts';
import { Bounded, type Caps, type Clock } from '../../shared/index.ts';
import type { Failures } from '../failures.ts';

/** Calls that are remembered, and the bytes of their results together. */
const MAX_CALLS = 1_000;
const MAX_BYTES = 64 * 1024 * 1024;
/** A result beyond this is not kept for a later retry. */
const MAX_RESULT = 1024 * 1024;
const SWEEP_MS = 1_000;

interface Finished {
  readonly principal: string;
  outcome: Outcome;
  bytes: number;
}

export interface FinishedCallsOptions {
  readonly failures: Failures;
  readonly caps: Caps;
  readonly clock: Clock;
  /** How long a call is remembered. */
  readonly keepMs: number;
}

/** What became of parked calls, for retries that come late or twice: as long as one is known here, nothing of it is carried out again (PROTOCOL D). */
export class FinishedCalls {
  readonly #options: FinishedCallsOptions;
  readonly #calls: Bounded<string, Finished>;
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: FinishedCallsOptions) {
    const { failures, caps, keepMs } = options;
    this.#options = options;
    this.#calls = new Bounded({
      name: `upstream_parked_results:${failures.server}`,
      cap: MAX_CALLS,
      caps,
      full: 'evict',
      idleMs: keepMs,
      onDrop: ({ bytes }) => (this.#bytes -= bytes),
    });
  }

  get size(): number {
    return this.#calls.size;
  }

  keep(id: string, principal: string, outcome: Outcome): void {
    const bytes = sizeOf(outcome);
    const finished: Finished = bytes > MAX_RESULT ? { principal, outcome: this.#expired(), bytes: 0 } : { principal, outcome, bytes };
    this.#calls.set(id, finished, this.#options.clock.now());
    this.#bytes += finished.bytes;
    if (this.#bytes > MAX_BYTES) this.#forgetResults();
    this.#timer ??= setInterval(() => this.#sweep(), Math.min(SWEEP_MS, this.#options.keepMs));
  }

  /** What became of the call; undefined unless it is one of this principal's. */
  outcome(id: string, principal: string): Outcome | undefined {
    const finished = this.#calls.peek(id);
    return finished?.principal === principal ? finished.outcome : undefined;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#calls.clear();
    this.#bytes = 0;
    this.#options.caps.remove(this.#calls);
  }

  #expired(): Outcome {
    return { kind: 'failed', failure: this.#options.failures.refused('has answered, but its result expired', 'unknown').failure };
  }

  /** The oldest results go first; that their calls have ended stays known. */
  #forgetResults(): void {
    for (const finished of this.#calls.values()) {
      if (this.#bytes <= MAX_BYTES / 2) return;
      this.#bytes -= finished.bytes;
      finished.outcome = this.#expired();
      finished.bytes = 0;
    }
  }

  #sweep(): void {
    this.#calls.sweep(this.#options.clock.now());
    if (this.#calls.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

function sizeOf(outcome: Outcome): number {
  if ('result' in outcome) return outcome.result.text.length;
  return outcome.kind === 'error' ? JSON.stringify(outcome.error).length : 0;
}
