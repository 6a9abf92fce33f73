import type { Kysely } from 'kysely';
import {
  isObject,
  jsonText,
  memberOf,
  RPC,
  rpcError,
  type Announcement,
  type Call,
  type Interest,
  type JsonText,
  type Listening,
  type Outcome,
} from '../../protocol/index.ts';
import { randomText, type Caps, type Clock } from '../../shared/index.ts';
import { outcomeOfReply } from '../calls.ts';
import type { Failures } from '../failures.ts';
import type { Limits } from '../limits.ts';
import type { ClientManagerTables } from '../tables.ts';
import { settledWithin } from '../waiting.ts';
import { MintedTask } from './minted-task.ts';
import { createdText, detailedText, expiresAt, isTerminal, mintedId, stateOfEnd, type StoredTask, type TaskFacts } from './stored-task.ts';
import { failedWith, outcomeUnknown, type Ended } from './task-end.ts';
import { TaskPlaces } from './task-places.ts';
import { DatabaseTasks, MemoryTasks, type TaskStore } from './task-store.ts';
import { TaskWatchers } from './task-watchers.ts';

export interface TaskKeeperOptions {
  /** Where tasks are kept; without it they are forgotten with the process. */
  readonly db: Kysely<ClientManagerTables> | undefined;
  readonly clock: Clock;
  readonly caps: Caps;
  readonly limits: Limits;
  /** A task could not be read or written. */
  readonly onFault: (error: unknown) => void;
}

export interface MintRequest {
  readonly server: string;
  readonly principal: string;
  readonly tool: string;
  readonly failures: Failures;
  /** How long the call may take. */
  readonly deadlineMs: number;
  /** The client's, until it is answered. */
  readonly signal: AbortSignal;
  /** Carries out the call. */
  readonly run: (task: MintedTask) => Promise<Ended>;
  readonly onEnd: (task: MintedTask, status: string) => void;
}

const MAX_TTL_MS = 24 * 3_600_000;
const SWEEP_MS = 60_000;
const STOP_MS = 5_000;
/** When it is worth while to try again at a gateway that shuts down. */
const AGAIN_MS = 5_000;
/** 130 bits. */
const ID_LENGTH = 26;
const NEVER = new AbortController().signal;

/** The message is that of the gateway for ids that are not ours: nobody learns whose tasks there are. */
const NOT_FOUND: Outcome = {
  kind: 'error',
  error: rpcError(RPC.invalidParams, 'Task not found: params.taskId is not of a task that was made here, or the task has expired.'),
};
const DONE: Outcome = { kind: 'complete', result: jsonText({ resultType: 'complete' }) };

/** The tasks that this process mints (PROTOCOL A3): one durable write before a client hears of a task, and one when it ends. */
export class TaskKeeper {
  readonly #options: TaskKeeperOptions;
  readonly #store: TaskStore;
  /** Ends that the store did not take. */
  readonly #unwritten = new MemoryTasks();
  readonly #running = new Map<string, MintedTask>();
  readonly #places: TaskPlaces;
  readonly #watchers: TaskWatchers;
  readonly #work = new Set<Promise<void>>();
  /** Another start is another owner: what a process before this one ran is lost. */
  readonly #owner = randomText(ID_LENGTH);
  #timer: NodeJS.Timeout | undefined;
  #stopping = false;
  /** Looks whether nothing is at work any more, for `drain`. */
  #look: () => void = () => undefined;

  constructor(options: TaskKeeperOptions) {
    const { db, caps, limits } = options;
    this.#options = options;
    this.#store = db === undefined ? new MemoryTasks() : new DatabaseTasks(db);
    this.#places = new TaskPlaces(caps, limits);
    this.#watchers = new TaskWatchers(caps, { cap: limits.maxFollowed, pollMs: limits.taskPollMs });
  }

  /** Forgets what expired while no process ran. Never rejects. */
  async start(): Promise<void> {
    await this.#expire();
  }

