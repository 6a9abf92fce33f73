import { isObject, preparer, type JsonObject, type Prepared } from '../protocol/index.ts';
import { AppError } from '../shared/index.ts';
import { objectSchema, PLACES, type Place, type RouteFact, type RouteInput, type ToolFacts } from './route-fact.ts';

/** A tool made from a route: the definition that clients see, and how its arguments become the route's input. */
export interface GeneratedTool {
  readonly route: RouteFact;
  readonly facts: ToolFacts;
  readonly definition: JsonObject;
  readonly prepare: (args: JsonObject) => Prepared;
  readonly input: (args: JsonObject) => RouteInput;
}

/** JSON as it goes over the wire: schema libraries keep symbols and undefined members on their objects. */
const plain = (schema: object): JsonObject => JSON.parse(JSON.stringify(schema)) as JsonObject;

function placesOf(route: RouteFact): ReadonlyMap<string, Place> {
  const places = new Map<string, Place>();
  for (const place of PLACES) {
    const schema = route[place];
    if (schema !== undefined && (schema as JsonObject).type !== 'object')
      throw new AppError('route_invalid', `The ${place} of route ${route.operationId} must be an object schema with its properties.`);
    for (const name of Object.keys(objectSchema(route[place]).properties)) {
      if (places.has(name)) {
        throw new AppError(
          'route_invalid',
          `Route ${route.operationId} has "${name}" in its ${places.get(name)} and in its ${place}: one tool argument cannot be both.`,
        );
      }
      places.set(name, place);
    }
  }
  return places;
}

function inputSchemaOf(route: RouteFact): JsonObject {
  const parts = PLACES.map((place) => objectSchema(route[place]));
  const properties = Object.assign({}, ...parts.map((part) => part.properties)) as JsonObject;
  const required = parts.flatMap((part) => part.required);
  return plain({ type: 'object', properties, ...(required.length > 0 ? { required } : {}), additionalProperties: false });
}

function inputOf(places: ReadonlyMap<string, Place>): (args: JsonObject) => RouteInput {
  return (args) => {
    const input: RouteInput = { params: {}, query: {}, body: {} };
    for (const [name, value] of Object.entries(args)) {
      const place = places.get(name);
      if (place !== undefined) input[place][name] = value;
    }
    return input;
  };
}

/** The tool of a route, or undefined where the route declares none. Throws `route_invalid` for a route that cannot be one. */
export function generateTool(route: RouteFact): GeneratedTool | undefined {
  const facts = route.mcp;
  if (facts === undefined) return undefined;
  const places = placesOf(route);
  const inputSchema = inputSchemaOf(route);
  const outputSchema = plain(route.response);
  if (!isObject(outputSchema) || outputSchema.type !== 'object')
    throw new AppError('route_invalid', `Route ${route.operationId} must answer with an object to be a tool.`);
  return {
    route,
    facts,
    definition: {
      name: route.operationId,
      title: facts.title,
      description: route.description,
      inputSchema,
      outputSchema,
      annotations: { title: facts.title, ...facts.annotations },
    },
    prepare: preparer(inputSchema),
    input: inputOf(places),
  };
}
