import { inputRequestsOf, isObject, objectSpan, spliceObject, type Era, type JsonText } from '../protocol/index.ts';
import type { Registry } from '../registry/index.ts';
import type { Sealer } from '../security/index.ts';
import { shownRequests } from './asking.ts';
import type { Endpoint } from './endpoints.ts';
import type { Uris } from './frame.ts';

/** A task as its server knows it, and whose it is. */
export interface TaskRef {
  readonly server: string;
  readonly era: Era;
  /** The server's own task id. */
  readonly id: string;
  /** Id of the principal whose call made the task. */
  readonly principal: string;
}

const PURPOSE = 'task';
/** What is longer than this is no id of ours: it is not even opened. */
const MAX_SEALED = 8192;

/** The id under which a client knows a task (PROTOCOL C5): the same text for the same task, as clients compare ids. */
export function sealTaskId(sealer: Sealer, { server, era, id, principal }: TaskRef): string {
  return sealer.sealStable(PURPOSE, JSON.stringify([server, era, principal, id]));
}

/** The task behind an id that a client sent; undefined for one that is not ours, or that belongs to another principal. */
export function openTaskId(sealer: Sealer, sealed: string, principal: string): Omit<TaskRef, 'principal'> | undefined {
  if (sealed.length > MAX_SEALED) return undefined;
  const plain = sealer.open(PURPOSE, sealed);
  if (plain === undefined) return undefined;
  const [server, era, owner, id] = JSON.parse(plain) as [string, Era, string, string];
  return owner === principal ? { server, era, id } : undefined;
}

/** Where a task is shown, and to whom. */
export interface TaskView {
  readonly sealer: Sealer;
  readonly registry: Registry;
  readonly uris: Uris;
  readonly endpoint: Endpoint;
  readonly server: string;
  /** Era in which the server told of it. */
  readonly era: Era;
  /** Id of the principal. */
  readonly principal: string;
}

/**
 * A task as an endpoint shows it: of a CreateTaskResult, a `tasks/get` result or the params of `notifications/tasks`. Its id is sealed; on an
 * endpoint of several servers the URIs of its result are wrapped and its asks name their server. Undefined for a task without an id, or with
 * one that is too long to seal.
 */
export function showTask(view: TaskView, task: JsonText): JsonText | undefined {
  const { taskId } = task.value;
  if (typeof taskId !== 'string') return undefined;
  const { sealer, registry, uris, endpoint, server, era, principal } = view;
  const id = sealTaskId(sealer, { server, era, id: taskId, principal });
  if (id.length > MAX_SEALED) return undefined;
  const shown = uris.wrapResultUris(endpoint, server, 'tasks/get', task, registry);
  const asks = isObject(shown.value.inputRequests) ? inputRequestsOf(shown) : undefined;
  const requests = asks && shownRequests(asks, endpoint, server);
  const edits: Record<string, string> = { taskId: JSON.stringify(id) };
  const value: Record<string, unknown> = { ...shown.value, taskId: id };
  if (requests !== undefined) {
    edits.inputRequests = requests;
    value.inputRequests = JSON.parse(requests);
  }
  return { text: spliceObject(shown.text, objectSpan(shown.text), edits), value };
}
