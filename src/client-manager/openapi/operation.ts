import { isObject, type JsonObject } from '../../protocol/index.ts';
import { inputsOf, outputsOf, readBody } from './inputs.ts';
import { shortened } from './leaves.ts';
import { readParameters } from './parameters.ts';
import type { Refs } from './refs.ts';
import type { SchemaWriter } from './schema.ts';
import { classHints, documentFacts, methodHints, sideEffectOf, type Selectable } from './select.ts';
import { serverUrl } from './server-url.ts';
import type { ApiMethod, ApiOperation, ApiOptions, ApiParameter, ApiToolPolicy } from './types.ts';

/** An operation as it stands in the document. */
export interface RawOperation extends Selectable {
  readonly method: ApiMethod;
  readonly path: string;
  /** The operation object, and the path item that it belongs to. */
  readonly operation: JsonObject;
  readonly item: JsonObject;
}

export interface OperationContext {
  readonly options: ApiOptions;
  readonly refs: Refs;
  readonly writer: SchemaWriter;
  /** Bytes that are left for this operation's schemas together. */
  readonly room: number;
  readonly credentials: ReadonlySet<string>;
  /** Where the document itself says that the API is. */
  readonly ownUrl: string | undefined;
}

export type OperationReading =
  | { readonly ok: true; readonly operation: ApiOperation; readonly warning: string | undefined }
  | { readonly ok: false; readonly reason: string };

const MAX_DESCRIPTION = 1_500;
const MAX_TITLE = 120;

/** A path that can be put together: no query, no fragment, nothing that leads up. */
const isPath = (path: string): boolean => /^\/[^?#\\\s]*$/.test(path) && !/(^|\/)(\.|%2e){1,2}(\/|$)/i.test(path);

/** True where the operation has a server of its own which is not the API's. */
function isElsewhere({ operation, item }: RawOperation, { options, ownUrl }: OperationContext): boolean {
  const own = [operation.servers, item.servers].find((servers) => Array.isArray(servers) && servers.length > 0) as unknown[] | undefined;
  return own !== undefined && !own.some((server) => serverUrl(server, options) === ownUrl);
}

function descriptionOf({ operation, key }: RawOperation): string {
  const { summary, description, deprecated } = operation;
  const texts = [summary, description].filter((text): text is string => typeof text === 'string' && text.trim() !== '');
  const [first = '', second = ''] = texts.map((text) => text.trim());
  const whole = second === '' || second.startsWith(first) ? second || first : `${first}\n\n${second}`;
  return shortened(`${deprecated === true ? 'Deprecated. ' : ''}${whole || key}`, MAX_DESCRIPTION);
}

function definitionOf(raw: RawOperation, name: string, policy: ApiToolPolicy, schemas: JsonObject): JsonObject {
  const facts = documentFacts(raw.facts);
  const { summary } = raw.operation;
  const title = facts.title ?? (typeof summary === 'string' && summary.trim() !== '' ? summary : undefined);
  const description = policy.description ?? facts.description ?? descriptionOf(raw);
  const annotations = { ...methodHints(raw.method), openWorldHint: true, ...facts.annotations, ...classHints(policy.sideEffect) };
  return {
    name,
    ...(title === undefined ? {} : { title: shortened(title, MAX_TITLE) }),
    description: shortened(description, MAX_DESCRIPTION),
    ...schemas,
    annotations,
  };
}

/** Makes a tool of an operation, or says why it cannot be one. */
export function readOperation(raw: RawOperation, name: string, policy: ApiToolPolicy, context: OperationContext): OperationReading {
  const { refs } = context;
  const { operation, item, path, method } = raw;
  const refuse = (reason: string): OperationReading => ({ ok: false, reason });
  if (!isPath(path)) return refuse('its path is not one that can be called');
  if (isElsewhere(raw, context)) return refuse('it is on another server than the API');
  const lists = [item.parameters, operation.parameters];
  const read = readParameters(path, lists, context);
  if (!read.ok) return refuse(read.reason);
  const body = method === 'GET' || method === 'HEAD' ? ({ ok: true, body: undefined } as const) : readBody(operation.requestBody, refs);
  if (!body.ok) return refuse(body.reason);
  const inputs = inputsOf(context, read.parameters, body.body, read.names);
  if (inputs === undefined) return refuse('the schema of its arguments is too large');
  const { outputSchema, accept } =
    method === 'HEAD'
      ? { outputSchema: undefined, accept: '*/*' }
      : outputsOf({ ...context, room: context.room - JSON.stringify(inputs.inputSchema).length }, operation.responses, refs);
  const { scope, softBytes, hardBytes } = documentFacts(raw.facts);
  const schemas = { inputSchema: inputs.inputSchema, ...(outputSchema === undefined ? {} : { outputSchema }) };
  const definition = definitionOf(raw, name, policy, schemas);
  const parameters: ApiParameter[] = read.parameters.map(({ arg, in: place, name: own, style, explode, json }) => ({
    arg,
    in: place,
    name: own,
    style,
    explode,
    json,
  }));
  const made: ApiOperation = {
    name,
    operationId: raw.operationId,
    method,
    path,
    definition,
    sideEffect: policy.sideEffect ?? sideEffectOf(isObject(definition.annotations) ? definition.annotations : {}),
    scope,
    parameters,
    body: inputs.body,
    accept,
    softBytes,
    hardBytes,
  };
  return { ok: true, operation: made, warning: 'warning' in body ? body.warning : undefined };
}
