import { META_CAPABILITIES, modernMeta, modernRequest, type McpWire } from '../support/mcp-wire.ts';
import type { Reply } from '../support/wire.ts';

/** A JSON-RPC message as a client reads it. */
export interface Message {
  readonly id?: unknown;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: {
    readonly resultType?: string;
    readonly requestState?: string;
    readonly inputRequests?: Readonly<Record<string, { readonly method: string; readonly params: Readonly<Record<string, unknown>> }>>;
    readonly content?: readonly { readonly text?: string }[];
    readonly isError?: boolean;
  };
  readonly error?: { readonly code: number; readonly message: string };
}

/** All messages of an answer, the response last. */
export function messagesOf(reply: Reply): Message[] {
  const isStream = reply.headers['content-type']?.startsWith('text/event-stream') === true;
  if (!isStream) return reply.json === undefined ? [] : [reply.json as unknown as Message];
  return reply.text.split('\n').flatMap((line) => (line.startsWith('data: {') ? [JSON.parse(line.slice(6)) as Message] : []));
}

export interface Answer {
  readonly reply: Reply;
  readonly messages: readonly Message[];
  readonly last: Message;
  /** Text of the result; empty if there is none. */
  readonly text: string;
}

let ids = 0;

/** One leg of a modern call by a client that can be asked everything. */
export async function callLeg(wire: McpWire, params: Readonly<Record<string, unknown>>, meta: object = {}): Promise<Answer> {
  const offers = { [META_CAPABILITIES]: { elicitation: {}, sampling: {}, roots: {} } };
  const { headers, body } = modernRequest('tools/call', { ...params, _meta: { ...modernMeta(), ...offers, ...meta } }, `t3-${++ids}`);
  const reply = await wire.post(JSON.stringify(body), headers);
  const messages = messagesOf(reply);
  const last = messages.at(-1) ?? {};
  return { reply, messages, last, text: last.result?.content?.[0]?.text ?? '' };
}

/** The tool that does what its steps say (test/fixtures/upstreams/converse.ts). */
export const converse = (...steps: readonly object[]): { readonly name: string; readonly arguments: object } => ({
  name: 'converse',
  arguments: { steps },
});

/** A form with one message. */
export const form = (message: string, id?: string): object => ({
  method: 'elicitation/create',
  params: { message, requestedSchema: { type: 'object', properties: { who: { type: 'string' } } } },
  ...(id === undefined ? {} : { id }),
});

export const accept = (who: string): object => ({ action: 'accept', content: { who } });

/** The params of a retry: what the result gave, with these answers. */
export function retryOf(params: object, { last }: Answer, answers: Readonly<Record<string, object>>): Readonly<Record<string, unknown>> {
  return { ...params, requestState: last.result?.requestState, inputResponses: answers };
}