  /** Makes no more tasks. Resolves once nothing is at work any more, or after `ms`; tasks whose client is asked are not waited for. Never rejects. */
  async drain(ms: number): Promise<void> {
    this.#stopping = true;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#look = () => {
      for (const { state } of this.#running.values()) if (state.status === 'working') return;
      resolve();
    };
    this.#look();
    await settledWithin(promise, ms, NEVER);
  }

  /** Ends what runs, as `outcome_unknown`, and writes that. Never rejects. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#timer);
    for (const task of this.#running.values()) task.abort();
    await settledWithin(Promise.all(this.#work), STOP_MS, NEVER);
    this.#places.stop();
    this.#watchers.stop();
  }

  /** Makes a task of a call and answers with it; the call then runs in the background. Never rejects. */
  async mint(request: MintRequest): Promise<Outcome> {
    const { failures, signal, server, principal, tool, deadlineMs } = request;
    const { clock, limits } = this.#options;
    if (this.#stopping) return outcomeOfReply(failures.unavailable('the gateway is shutting down', undefined, AGAIN_MS));
    const ttlMs = Math.min(MAX_TTL_MS, Math.max(limits.taskTtlMs, 2 * deadlineMs));
    const facts: TaskFacts = { id: mintedId(randomText(ID_LENGTH)), server, principal, tool, createdAt: clock.now(), ttlMs };
    const full = this.#places.take(facts);
    if (full !== undefined) return outcomeOfReply(failures.busy(full));
    const onChange = (): void => {
      this.#watchers.soon(task);
      this.#look();
    };
    const task: MintedTask = new MintedTask({ facts, clock, askBytes: limits.frameBytes, onChange });
    this.#timer ??= setInterval(() => void this.#expire(), Math.min(SWEEP_MS, limits.taskTtlMs)).unref();
    const created = createdText(facts, task.state, limits.taskPollMs);
    const problem = await this.#insert(task, failures, signal);
    if (problem !== undefined) return problem;
    this.#running.set(facts.id, task);
    const work = this.#carry(task, request);
    this.#work.add(work);
    void work.then(() => this.#work.delete(work));
    return { kind: 'task', result: created };
  }

  /** `tasks/get`, `tasks/update` or `tasks/cancel` of a task of ours. Never rejects. */
  async handle(call: Call, server: string): Promise<Outcome> {
    const id = call.subject?.value ?? '';
    let found: StoredTask | undefined;
    try {
      [found] = await this.#find([id], server, call.caller.principal);
    } catch (error) {
      this.#options.onFault(error);
      const message = 'The task could not be read. Try again in a moment.';
      return { kind: 'failed', failure: { code: 'internal_error', message, executed: 'no', detail: error } };
    }
    if (found === undefined) return NOT_FOUND;
    if (call.method === 'tasks/get')
      return { kind: 'complete', result: detailedText(found.facts, found.state, this.#options.limits.taskPollMs) };
    const running = this.#running.get(id);
    if (call.method === 'tasks/cancel') {
      running?.cancel();
      return DONE;
    }
    const answers = answersOf(call);
    if (answers === undefined) return { kind: 'error', error: rpcError(RPC.invalidParams, 'params.inputResponses must be an object.') };
    running?.update(answers);
    return DONE;
  }

  /** Tells of each state of these tasks, as far as they are this principal's. */
  watch(ids: readonly string[], server: string, principal: string, tell: (announcement: Announcement) => void): Listening {
    const { limits, onFault } = this.#options;
    const watcher = { server, principal, tell };
    const watched = this.#watchers.add(ids, watcher);
    const honoured = async (): Promise<Interest> => {
      try {
        const tasks = await this.#find(watched, server, principal);
        // What has ended already would not be told any more.
        for (const { facts, state } of tasks)
          if (isTerminal(state)) this.#watchers.tell(watcher, facts.id, detailedText(facts, state, limits.taskPollMs));
        return { uris: [], taskIds: tasks.map(({ facts }) => facts.id) };
      } catch (error) {
        onFault(error);
        return { uris: [], taskIds: [] };
      }
    };
    return { honoured: honoured(), close: () => this.#watchers.remove(watched, watcher) };
  }

  async #insert(task: MintedTask, failures: Failures, signal: AbortSignal): Promise<Outcome | undefined> {
    const { facts, state } = task;
    try {
      await this.#store.insert({ facts, owner: this.#owner, state });
    } catch (error) {
      this.#options.onFault(error);
      this.#places.leave(facts);
      this.#places.forget(facts.id);
      const message = 'The task could not be written down, so the call was not made. Try again in a moment.';
      return { kind: 'failed', failure: { code: 'internal_error', message, executed: 'no', detail: error } };
    }
    if (!signal.aborted && !this.#stopping) return undefined;
    task.cancel();
    await this.#finish(task, { end: { status: 'cancelled' }, message: 'Canceled before the call was sent.' });
    return outcomeOfReply(failures.canceled('no'));
  }

  /** Carries the call out to its end, which is written before anybody sees it. Never rejects. */
  async #carry(task: MintedTask, { run, onEnd }: MintRequest): Promise<void> {
    let ended: Ended;
    try {
      ended = await run(task);
    } catch (error) {
      this.#options.onFault(error);
      ended = outcomeUnknown(task.facts.server, 'There was an error in the gateway.');
    }
    await this.#finish(task, ended);
    this.#running.delete(task.facts.id);
    this.#look();
    onEnd(task, task.state.status);
    this.#watchers.now(task);
  }

  async #finish(task: MintedTask, { end, message }: Ended): Promise<void> {
    const { clock, onFault } = this.#options;
    const { facts } = task;
    const fits = end.status !== 'completed' || this.#places.keep(facts, Buffer.byteLength(end.result));
    const kept = fits ? { end, message } : failedWith({ code: 'result_too_large', message: NO_ROOM });
    const state = stateOfEnd(kept.end, kept.message, clock.now());
    const stored = { facts, owner: this.#owner, state };
    try {
      await this.#store.finish(stored);
    } catch (error) {
      onFault(error);
      await this.#unwritten.finish(stored);
    }
    task.end(state);
    this.#places.leave(facts);
  }

  async #find(ids: readonly string[], server: string, principal: string): Promise<StoredTask[]> {
    const running = ids.flatMap((id) => this.#running.get(id) ?? []);
    const known: StoredTask[] = running.map(({ facts, state }) => ({ facts, owner: this.#owner, state }));
    known.push(...(await this.#unwritten.find(ids)));
    const seen = new Set(known.map(({ facts }) => facts.id));
    const others = ids.filter((id) => !seen.has(id));
    if (others.length > 0) known.push(...(await this.#store.find(others)).map((task) => this.#judged(task)));
    const now = this.#options.clock.now();
    return known.filter(({ facts }) => facts.server === server && facts.principal === principal && now < expiresAt(facts));
  }

  /** A task that nobody here runs, and that did not end, was lost with its process. */
  #judged(task: StoredTask): StoredTask {
    if (isTerminal(task.state)) return task;
    const { end, message } = outcomeUnknown(task.facts.server, 'The gateway that ran this task has ended.');
    return { ...task, state: stateOfEnd(end, message, task.state.updatedAt) };
  }

  async #expire(): Promise<void> {
    const { clock, onFault } = this.#options;
    const now = clock.now();
    for (const task of this.#running.values()) if (expiresAt(task.facts) <= now) task.abort();
    for (const id of this.#places.expired(now)) if (!this.#running.has(id)) this.#places.forget(id);
    try {
      await this.#unwritten.expire(now);
      await this.#store.expire(now);
    } catch (error) {
      onFault(error);
    }
  }
}

const NO_ROOM = 'The results of tasks that are kept take all the room there is for them. The call was carried out; its result is lost.';

function answersOf({ params }: Call): JsonText | undefined {
  const value = params?.value.inputResponses;
  const member = params && memberOf(params.span, 'inputResponses');
  return params !== undefined && member !== undefined && isObject(value)
    ? { text: params.text.slice(member.start, member.end), value }
    : undefined;
}
