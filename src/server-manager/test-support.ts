import { decodeMessage, type Call, type CallEvent, type JsonObject, type Outcome, type Params, type Target } from '../protocol/index.ts';
import type { RouteFact, ToolFacts } from './route-fact.ts';

export const FACTS: ToolFacts = {
  title: 'Title',
  scope: 'market:read',
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: false, openWorldHint: false },
  caps: { rows: 60, maxRows: 500, softBytes: 1000, hardBytes: 2000 },
};

export const object = (properties: JsonObject, required: readonly string[] = []): object => ({ type: 'object', properties, required });

export const route = (more: Partial<RouteFact> = {}): RouteFact => ({
  operationId: 'get_it',
  summary: 'Short.',
  description: 'Long.',
  response: object({ data: {} }),
  mcp: FACTS,
  handle: () => ({ data: 1 }),
  ...more,
});

/** A refusal as routes throw it. */
export class Refusal extends Error {
  readonly status = 422;
  readonly code = 42210000;
  readonly retryable = false;
  readonly field = 'symbol';
  readonly hint = 'Use search_symbols.';
}

function paramsOf(value: JsonObject): Params | undefined {
  const message = decodeMessage(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: value }));
  return message.kind === 'request' ? message.params : undefined;
}

export const call = (toolName: string, args?: unknown): Call => ({
  method: 'tools/call',
  params: paramsOf({ name: 'exposed', ...(args === undefined ? {} : { arguments: args }) }),
  subject: { member: 'name', value: toolName },
  sideEffect: 'write',
  edits: [],
  headerParams: [],
  client: { revision: '2026-07-28', info: undefined, capabilities: {} },
  caller: { principal: 'someone', scopes: new Set(['market:read']) },
  offers: { text: '{}', value: {} },
  state: undefined,
  answers: undefined,
  logLevel: undefined,
  progress: false,
  deadlineMs: 1000,
});

/** Runs a call and gives its outcome with the events. */
export async function run(
  target: Target,
  what: Call,
  signal = new AbortController().signal,
): Promise<{ outcome: Outcome; events: CallEvent[] }> {
  const events: CallEvent[] = [];
  const outcome = await target.handle(what, { signal, onEvent: (event) => events.push(event) });
  return { outcome, events };
}

/** The text of the first content of a complete outcome, which is also checked against its value. */
export function textOf(outcome: Outcome): string {
  if (outcome.kind !== 'complete') throw new Error(JSON.stringify(outcome));
  const result = JSON.parse(outcome.result.text) as { content: { text: string }[] };
  return result.content[0]?.text ?? '';
}
