import swagger from '@fastify/swagger';
import type { FastifyError, FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import type { TObject } from 'typebox';
import { ApiError, ERROR_CODES } from '../errors.ts';
import type { ApiIdentity, ApiRefusal, ApiRoute, HandlerInput } from '../route.ts';
import { documentOptions, routeSchema } from './openapi.ts';
import { compileValidator, type HttpPart } from './validate.ts';

export interface PluginOptions {
  readonly title: string;
  readonly version: string;
  readonly routes: readonly ApiRoute[];
  authenticate(headers: FastifyRequest['headers']): ApiIdentity | ApiRefusal;
}

const DOCUMENT_PATH = '/openapi.json';
const DECORATOR = 'stockpulseDocument';

/** The HTTP face of the routes: authentication and scope, validation, one error shape, and the OpenAPI document. */
export function makePlugin(options: PluginOptions): FastifyPluginAsync {
  return async (fastify) => {
    const callers = new WeakMap<FastifyRequest, ApiIdentity>();
    await fastify.register(swagger, { ...documentOptions(options), decorator: DECORATOR });
    fastify.setValidatorCompiler(({ schema, httpPart }) => validatorFor(schema as TObject, httpPart as HttpPart));
    fastify.setSerializerCompiler(() => (data) => JSON.stringify(data));
    fastify.setErrorHandler<FastifyError>((error, request, reply) => sendError(toApiError(error), request, reply));
    fastify.setNotFoundHandler((request, reply) => sendError(unknownRoute(request), request, reply));
    fastify.addHook('onRequest', async (request, reply) => {
      if (request.routeOptions.config.stockpulseOpen === true) return;
      const caller = options.authenticate(request.headers);
      if (!caller.ok) return refuse(caller, reply);
      callers.set(request, caller);
    });
    for (const route of options.routes) addRoute(fastify, route, callers);
    addDocument(fastify);
  };
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Set on the one route that needs no credential. */
    stockpulseOpen?: boolean;
  }
}

function validatorFor(schema: TObject, part: HttpPart): (data: unknown) => { value: unknown } | { error: ApiError } {
  const validate = compileValidator(schema, part);
  return (data) => {
    try {
      return { value: validate(data) };
    } catch (error) {
      if (error instanceof ApiError) return { error };
      throw error;
    }
  };
}

function addRoute(fastify: FastifyInstance, route: ApiRoute, callers: WeakMap<FastifyRequest, ApiIdentity>): void {
  fastify.route({
    method: route.method,
    url: route.path.replaceAll(/\{(\w+)\}/g, ':$1'),
    schema: routeSchema(route),
    preValidation: async (request) => {
      const scope = route.mcp?.scope;
      if (scope !== undefined && callers.get(request)?.scopes.has(scope) !== true) throw missingScope(scope);
    },
    handler: async (request) => {
      const identity = callers.get(request);
      if (!identity) throw new Error('A request reached its handler without an identity.');
      const input = { params: request.params ?? {}, query: request.query ?? {}, body: request.body ?? {} };
      return route.handle(input as HandlerInput, { identity });
    },
  });
}

/** The document describes the interface only, so it needs no credential; it is made once, when first asked for. */
function addDocument(fastify: FastifyInstance): void {
  fastify.get(DOCUMENT_PATH, { schema: { hide: true } as object, config: { stockpulseOpen: true } }, async () => {
    const make = fastify.getDecorator<() => object>(DECORATOR);
    return make();
  });
}

function refuse(refusal: ApiRefusal, reply: FastifyReply): FastifyReply {
  const { code, message } = refusal;
  return reply
    .code(refusal.status)
    .headers(refusal.headers ?? {})
    .send({ code, message, retryable: false });
}

function missingScope(scope: string): ApiError {
  return new ApiError({
    status: 403,
    code: ERROR_CODES.forbidden,
    message: `This credential lacks the scope ${scope}.`,
    hint: `Use a key that has ${scope}.`,
  });
}

function unknownRoute(request: FastifyRequest): ApiError {
  return new ApiError({
    status: 404,
    code: ERROR_CODES.unknownRoute,
    message: `There is no ${request.method} ${request.url.split('?', 1)[0] ?? ''}.`,
    hint: `${DOCUMENT_PATH} under the same prefix lists what exists.`,
  });
}

const FASTIFY_CODES: Readonly<Record<number, number>> = { 413: ERROR_CODES.bodyTooLarge, 415: ERROR_CODES.mediaType };

/** Errors of Fastify itself keep their status and message; anything unforeseen becomes a bare 500. */
function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const { statusCode = 500, message } = error as FastifyError;
  if (statusCode >= 400 && statusCode < 500) {
    return new ApiError({ status: statusCode, code: FASTIFY_CODES[statusCode] ?? ERROR_CODES.malformedBody, message });
  }
  return new ApiError({
    status: 500,
    code: ERROR_CODES.internal,
    message: 'Something went wrong on our side.',
    retryable: true,
    hint: 'Try again; the log has the details.',
  });
}

async function sendError(error: ApiError, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  if (error.status >= 500) request.log.error({ err: error }, 'stockpulse request failed');
  return reply.code(error.status).send(error.toBody());
}
