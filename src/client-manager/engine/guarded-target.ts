import type { Call, CallContext, Failure, Outcome } from '../../protocol/index.ts';
import { sleep, type Caps } from '../../shared/index.ts';
import { Backoff } from '../backoff.ts';
import { outcomeOfReply } from '../calls.ts';
import type { Emit } from '../events.ts';
import type { Failures } from '../failures.ts';
import { PassingTarget } from '../passing-target.ts';
import type { MintingInner } from '../tasks/minting-target.ts';
import { settledWithin } from '../waiting.ts';
import { Breaker, DEFAULT_BREAKER, type BreakerState } from './breaker.ts';
import { Flights, mayShare, type Flight } from './flights.ts';
import { Gate } from './gate.ts';
import { mayRepeat, signOf } from './retries.ts';

export interface GuardedTargetOptions {
  readonly server: string;
  readonly inner: MintingInner;
  readonly failures: Failures;
  readonly caps: Caps;
  readonly emit: Emit;
  readonly policy: EnginePolicy;
  /** For tests: milliseconds on a clock that never goes back, numbers in [0, 1), and a wait. */
  readonly now?: () => number;
  readonly random?: () => number;
  readonly pause?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** What an operator says of calls to one server. */
export interface EnginePolicy {
  /** Calls at once, and calls that wait for a place. */
  readonly maxInFlight: number;
  readonly maxQueued: number;
  /** How often a read, or an idempotent write with its key, is tried again; a write that never left is tried once more. */
  readonly retries: number;
  /** Milliseconds before the first repetition; each further one doubles it. */
  readonly retryFirstMs: number;
  readonly retryMaxMs: number;
  /** Reads of one server that others may wait for. */
  readonly maxShared: number;
  /** Every caller may get the same answer. */
  readonly shared: boolean;
}

export const DEFAULT_ENGINE = { retries: 2, retryFirstMs: 100, retryMaxMs: 2_000, maxShared: 1_000, shared: false } as const;

/**
 * How calls to one server are carried out: no more at once than it takes, none while it fails, the same question of the same caller once,
 * and again where that can do no harm (DESIGN 5, PROTOCOL A8).
 */
export class GuardedTarget extends PassingTarget {
  readonly #options: GuardedTargetOptions;
  readonly #gate: Gate;
  readonly #breaker: Breaker;
  readonly #flights: Flights;
  readonly #now: () => number;

  constructor(options: GuardedTargetOptions) {
    super(options.inner);
    const { server, policy, caps, emit } = options;
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#gate = new Gate({ server, running: policy.maxInFlight, queued: policy.maxQueued, caps });
    this.#flights = new Flights({ max: policy.maxShared, shared: policy.shared });
    const onChange = (state: BreakerState): void => emit({ kind: 'breaker', state });
    this.#breaker = new Breaker({ ...DEFAULT_BREAKER, now: this.#now, onChange });
  }

  get breaker(): BreakerState {
    return this.#breaker.state;
  }

  /** The server was reached anew: what it did before counts no more. */
  connected(): void {
    this.#breaker.reset();
  }

  stop(): void {
    this.#gate.stop();
  }

  handle(call: Call, context: CallContext): Promise<Outcome> {
    const expiresAt = this.#now() + call.deadlineMs;
    return mayShare(call) ? this.#shared(call, context, expiresAt) : this.#repeated(call, context, expiresAt);
  }

  /** Asks with whoever asks the same now. */
  async #shared(call: Call, context: CallContext, expiresAt: number): Promise<Outcome> {
    const known = this.#flights.find(call);
    const outcome = known === undefined ? undefined : await this.#follow(known, context, expiresAt);
    if (outcome !== undefined) return outcome;
    const land = this.#flights.begin(call);
    if (land === undefined) return this.#repeated(call, context, expiresAt);
    try {
      const own = await this.#repeated(call, context, expiresAt);
      land(mayTell(own) ? own : undefined);
      return own;
    } catch (error) {
      land(undefined);
      throw error;
    }
  }

