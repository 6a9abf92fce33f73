import type { FastifyReply, FastifyRequest } from 'fastify';
import { statusOf } from '../contract/index.ts';
import { redactSecrets } from '../security/index.ts';
import { pathOf, shapeOf, type ErrorShape, type HttpEvent } from './options.ts';

export interface RefusalFacts {
  readonly code: string;
  readonly message: string;
  /** By default what the code stands for. */
  readonly status?: number;
  readonly field?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The body of a refusal. The JSON-RPC code is the HTTP status times ten: outside the range that JSON-RPC and MCP reserve. */
export function errorPayload(shape: ErrorShape, status: number, facts: RefusalFacts): string {
  const { code, message, field } = facts;
  if (shape === 'jsonrpc') return JSON.stringify({ jsonrpc: '2.0', id: null, error: { code: status * 10, message, data: { code } } });
  return JSON.stringify({ error: { code, message, ...(field === undefined ? {} : { field }) } });
}

/** Answers a request with a refusal and tells the owner. */
export class Refuser {
  readonly #onEvent: ((event: HttpEvent) => void) | undefined;

  constructor(onEvent: ((event: HttpEvent) => void) | undefined) {
    this.#onEvent = onEvent;
  }

  send(request: FastifyRequest, reply: FastifyReply, facts: RefusalFacts): void {
    const status = facts.status ?? statusOf(facts.code);
    if (facts.headers !== undefined) reply.headers(facts.headers);
    this.#onEvent?.({
      kind: 'refused',
      code: facts.code,
      status,
      address: request.clientAddress,
      method: request.method,
      path: redactSecrets(pathOf(request)),
      principal: request.principal.id,
    });
    void reply
      .code(status)
      .header('content-type', 'application/json; charset=utf-8')
      .send(errorPayload(shapeOf(request), status, facts));
  }
}
