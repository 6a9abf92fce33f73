import { createHash } from 'node:crypto';
import {
  canonicalJson,
  isModernRevision,
  missingCapability,
  type Announcement,
  type Call,
  type CallContext,
  type Caller,
  type Interest,
  type Listening,
  type Outcome,
  type Target,
} from '../../protocol/index.ts';
import { Bounded, type Caps, type Clock } from '../../shared/index.ts';
import type { Emit } from '../events.ts';
import type { Failures } from '../failures.ts';
import { LegacyCalls } from '../leases/legacy-calls.ts';
import type { Limits } from '../limits.ts';
import { PassingTarget } from '../passing-target.ts';
import type { ToolPolicy, UpstreamConfig } from '../types.ts';
import { HeldCalls } from './held-calls.ts';
import type { TaskKeeper } from './keeper.ts';
import type { MintedTask } from './minted-task.ts';
import { inRounds } from './rounds.ts';
import { isMintedId } from './stored-task.ts';
import { speaksTasks, TASKS, withoutTasks } from './task-calls.ts';
import { endOf, type Ended } from './task-end.ts';

/** What calls are carried out by. */
export interface MintingInner extends Target {
  /** True for the next round of a call that goes on with it: everything that was asked is answered, as far as anybody can tell. */
  completes(call: Call): boolean;
}

export interface MintingTargetOptions {
  readonly config: UpstreamConfig;
  readonly inner: MintingInner;
  readonly keeper: TaskKeeper;
  readonly failures: Failures;
  readonly limits: Limits;
  readonly caps: Caps;
  readonly clock: Clock;
  readonly emit: Emit;
  /** True while the server makes tasks itself. */
  readonly makesTasks: () => boolean;
}

type Tasks = ToolPolicy['tasks'];

/** Retries of a round whose answer was lost get the same task for so long. */
const REPEAT_MS = 15 * 60_000;
const MAX_REPEATS = 10_000;

/**
 * A server whose tools are called as tasks where its operator says so and the client takes them (PROTOCOL A3), and whose own tasks are
 * waited for where the client takes none (C6). Everything else passes.
 */
export class MintingTarget extends PassingTarget {
  readonly #options: MintingTargetOptions;
  /** By the server's own tool name; without those that never become tasks. */
  readonly #policies: ReadonlyMap<string, Tasks>;
  readonly #held: HeldCalls;
  /** Tasks by the round that began them. */
  readonly #rounds: Bounded<string, Promise<Outcome>>;

  constructor(options: MintingTargetOptions) {
    super(options.inner);
    const { config, inner, caps } = options;
    this.#options = options;
    const policies = Object.entries(config.tools).map(([name, { tasks }]) => [name, tasks] as const);
    this.#policies = new Map(policies.filter(([, tasks]) => tasks !== 'never'));
    this.#held = new HeldCalls({ ...options, server: config.name, target: inner, deadlineMs: config.deadlineMs });
    this.#rounds = new Bounded({ name: `upstream_task_rounds:${config.name}`, cap: MAX_REPEATS, caps, full: 'evict', idleMs: REPEAT_MS });
  }

  handle(call: Call, context: CallContext): Promise<Outcome> {
    const { keeper, config } = this.#options;
    if (call.method === 'tools/call') return this.#callTool(call, context);
    const { subject } = call;
    if (subject?.member === 'taskId' && isMintedId(subject.value)) return keeper.handle(call, config.name);
    return this.inner.handle(call, context);
  }

