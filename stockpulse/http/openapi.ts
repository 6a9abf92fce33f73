import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger';
import type { FastifySchema } from 'fastify';
import { Type } from 'typebox';
import type { ApiRoute } from '../route.ts';
import { closed } from '../schema.ts';

const errorBody = closed({
  code: Type.Integer({ description: 'The HTTP status and a number within it, such as 42210000.' }),
  message: Type.String({ description: 'What is wrong.' }),
  field: Type.Optional(Type.String({ description: 'The input that is wrong.' })),
  retryable: Type.Boolean({ description: 'Whether the same request may work later.' }),
  hint: Type.Optional(Type.String({ description: 'What to do.' })),
});

const ERRORS: Readonly<Record<number, string>> = {
  400: 'An input does not fit its schema.',
  401: 'No credential, or one that is not accepted.',
  403: 'The credential lacks the scope.',
  404: 'An unknown symbol.',
  422: 'The inputs do not make sense together.',
};

/** The parts of the document that do not come from routes. */
export function documentOptions({ title, version }: { title: string; version: string }): FastifyDynamicSwaggerOptions {
  return {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: `${title} API`,
        version,
        description: 'A simulated US stock market under familiar tickers. No figure in it is real.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer', description: 'An API key or access token.' },
          keyId: { type: 'apiKey', in: 'header', name: 'APCA-API-KEY-ID' },
          keySecret: { type: 'apiKey', in: 'header', name: 'APCA-API-SECRET-KEY' },
        },
      },
      security: [{ bearer: [] }, { keyId: [], keySecret: [] }],
    },
  };
}

/** A route as Fastify and the document see it. */
export function routeSchema(route: ApiRoute): FastifySchema {
  const { operationId, summary, description, params, query, body } = route;
  const failures = Object.entries(ERRORS).map(([status, text]) => [status, { ...errorBody, description: text }] as const);
  return {
    operationId,
    summary,
    description,
    tags: ['market'],
    ...(params ? { params } : {}),
    ...(query ? { querystring: query } : {}),
    ...(body ? { body } : {}),
    response: { 200: { ...route.response, description: 'The answer.' }, ...Object.fromEntries(failures) },
  };
}
