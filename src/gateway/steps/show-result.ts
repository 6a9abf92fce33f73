import { lacking, TASKS_EXTENSION, type Outcome } from '../../protocol/index.ts';
import { brokenProtocol } from '../asking.ts';
import type { Frame, Services, Step } from '../frame.ts';
import { showTask } from '../task-ids.ts';

const TASKS = { extensions: { [TASKS_EXTENSION]: {} } };

function taskShown(frame: Frame, services: Services, outcome: Outcome & { readonly kind: 'task' | 'complete' }): Outcome {
  const { sealer, registry, uris } = services;
  const { endpoint, record, principal } = frame;
  const view = { sealer, registry, uris, endpoint, server: record.server, era: 'modern', principal: principal.id } as const;
  const result = showTask(view, outcome.result);
  return result === undefined ? brokenProtocol(frame, 'a task without an id') : { kind: outcome.kind, result };
}

/** Tasks are made for calls of clients that declared the extension with this request (tasks extension, "Capability Negotiation"). */
const mayBeTask = ({ era, kind, call }: Frame): boolean =>
  era === 'modern' && kind === 'call' && lacking(TASKS, call?.offers.value ?? {}) === undefined;

/** Ends the walk with what the endpoint shows of the outcome: URIs and task ids in its own words (PROTOCOL C5, C15). */
export const showResult: Step = (frame, services): Outcome | undefined => {
  const { outcome, endpoint, request, record } = frame;
  if (outcome?.kind === 'task')
    return mayBeTask(frame) ? taskShown(frame, services, outcome) : brokenProtocol(frame, 'a task that was not declared');
  if (outcome?.kind !== 'complete') return outcome;
  if (request.method === 'tasks/get') return taskShown(frame, services, outcome);
  if (endpoint.kind === 'server') return outcome;
  const result = services.uris.wrapResultUris(endpoint, record.server, request.method, outcome.result, services.registry);
  return result === outcome.result ? outcome : { kind: 'complete', result };
};
