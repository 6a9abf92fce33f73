import { notificationText, resultText, type Params } from './envelope.ts';
import { RPC, rpcError, type RpcError } from './errors.ts';
import { edited, editedText, metaWith, metaWithout } from './json-edit.ts';
import type { JsonText } from './json-text.ts';
import { isObject, META, type Implementation, type JsonObject } from './meta.ts';

/** What a `subscriptions/listen` asks for (S26 subscriptions, "Notification Filter"; `taskIds` is of the tasks extension). */
export interface ListenFilter {
  readonly tools: boolean;
  readonly prompts: boolean;
  readonly resources: boolean;
  readonly uris: readonly string[];
  readonly taskIds: readonly string[];
}

/** URIs and task ids that one subscription may name, of each at most. */
export const MAX_LISTEN_IDS = 1000;

const invalid = (message: string): RpcError => rpcError(RPC.invalidParams, message);

const flagOf = (filter: JsonObject, key: string): boolean | undefined => {
  const value = filter[key] ?? false;
  return typeof value === 'boolean' ? value : undefined;
};

function idsOf(filter: JsonObject, key: string): readonly string[] | undefined {
  const value = filter[key] ?? [];
  if (!Array.isArray(value) || value.length > MAX_LISTEN_IDS || !value.every((id) => typeof id === 'string')) return undefined;
  return [...new Set(value)];
}

const FLAGS = { tools: 'toolsListChanged', prompts: 'promptsListChanged', resources: 'resourcesListChanged' } as const;
const IDS = { uris: 'resourceSubscriptions', taskIds: 'taskIds' } as const;

/** The filter of a listen request, each id once; -32602 if it is none. */
export function listenFilterOf(params: Params | undefined): ListenFilter | RpcError {
  const filter = params?.value.notifications;
  if (!isObject(filter)) return invalid('params.notifications must be an object: it says what to listen to.');
  const tools = flagOf(filter, FLAGS.tools);
  const prompts = flagOf(filter, FLAGS.prompts);
  const resources = flagOf(filter, FLAGS.resources);
  if (tools === undefined || prompts === undefined || resources === undefined)
    return invalid(`params.notifications: ${Object.values(FLAGS).join(', ')} must be true or false.`);
  const uris = idsOf(filter, IDS.uris);
  const taskIds = idsOf(filter, IDS.taskIds);
  if (uris === undefined || taskIds === undefined)
    return invalid(`params.notifications: ${Object.values(IDS).join(' and ')} must be lists of at most ${MAX_LISTEN_IDS} strings.`);
  return { tools, prompts, resources, uris, taskIds };
}

/** The `notifications` member of a listen request or an acknowledgement; what is false or empty is absent. */
export function filterText(filter: ListenFilter): string {
  const members: string[] = [];
  for (const name of ['tools', 'prompts', 'resources'] as const) if (filter[name]) members.push(`"${FLAGS[name]}":true`);
  for (const name of ['uris', 'taskIds'] as const)
    if (filter[name].length > 0) members.push(`"${IDS[name]}":${JSON.stringify(filter[name])}`);
  return `{${members.join(',')}}`;
}

const ID_KEY = JSON.stringify(META.subscriptionId);

/** The first message on a subscription (S26 subscriptions, "Acknowledgment"). `idText` is the JSON text of the listen request's id. */
export function acknowledgedText(idText: string, filter: ListenFilter): string {
  return notificationText(
    'notifications/subscriptions/acknowledged',
    `{"_meta":{${ID_KEY}:${idText}},"notifications":${filterText(filter)}}`,
  );
}

/** A notification as it stands on a subscription, or, without an id, as a legacy client gets it. */
export function noticeText(idText: string | undefined, method: string, params: JsonText | undefined): string {
  if (idText === undefined) return notificationText(method, params && withoutSubscriptionId(params).text);
  if (params === undefined) return notificationText(method, `{"_meta":{${ID_KEY}:${idText}}}`);
  return notificationText(method, editedText(params.text, [metaWith(params, META.subscriptionId, idText)]));
}

/** The response with which a subscription ends gracefully (S26 subscriptions, "Graceful Closure"). */
export function listenResultText(idText: string, serverInfo: Implementation): string {
  const meta = `{${ID_KEY}:${idText},${JSON.stringify(META.serverInfo)}:${JSON.stringify(serverInfo)}}`;
  return resultText(idText, `{"resultType":"complete","_meta":${meta}}`);
}

/** The params of a notification without the id of the subscription it came on; the same object where there is none. */
export function withoutSubscriptionId(params: JsonText): JsonText {
  return edited(
    params,
    metaWithout(params, (key) => key === META.subscriptionId),
  );
}