  /** The outcome of another's call; undefined where it is of no use here. */
  async #follow(flight: Flight, { signal }: CallContext, expiresAt: number): Promise<Outcome | undefined> {
    const leftMs = expiresAt - this.#now();
    const ended = await settledWithin(flight.outcome, leftMs, signal);
    const { failures } = this.#options;
    if (ended === 'canceled') return outcomeOfReply(failures.canceled('no'));
    if (ended === 'late') return outcomeOfReply(failures.deadline(leftMs, 'no'));
    return ended;
  }

  async #repeated(call: Call, context: CallContext, expiresAt: number): Promise<Outcome> {
    const { policy, pause = sleep, random } = this.#options;
    const first = await this.#admitted(call, context, expiresAt);
    if (first.kind !== 'failed' || policy.retries === 0 || !mayRepeat(call, first.failure)) return first;
    const backoff = new Backoff({ firstMs: policy.retryFirstMs, maxMs: policy.retryMaxMs }, random);
    const times = call.sideEffect === 'write' ? 1 : policy.retries;
    let failure: Failure = first.failure;
    let outcome: Outcome = first;
    for (let again = 0; again < times && mayRepeat(call, failure); again++) {
      const waitMs = Math.max(backoff.next(), failure.retryAfterMs ?? 0);
      if (context.signal.aborted || this.#now() + waitMs >= expiresAt) return outcome;
      try {
        await pause(waitMs, context.signal);
      } catch {
        return outcomeOfReply(this.#options.failures.canceled(failure.executed));
      }
      outcome = await this.#admitted(call, context, expiresAt);
      if (outcome.kind !== 'failed') return outcome;
      failure = outcome.failure;
    }
    return outcome;
  }

  /** One attempt, once there is a place for it. */
  #admitted(call: Call, context: CallContext, expiresAt: number): Promise<Outcome> {
    const waitMs = this.#breaker.enter(call.sideEffect === 'read');
    if (waitMs > 0) return Promise.resolve(outcomeOfReply(this.#options.failures.unavailable(LEFT_ALONE, undefined, waitMs)));
    const { epoch } = this.#breaker;
    return this.#gate.enter() ? this.#carriedOut(call, context, expiresAt, epoch) : this.#afterQueue(call, context, expiresAt, epoch);
  }

  async #carriedOut(call: Call, context: CallContext, expiresAt: number, epoch: number): Promise<Outcome> {
    try {
      const left = Math.max(1, expiresAt - this.#now());
      const outcome = await this.inner.handle(left > call.deadlineMs - LITTLE_MS ? call : { ...call, deadlineMs: left }, context);
      this.#judge(outcome, epoch);
      return outcome;
    } finally {
      this.#gate.leave();
      // Without effect where the outcome said something.
      this.#breaker.left(epoch);
    }
  }

  async #afterQueue(call: Call, context: CallContext, expiresAt: number, epoch: number): Promise<Outcome> {
    const refused = await this.#queued(call, context, expiresAt);
    if (refused === undefined) return this.#carriedOut(call, context, expiresAt, epoch);
    this.#breaker.left(epoch);
    return refused;
  }

  async #queued(call: Call, { signal }: CallContext, expiresAt: number): Promise<Outcome | undefined> {
    const { failures, policy } = this.#options;
    const leftMs = expiresAt - this.#now();
    const waited = await this.#gate.wait(call.caller.principal, leftMs, signal);
    if (waited === 'go') return undefined;
    if (waited === 'canceled') return outcomeOfReply(failures.canceled('no'));
    if (waited === 'late') return outcomeOfReply(failures.deadline(leftMs, 'no'));
    const waiting = policy.maxQueued === 0 ? '' : ` and ${policy.maxQueued} wait`;
    return outcomeOfReply(failures.busy(`${policy.maxInFlight} calls are under way${waiting}, which is its limit`));
  }

  #judge(outcome: Outcome, epoch: number): void {
    const sign = signOf(outcome);
    if (sign === 'well') this.#breaker.succeeded(epoch);
    else if (sign === 'ill') this.#breaker.failed(epoch);
  }
}

const LEFT_ALONE = 'its last calls failed, so it is left alone for a moment';
/** Time that has passed and changes nothing. */
const LITTLE_MS = 5;

/** What one caller's call came to is another's answer only if it was one. */
function mayTell(outcome: Outcome): boolean {
  return outcome.kind === 'complete' || outcome.kind === 'error';
}
