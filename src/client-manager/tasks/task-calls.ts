import {
  isObject,
  jsonText,
  lacking,
  LATEST_MODERN,
  RPC,
  TASKS_EXTENSION,
  type Call,
  type JsonObject,
  type JsonText,
  type Outcome,
} from '../../protocol/index.ts';
import { withLogs } from '../log-level.ts';

/** What a client declares that takes tasks. */
export const TASKS: JsonObject = { extensions: { [TASKS_EXTENSION]: {} } };

export const speaksTasks = ({ offers }: Call): boolean => offers.text !== '{}' && lacking(TASKS, offers.value) === undefined;

const extensionsOf = ({ extensions }: JsonObject): JsonObject => (isObject(extensions) ? extensions : {});

/** True for the capabilities of a server that makes tasks. */
export const makesTasks = (capabilities: JsonObject): boolean => isObject(extensionsOf(capabilities)[TASKS_EXTENSION]);

/** The call as one of a client of the modern era that takes tasks. */
export function withTasks(call: Call): Call {
  const { value } = call.offers;
  const offers = jsonText({ ...value, extensions: { ...extensionsOf(value), [TASKS_EXTENSION]: {} } });
  return { ...withLogs(call), offers, client: { ...call.client, revision: LATEST_MODERN } };
}

/** The call as one of a client that takes none. */
export function withoutTasks(call: Call): Call {
  const { extensions, ...others } = call.offers.value;
  const { [TASKS_EXTENSION]: _gone, ...left } = extensionsOf({ extensions });
  return { ...call, offers: jsonText(Object.keys(left).length === 0 ? others : { ...others, extensions: left }) };
}

/** True for the refusal of a modern server that answers this call with a task only (tasks extension, "Capability Negotiation"). */
export function needsTasks(outcome: Outcome): boolean {
  if (outcome.kind !== 'error' || outcome.error.code !== RPC.missingRequiredClientCapability) return false;
  const { data } = outcome.error;
  return isObject(data) && isObject(data.requiredCapabilities) && makesTasks(data.requiredCapabilities);
}

/** A request about the task of a call, on behalf of the call's client. */
export function taskCall(call: Call, method: 'tasks/get' | 'tasks/update' | 'tasks/cancel', taskId: string, answers?: JsonText): Call {
  return {
    ...withTasks(call),
    method,
    params: undefined,
    subject: { member: 'taskId', value: taskId },
    edits: method === 'tasks/update' ? [['inputResponses', answers?.text ?? '{}']] : [],
    headerParams: [],
    state: undefined,
    answers: undefined,
    logLevel: undefined,
    progress: false,
  };
}
