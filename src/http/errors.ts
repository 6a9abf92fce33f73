import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { mapError } from '../contract/index.ts';
import { redactSecrets } from '../security/index.ts';
import { pathOf, shapeOf, type HttpEvent } from './options.ts';
import { errorPayload } from './refusal.ts';

/** Answers with what a caller may see of an error. Also for requests whose URL no router takes, which no hook has seen. */
export function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const mapped = mapError(error);
  if (mapped.status === 503) void reply.header('retry-after', '1');
  const body = errorPayload(shapeOf(request), mapped.status, mapped);
  void reply.code(mapped.status).header('content-type', 'application/json; charset=utf-8').send(body);
}

/** Installs the error mapper of a listener. Only failures of ours are told to the owner, with their private detail. */
export function installErrorMapper(app: FastifyInstance, onEvent: ((event: HttpEvent) => void) | undefined): void {
  app.setErrorHandler((error: unknown, request: FastifyRequest, reply: FastifyReply) => {
    const { status, code } = mapError(error);
    if (status >= 500) onEvent?.({ kind: 'failed', code, method: request.method, path: redactSecrets(pathOf(request)), error });
    answerError(error, request, reply);
    return reply;
  });
}
