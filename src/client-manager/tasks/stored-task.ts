import { rpcErrorText, type JsonText, type RpcError } from '../../protocol/index.ts';

/** How a task ended (tasks extension, "Task Status"). Texts are JSON. */
export type TaskEnd =
  | { readonly status: 'completed'; readonly result: string }
  | { readonly status: 'failed'; readonly error: RpcError }
  | { readonly status: 'cancelled' };

/** What never changes about a task. Times in milliseconds since the epoch. */
export interface TaskFacts {
  readonly id: string;
  readonly server: string;
  /** Whose it is. */
  readonly principal: string;
  readonly tool: string;
  readonly createdAt: number;
  readonly ttlMs: number;
}

/** Where a task stands. */
export interface TaskState {
  readonly status: 'working' | 'input_required' | TaskEnd['status'];
  readonly message: string | undefined;
  readonly updatedAt: number;
  /** JSON texts by member, as the status has them: `inputRequests`, `result`, `error`. */
  readonly details: Readonly<Record<string, string>>;
}

/** A task as it is kept. */
export interface StoredTask {
  readonly facts: TaskFacts;
  /** The process that runs it. */
  readonly owner: string;
  readonly state: TaskState;
}

const PREFIX = 'minted:';

/** The id of a task of ours; anything else is a server's own. `random` has at least 128 bits (tasks extension, "Security Considerations"). */
export const mintedId = (random: string): string => PREFIX + random;
export const isMintedId = (id: string): boolean => id.startsWith(PREFIX);

export const expiresAt = ({ createdAt, ttlMs }: TaskFacts): number => createdAt + ttlMs;

export const isTerminal = ({ status }: TaskState): boolean => status !== 'working' && status !== 'input_required';

export function stateOfEnd(end: TaskEnd, message: string | undefined, updatedAt: number): TaskState {
  const { status } = end;
  if (status === 'completed') return { status, message, updatedAt, details: { result: end.result } };
  return { status, message, updatedAt, details: status === 'failed' ? { error: rpcErrorText(end.error) } : {} };
}

const iso = (time: number): string => new Date(time).toISOString();

function membersOf(facts: TaskFacts, state: TaskState, pollIntervalMs: number): Record<string, unknown> {
  return {
    taskId: facts.id,
    status: state.status,
    ...(state.message === undefined ? {} : { statusMessage: state.message }),
    createdAt: iso(facts.createdAt),
    lastUpdatedAt: iso(state.updatedAt),
    ttlMs: facts.ttlMs,
    pollIntervalMs,
  };
}

/** What a call is answered with that becomes a task (tasks extension, "Task Creation"). */
export function createdText(facts: TaskFacts, state: TaskState, pollIntervalMs: number): JsonText {
  const value = { resultType: 'task', ...membersOf(facts, state, pollIntervalMs) };
  return { text: JSON.stringify(value), value };
}

/** The whole task with what its status has (tasks extension, "DetailedTask"): of `tasks/get` and `notifications/tasks`. */
export function detailedText(facts: TaskFacts, state: TaskState, pollIntervalMs: number): JsonText {
  const own = membersOf(facts, state, pollIntervalMs);
  const details = Object.entries(state.details);
  const text = JSON.stringify(own);
  const more = details.map(([key, json]) => `,${JSON.stringify(key)}:${json}`).join('');
  const parsed = details.map(([key, json]) => [key, JSON.parse(json) as unknown] as const);
  return { text: `${text.slice(0, -1)}${more}}`, value: { ...own, ...Object.fromEntries(parsed) } };
}
