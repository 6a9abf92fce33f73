import { isObject, objectSpan, spliceMembers, type AskAnswer, type JsonObject, type Params } from '../../protocol/index.ts';
import { sleep } from '../../shared/index.ts';
import type { Connection, Exchange, Reply } from '../connection.ts';
import type { Failures } from '../failures.ts';
import { ownExchange } from '../own-requests.ts';

/** How long the server is asked to keep the task. */
const TTL_MS = 3_600_000;
/** Between two looks at the task, whatever its server wishes. */
const MIN_POLL_MS = 50;
const MAX_POLL_MS = 10_000;
const POLL_MS = 1_000;
const CANCEL_MS = 5_000;

/**
 * A `tools/call` of a legacy tool that must be called as a task (S25 tasks; PROTOCOL C6): augmented, polled by us until it has ended or wants
 * input, then `tasks/result`, on whose stream its asks come. The reply is that of the tool. Never rejects.
 */
export async function exchangeAsTask(connection: Connection, exchange: Exchange, failures: Failures): Promise<Reply> {
  const { params } = exchange;
  const augmented = spliceMembers(params, objectSpan(params), [['task', JSON.stringify({ ttl: TTL_MS })]]);
  const created = await connection.exchange({ ...exchange, params: augmented });
  const task = created.kind === 'response' ? created.result?.value.task : undefined;
  // A server that does not know tasks ignores the augmentation: then this is the result.
  if (!isObject(task) || typeof task.taskId !== 'string') return created;
  const reply = await follow(connection, exchange, failures, task);
  if (exchange.signal?.aborted === true || (reply.kind === 'failed' && reply.failure.code === 'deadline_exceeded')) {
    const cancel = { method: 'tasks/cancel', params: { taskId: task.taskId }, timeoutMs: CANCEL_MS, signal: undefined };
    void connection.exchange(ownExchange(cancel));
  }
  return reply;
}

async function follow(connection: Connection, exchange: Exchange, failures: Failures, task: JsonObject): Promise<Reply> {
  const params = JSON.stringify({ taskId: task.taskId });
  const request = (method: string): Promise<Reply> => connection.exchange({ ...exchange, method, params, mirror: {} });
  const begun = performance.now();
  let seen = task;
  while (seen.status === 'working') {
    const leftMs = exchange.expiresAt - performance.now();
    if (leftMs <= 0) return failures.deadline(exchange.expiresAt - begun, 'unknown');
    const awake = await sleep(Math.min(pollOf(seen), leftMs), exchange.signal).then(
      () => true,
      () => false,
    );
    if (!awake) return failures.canceled('unknown');
    const reply = await request('tasks/get');
    if (reply.kind === 'failed') return sent(reply, failures);
    // A server whose tasks/get fails may still hold the result.
    if (reply.result === undefined) break;
    seen = reply.result.value;
  }
  return sent(await request('tasks/result'), failures);
}

/** The tool was called, whatever became of a later request: that one's "never left" is not the call's. */
function sent(reply: Reply, failures: Failures): Reply {
  if (reply.kind !== 'failed' || reply.failure.executed === 'unknown') return reply;
  return reply.failure.code === 'canceled'
    ? failures.canceled('unknown')
    : failures.outcomeUnknown('was lost while it worked', reply.failure);
}

function pollOf({ pollInterval }: JsonObject): number {
  const wanted = typeof pollInterval === 'number' && pollInterval > 0 ? pollInterval : POLL_MS;
  return Math.min(MAX_POLL_MS, Math.max(MIN_POLL_MS, wanted));
}

const RELATED = 'io.modelcontextprotocol/related-task';

/** An answer to a task's ask names the task (S25 tasks, "Related Task Metadata"). `params` are the ask's. */
export function relatedAnswer(answer: AskAnswer, params: Params | undefined): AskAnswer {
  const asked = params?.value._meta;
  if (!('result' in answer) || !isObject(asked) || asked[RELATED] === undefined) return answer;
  const { text, value } = answer.result;
  const meta = { ...(isObject(value._meta) ? value._meta : {}), [RELATED]: asked[RELATED] };
  const edited = spliceMembers(text, objectSpan(text), [['_meta', JSON.stringify(meta)]]);
  return { result: { text: edited, value: { ...value, _meta: meta } } };
}
