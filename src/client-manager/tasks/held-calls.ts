import type { Call, CallContext, Outcome, Target } from '../../protocol/index.ts';
import { Bounded, type Caps, type Clock } from '../../shared/index.ts';
import { outcomeOfReply } from '../calls.ts';
import type { Failures } from '../failures.ts';
import type { Limits } from '../limits.ts';
import type { AskOne } from './asking.ts';
import { HeldTask } from './held-task.ts';
import { needsTasks, withTasks } from './task-calls.ts';

export interface HeldCallsOptions {
  readonly server: string;
  readonly target: Target;
  readonly failures: Failures;
  readonly limits: Pick<Limits, 'parkMs'>;
  readonly caps: Caps;
  readonly clock: Clock;
  /** Longest that a call may take, in milliseconds. */
  readonly deadlineMs: number;
  /** True while the server is one that makes tasks. */
  readonly makesTasks: () => boolean;
}

export interface HeldContext extends CallContext {
  /** How its client is asked; that of the context unless it is given. */
  readonly askOne?: AskOne;
  readonly onMessage?: (message: unknown) => void;
}

/** Tools that are known to need tasks, at most. */
const MAX_TOOLS = 1_000;

/**
 * Calls of clients that do not poll tasks at a modern server whose tools may need them (PROTOCOL C6): where the server refuses a call for the
 * lack of the extension, we declare it, and hold the call until the task has ended.
 */
export class HeldCalls {
  readonly #options: HeldCallsOptions;
  readonly #tools: Bounded<string, true>;

  constructor(options: HeldCallsOptions) {
    this.#options = options;
    this.#tools = new Bounded({ name: `upstream_task_tools:${options.server}`, cap: MAX_TOOLS, caps: options.caps, full: 'evict' });
  }

  stop(): void {
    this.#tools.clear();
    this.#options.caps.remove(this.#tools);
  }

  /** The call's outcome, which is no task. Never rejects. */
  async run(call: Call, context: HeldContext): Promise<Outcome> {
    const { target, clock } = this.#options;
    const tool = call.subject?.value ?? String(call.params?.value.name);
    if (this.#tools.peek(tool) === undefined) {
      const outcome = await target.handle(call, context);
      // Refused before it was carried out: it may be sent again.
      if (!needsTasks(outcome) || !this.#options.makesTasks() || context.signal.aborted) return outcome;
      this.#tools.set(tool, true, clock.now());
    }
    const outcome = await target.handle(withTasks(call), context);
    return outcome.kind === 'task' ? this.#hold(call, context, outcome) : outcome;
  }

  async #hold(call: Call, context: HeldContext, { result }: Extract<Outcome, { kind: 'task' }>): Promise<Outcome> {
    const { target, failures, limits, deadlineMs } = this.#options;
    const { taskId } = result.value;
    if (typeof taskId !== 'string') return outcomeOfReply(failures.protocol('made a task without an id'));
    const budgetMs = Math.min(call.deadlineMs, deadlineMs);
    const ask = context.askOne ?? context.ask;
    const onMessage = context.onMessage ?? ((): void => undefined);
    return new HeldTask(taskId, { target, failures, limits, budgetMs, call, context, ask, onMessage }).follow(result);
  }
}
