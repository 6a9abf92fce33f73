/** What the tests of tasks share: managers with policies, and the requests of clients that take tasks. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  jsonText,
  type Announcement,
  type Call,
  type CallContext,
  type JsonObject,
  type Outcome,
  type Target,
} from '../../protocol/index.ts';
import { Registry } from '../../registry/index.ts';
import { Caps, systemClock, type Clock } from '../../shared/index.ts';
import type { Storage } from '../../storage/index.ts';
import { createClientManager, type Limits, type UpstreamConfig, type UpstreamEvent } from '../index.ts';
import { paramsOf } from '../test-kit.ts';
import type { ToolPolicy } from '../types.ts';
import { TASKS } from './task-calls.ts';

export { TASKS };
export const OFFERS: JsonObject = { ...TASKS, elicitation: {}, sampling: {} };

export interface Asker {
  readonly principal?: string;
  readonly offers?: JsonObject;
  readonly revision?: '2025-11-25' | '2026-07-28';
  readonly signal?: AbortSignal;
  readonly state?: string;
  readonly answers?: JsonObject;
  readonly ask?: CallContext['ask'];
}

export interface TasksKit {
  readonly caps: Caps;
  readonly events: UpstreamEvent[];
  target(server?: string): Target;
  tool(name: string, args?: JsonObject, as?: Asker): Promise<Outcome>;
  /** A tool call that must become a task: its id. */
  mint(name: string, args?: JsonObject, as?: Asker): Promise<string>;
  /** `tasks/<verb>` of a task. */
  task(verb: 'get' | 'update' | 'cancel', id: string, more?: JsonObject, as?: Asker & { readonly server?: string }): Promise<Outcome>;
  /** The task as `tasks/get` shows it. */
  seen(id: string): Promise<JsonObject>;
  /** Waits until the task has this status. */
  until(id: string, ...status: string[]): Promise<JsonObject>;
  /** What is announced of these tasks, and what was honoured of them. */
  listen(ids: readonly string[], principal?: string): Promise<{ honoured: readonly string[]; told: JsonObject[]; close: () => void }>;
  gauge(name: string): number | undefined;
  drain(ms: number): Promise<void>;
  stop(): Promise<void>;
}

export interface KitOptions {
  readonly limits?: Partial<Limits>;
  readonly clock?: Clock;
  readonly storage?: Storage;
}

export const policy = (tasks: ToolPolicy['tasks']): ToolPolicy => ({ tasks, requires: {} });
/** The same policy for many tools. */
export const policies = (tasks: ToolPolicy['tasks'], ...tools: string[]): Record<string, ToolPolicy> =>
  Object.fromEntries(tools.map((tool) => [tool, policy(tasks)]));

export async function tasksKit(servers: readonly UpstreamConfig[], options: KitOptions = {}): Promise<TasksKit> {
  const childrenDir = await mkdtemp(join(tmpdir(), 'tasks-'));
  const caps = new Caps();
  const events: UpstreamEvent[] = [];
  const manager = createClientManager({
    servers,
    registry: new Registry(),
    caps,
    clock: options.clock ?? systemClock,
    gateway: { name: 'gateway', version: '1.2.3' },
    childrenDir,
    storage: options.storage,
    limits: { backoffFirstMs: 50, backoffMaxMs: 200, closeMs: 300, termMs: 300, leaseGraceMs: 50, ...options.limits },
    onEvent: (event) => events.push(event),
  });
  await manager.start();
  const target = (server = servers[0]?.name ?? ''): Target => manager.target(server) as Target;
  const send = (server: string | undefined, call: Call, { signal, ask }: Asker): Promise<Outcome> =>
    target(server).handle(call, { signal: signal ?? new AbortController().signal, onEvent: () => undefined, ask });
  const tool: TasksKit['tool'] = (name, args = {}, as = {}) => send(undefined, callOf('tools/call', { name, arguments: args }, as), as);
  const task: TasksKit['task'] = (verb, id, more = {}, as = {}) => {
    const call = callOf(`tasks/${verb}`, { taskId: 'what the client sent', ...more }, as);
    return send(as.server, { ...call, subject: { member: 'taskId', value: id } }, as);
  };
  const seen = async (id: string): Promise<JsonObject> => {
    // Looking at a task in memory takes no turn of the event loop: who looks again and again must leave it one.
    await new Promise((resolve) => setImmediate(resolve));
    const outcome = await task('get', id);
    if (outcome.kind !== 'complete') throw new Error(`not a task: ${JSON.stringify(outcome)}`);
    return JSON.parse(outcome.result.text) as JsonObject;
  };
  return {
    caps,
    events,
    target,
    tool,
    task,
    ...watching({ target, tool, seen }),
    gauge: (name) => caps.list().find((gauge) => gauge.name === name)?.size,
    drain: (ms) => manager.drain(ms),
    async stop() {
      await manager.stop();
      await rm(childrenDir, { recursive: true, force: true });
    },
  };
}

type Basics = Pick<TasksKit, 'target' | 'tool' | 'seen'>;

/** What tests do with tasks besides single requests. */
function watching({ target, tool, seen }: Basics): Pick<TasksKit, 'seen' | 'mint' | 'until' | 'listen'> {
  return {
    seen,
    async mint(...call) {
      const outcome = await tool(...call);
      if (outcome.kind !== 'task') throw new Error(`not a task: ${JSON.stringify(outcome)}`);
      return outcome.result.value.taskId as string;
    },
    async until(id, ...statuses) {
      for (;;) {
        const found = await seen(id);
        if (statuses.includes(String(found.status))) return found;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
    async listen(ids, principal = 'ann') {
      const told: JsonObject[] = [];
      const hear = ({ params }: Announcement): void => void told.push(params.value);
      const listening = target().listen?.({ uris: [], taskIds: ids }, { principal, scopes: new Set() }, hear);
      const honoured = await listening?.honoured;
      return { honoured: honoured?.taskIds ?? [], told, close: () => listening?.close() };
    },
  };
}

function callOf(method: string, params: JsonObject, as: Asker): Call {
  const offers = as.offers ?? OFFERS;
  return {
    method,
    params: paramsOf(JSON.stringify(params)),
    subject: undefined,
    sideEffect: 'write',
    edits: [],
    headerParams: [],
    client: { revision: as.revision ?? '2026-07-28', info: undefined, capabilities: offers },
    caller: { principal: as.principal ?? 'ann', scopes: new Set() },
    offers: jsonText(offers),
    state: as.state,
    answers: as.answers === undefined ? undefined : jsonText(as.answers),
    logLevel: undefined,
    progress: false,
    deadlineMs: 15_000,
  };
}

/** The text of a tool's result. */
export const textOf = (result: unknown): unknown => (result as { content: { text: string }[] }).content[0]?.text;
