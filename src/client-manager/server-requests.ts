import { errorText, resultText, RPC, rpcError, type RequestMessage } from '../protocol/index.ts';

export interface ServerAnswer {
  /** The whole JSON-RPC response. */
  readonly text: string;
  /** False for a request that needs a capability which we did not offer. */
  readonly expected: boolean;
}

const NEEDS_A_CALL: ReadonlySet<string> = new Set(['elicitation/create', 'sampling/createMessage']);

/** Our answer to a request of a legacy server outside a lease (PROTOCOL A2): `ping` and `roots/list` are answered, asks are refused. */
export function answerTo({ idText, method }: RequestMessage): ServerAnswer {
  if (method === 'ping') return { text: resultText(idText, '{}'), expected: true };
  if (method === 'roots/list') return { text: resultText(idText, '{"roots":[]}'), expected: true };
  const error = NEEDS_A_CALL.has(method)
    ? rpcError(RPC.invalidParams, `${method} was not offered by this client.`)
    : rpcError(RPC.methodNotFound, `Method not found: ${method.slice(0, 100)}`);
  return { text: errorText(idText, error), expected: false };
}
