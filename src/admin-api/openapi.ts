import { z } from 'zod';
import { adminRoutes, APPROVER_HEADER, errorBody, fullPath, type AdminRoute } from '../contract/index.ts';

type Json = Record<string, unknown>;

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as Json;
  return rest;
}

/** The members of an object schema as OpenAPI parameters. */
function parametersOf(schema: z.ZodType, place: 'path' | 'query'): Json[] {
  const { properties = {}, required = [] } = schemaOf(schema, 'input') as { properties?: Record<string, Json>; required?: string[] };
  return Object.entries(properties).map(([name, member]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    schema: member,
  }));
}

const content = (schema: Json): Json => ({ content: { 'application/json': { schema } } });

function bodyOf(route: AdminRoute): Json {
  const schema = schemaOf(route.body, 'input') as { properties?: Json };
  if (Object.keys(schema.properties ?? {}).length === 0) return {};
  return { requestBody: { required: !route.body.safeParse(undefined).success, ...content(schema) } };
}

const approver: Json = {
  name: APPROVER_HEADER,
  in: 'header',
  required: false,
  description: 'An approver key, for what only an approver may do',
  schema: { type: 'string' },
};

function operation(id: string, route: AdminRoute): Json {
  const parameters = [...parametersOf(route.params, 'path'), ...parametersOf(route.query, 'query')];
  return {
    operationId: id,
    summary: route.summary,
    parameters: route.method === 'GET' ? parameters : [...parameters, approver],
    ...bodyOf(route),
    responses: {
      [route.status]: { description: 'Done', ...content(schemaOf(route.reply, 'output')) },
      default: { description: 'Refused or failed', ...content({ $ref: '#/components/schemas/Error' }) },
    },
  };
}

/** The OpenAPI 3.1 description of the management API, made from the contract's route table. */
export function openApiOf(version: string): Json {
  const paths: Record<string, Json> = {};
  for (const [id, route] of Object.entries<AdminRoute>(adminRoutes)) {
    const path = fullPath(route, 'openapi');
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(id, route) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'StockPulse MCP management API',
      version,
      description: 'Needs a key with the scope admin, or the 0600 socket in the data folder.',
    },
    security: [{ key: [] }],
    paths,
    components: {
      schemas: { Error: schemaOf(errorBody, 'output') },
      securitySchemes: { key: { type: 'http', scheme: 'bearer' } },
    },
  };
}