  override listen(interest: Interest, caller: Caller, onAnnouncement: (announcement: Announcement) => void): Listening {
    const { keeper, config } = this.#options;
    const minted = interest.taskIds.filter(isMintedId);
    const others = minted.length === 0 ? interest : { ...interest, taskIds: interest.taskIds.filter((id) => !isMintedId(id)) };
    const own = minted.length === 0 ? undefined : keeper.watch(minted, config.name, caller.principal, onAnnouncement);
    const wanted = own === undefined || others.uris.length + others.taskIds.length > 0;
    const theirs = wanted ? this.inner.listen?.(others, caller, onAnnouncement) : undefined;
    if (own === undefined && theirs !== undefined) return theirs;
    return {
      honoured: Promise.all([own?.honoured, theirs?.honoured]).then(([mine, rest]) => ({
        uris: rest?.uris ?? [],
        taskIds: [...(mine?.taskIds ?? []), ...(rest?.taskIds ?? [])],
      })),
      close() {
        own?.close();
        theirs?.close();
      },
    };
  }

  stop(): void {
    this.#held.stop();
    this.#rounds.clear();
    this.#options.caps.remove(this.#rounds);
  }

  #callTool(call: Call, context: CallContext): Promise<Outcome> {
    const modern = isModernRevision(call.client.revision);
    const policy = this.#policies.size === 0 ? undefined : this.#policies.get(toolOf(call));
    if (policy !== undefined && modern && speaksTasks(call)) return this.#byPolicy(policy, call, context);
    if (policy === 'required') return Promise.resolve({ kind: 'error', error: missingCapability(TASKS) });
    return modern ? this.inner.handle(call, context) : this.#held.run(call, context);
  }

  #byPolicy(policy: Tasks, call: Call, context: CallContext): Promise<Outcome> {
    const { clock } = this.#options;
    const retry = call.state !== undefined || call.answers !== undefined;
    // A round of a call that began without a task ends as it began.
    if (policy !== 'after_input') return retry ? this.inner.handle(call, context) : this.#mint(call, context);
    const round = retry ? roundOf(call) : undefined;
    const before = round === undefined ? undefined : this.#rounds.peek(round);
    if (before !== undefined) return before;
    if (!retry || !this.inner.completes(call)) return this.inner.handle(call, context);
    const minted = this.#mint(call, context);
    if (round === undefined) return minted;
    const now = clock.now();
    this.#rounds.sweep(now);
    this.#rounds.set(round, minted, now);
    return minted.then((outcome) => {
      if (outcome.kind !== 'task') this.#rounds.delete(round);
      return outcome;
    });
  }

  #mint(call: Call, { signal }: CallContext): Promise<Outcome> {
    const { config, keeper, failures, emit } = this.#options;
    const tool = toolOf(call);
    const begun = performance.now();
    return keeper.mint({
      server: config.name,
      principal: call.caller.principal,
      tool,
      failures,
      deadlineMs: config.deadlineMs,
      signal,
      run: (task) => this.#run(call, task),
      onEnd: ({ attempts }, status) => emit({ kind: 'task_ended', tool, status, attempts, durationMs: performance.now() - begun }),
    });
  }

  /** The call in the background: as long as its server may take, whatever the request that began it would have waited. */
  async #run(call: Call, task: MintedTask): Promise<Ended> {
    const { config, failures, limits } = this.#options;
    const background = { ...withoutTasks(call), progress: true, logLevel: undefined, deadlineMs: config.deadlineMs };
    const held = { askOne: task.ask, onMessage: task.say };
    const outcome = await inRounds({
      call: background,
      context: { signal: task.signal, onEvent: task.tell, ask: task.ask },
      ask: task.ask,
      failures,
      askMs: limits.parkMs,
      run: (one, context) => this.#held.run(one, { ...context, ...held }),
      via: () => task.via,
    });
    const { via, canceled } = task;
    return endOf(outcome, { server: config.name, via, canceled, maxBytes: limits.taskResultBytes });
  }
}

const toolOf = ({ subject, params }: Call): string => subject?.value ?? String(params?.value.name);

/** What tells one round of a parked call from all others; undefined where a state may not be its call's alone. */
function roundOf({ caller, state, answers }: Call): string | undefined {
  if (state === undefined || !LegacyCalls.owns(state)) return undefined;
  return createHash('sha256')
    .update(canonicalJson([caller.principal, state, answers?.value ?? null]))
    .digest('base64');
}
