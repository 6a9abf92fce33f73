import {
  inputRequestsOf,
  inputResponses,
  isObject,
  memberOf,
  objectSpan,
  outcomeOf,
  type Ask,
  type Call,
  type CallContext,
  type JsonText,
  type Outcome,
  type RpcError,
  type Target,
} from '../../protocol/index.ts';
import { sleep } from '../../shared/index.ts';
import { outcomeOfReply } from '../calls.ts';
import type { Failures } from '../failures.ts';
import type { Limits } from '../limits.ts';
import { askAll, type AskOne } from './asking.ts';
import { taskCall } from './task-calls.ts';

export interface HeldTaskOptions {
  readonly target: Target;
  readonly failures: Failures;
  readonly limits: Pick<Limits, 'parkMs'>;
  /** How long the server may take, in milliseconds; time in which the client is asked does not count. */
  readonly budgetMs: number;
  readonly call: Call;
  readonly context: CallContext;
  readonly ask: AskOne | undefined;
  /** Hears the server's status messages. */
  readonly onMessage: (message: unknown) => void;
}

/** Between two looks at a task, whatever its server wishes. */
const MIN_POLL_MS = 50;
const MAX_POLL_MS = 10_000;
const POLL_MS = 1_000;
const CANCEL_MS = 5_000;
/** Questions of one task, at most. */
const MAX_ASKS = 1_000;
/** Looks that may fail in a row: the server may be connecting anew. */
const MAX_MISSED = 5;

/** A task of a modern server whose call is held until the task has ended (PROTOCOL C6). */
export class HeldTask {
  readonly #options: HeldTaskOptions;
  readonly #id: string;
  readonly #asked = new Set<string>();
  #leftMs: number;
  #missed = 0;

  constructor(id: string, options: HeldTaskOptions) {
    this.#id = id;
    this.#options = options;
    this.#leftMs = options.budgetMs;
  }

  /** Looks at the task until it has ended; one that is given up is canceled. `created` is what its call was answered. Never rejects. */
  async follow(created: JsonText): Promise<Outcome> {
    let seen = created;
    for (;;) {
      const waitMs = pollOf(seen);
      const problem = await this.#pause(waitMs);
      const outcome = problem ?? (await this.#look());
      if ('kind' in outcome) return outcome;
      seen = outcome;
    }
  }

  /** Waits for the next look; the outcome if there will be none. */
  async #pause(ms: number): Promise<Outcome | undefined> {
    const { failures, budgetMs, context } = this.#options;
    if (this.#leftMs <= 0) return this.#giveUp(outcomeOfReply(failures.deadline(budgetMs, 'unknown')));
    const begun = performance.now();
    await sleep(Math.min(ms, this.#leftMs), context.signal).catch(() => undefined);
    this.#leftMs -= performance.now() - begun;
    return context.signal.aborted ? this.#giveUp(outcomeOfReply(failures.canceled('unknown'))) : undefined;
  }

  /** One look: the task as it is, or what the call comes to. */
  async #look(): Promise<JsonText | Outcome> {
    const begun = performance.now();
    const outcome = await this.#request('tasks/get');
    this.#leftMs -= performance.now() - begun;
    if (outcome.kind === 'failed' && !this.#options.context.signal.aborted && ++this.#missed <= MAX_MISSED) return EMPTY;
    if (outcome.kind !== 'complete') return this.#lost(outcome);
    this.#missed = 0;
    const { value } = outcome.result;
    this.#options.onMessage(value.statusMessage);
    if (value.status === 'working') return outcome.result;
    if (value.status === 'input_required') return this.#answer(outcome.result);
    return this.#end(outcome.result);
  }

  /** The client is asked what it was not asked yet, and the server told. */
  async #answer(task: JsonText): Promise<JsonText | Outcome> {
    const { failures, limits, context, ask, call } = this.#options;
    const open = isObject(task.value.inputRequests) ? inputRequestsOf(task) : undefined;
    if (open === undefined || this.#asked.size + open.size > MAX_ASKS)
      return this.#giveUp(outcomeOfReply(failures.protocol('asked for input in a malformed way')));
    const asks = new Map<string, Ask>([...open].filter(([key]) => !this.#asked.has(key)));
    if (asks.size === 0) return task;
    for (const key of asks.keys()) this.#asked.add(key);
    const { signal } = context;
    const answers = await askAll({ asks, ask, offers: call.offers.value, failures, waitMs: limits.parkMs, signal });
    if ('kind' in answers) return this.#giveUp(answers);
    const told = await this.#request('tasks/update', inputResponses(answers));
    return told.kind === 'complete' ? task : this.#giveUp(this.#lost(told));
  }

  #end(task: JsonText): Outcome {
    const { failures } = this.#options;
    const { status, result, error } = task.value;
    if (status === 'cancelled') return outcomeOfReply(failures.refused('canceled its task', 'unknown'));
    if (status === 'completed' && isObject(result)) {
      const member = memberOf(objectSpan(task.text), 'result');
      const outcome = outcomeOf({ text: task.text.slice(member?.start, member?.end), value: result });
      if (outcome.kind === 'complete') return outcome;
    }
    if (status === 'failed' && isObject(error) && typeof error.code === 'number')
      return { kind: 'error', error: { ...error, message: String(error.message) } as RpcError };
    return outcomeOfReply(failures.protocol('told of its task in a malformed way'));
  }

  /** The call was carried out, whatever became of a later request: that one's "never left" is not the call's. */
  #lost(outcome: Outcome): Outcome {
    const { failures, context } = this.#options;
    if (context.signal.aborted) return this.#giveUp(outcomeOfReply(failures.canceled('unknown')));
    return outcomeOfReply(failures.outcomeUnknown('does not say what became of its task', outcome));
  }

  #giveUp(outcome: Outcome): Outcome {
    const { target, call } = this.#options;
    const signal = AbortSignal.timeout(CANCEL_MS);
    void target.handle({ ...taskCall(call, 'tasks/cancel', this.#id), deadlineMs: CANCEL_MS }, { signal, onEvent: () => undefined });
    return outcome;
  }

  /** Looks are no attempts: a record of one call could not hold them. */
  #request(method: 'tasks/get' | 'tasks/update', answers?: JsonText): Promise<Outcome> {
    const { target, call, context } = this.#options;
    return target.handle(taskCall(call, method, this.#id, answers), { signal: context.signal, onEvent: () => undefined });
  }
}

const EMPTY: JsonText = { text: '{}', value: {} };

function pollOf({ value }: JsonText): number {
  const { pollIntervalMs } = value;
  const wanted = typeof pollIntervalMs === 'number' && pollIntervalMs > 0 ? pollIntervalMs : POLL_MS;
  return Math.min(MAX_POLL_MS, Math.max(MIN_POLL_MS, wanted));
}
