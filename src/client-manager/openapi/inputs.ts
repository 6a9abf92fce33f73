import { isObject, type JsonObject } from '../../protocol/index.ts';
import { isJson, mediaOf, mediaType, type Media } from './media.ts';
import type { ArgumentNames } from './naming.ts';
import type { Described } from './parameters.ts';
import type { Refs } from './refs.ts';
import { described, type SchemaWriter, type WriteSchema } from './schema.ts';
import type { ApiBody, ApiStyle } from './types.ts';

/** The body that an operation takes, as the document describes it. */
export interface BodyFacts extends Media {
  readonly kind: ApiBody['kind'];
  readonly required: boolean;
  readonly around: JsonObject;
}

export type BodyReading =
  { readonly ok: true; readonly body: BodyFacts | undefined; readonly warning?: string } | { readonly ok: false; readonly reason: string };

const KINDS: readonly (readonly [kind: ApiBody['kind'], fits: (type: string) => boolean])[] = [
  ['json', isJson],
  ['form', (type) => type === 'application/x-www-form-urlencoded'],
  ['json', (type) => type === '*/*' || type === 'application/*'],
  ['text', (type) => type.startsWith('text/')],
];

/** JSON where the operation takes it; else a form, else text. Uploads are left out. */
export function readBody(requestBody: unknown, refs: Refs): BodyReading {
  const around = refs.resolve(requestBody);
  if (around === undefined || !isObject(around.content)) return { ok: true, body: undefined };
  const required = around.required === true;
  for (const [kind, fits] of KINDS) {
    const found = mediaOf(around.content, fits);
    if (found !== undefined) return { ok: true, body: { ...found, kind, required, around } };
  }
  const [type = 'nothing'] = Object.keys(around.content);
  const reason = `it takes a body of ${mediaType(type)}, which is not supported`;
  return required ? { ok: false, reason } : { ok: true, body: undefined, warning: reason };
}

export interface Inputs {
  readonly inputSchema: JsonObject;
  readonly body: ApiBody | undefined;
}

/** Arguments while they are being put together. */
interface Arguments {
  readonly properties: Map<string, JsonObject>;
  readonly required: string[];
}

/** Keywords beside which an object's members may stand as arguments of their own. */
const FLAT: ReadonlySet<string> = new Set([
  'type',
  'properties',
  'required',
  'additionalProperties',
  'title',
  'description',
  'examples',
  'default',
  'deprecated',
]);

function isFlat(schema: JsonObject, names: ArgumentNames): boolean {
  if (schema.type !== 'object' || !isObject(schema.properties)) return false;
  if (schema.additionalProperties !== undefined && schema.additionalProperties !== false) return false;
  return Object.keys(schema).every((key) => FLAT.has(key)) && Object.keys(schema.properties).every((name) => !names.has(name));
}

const requiredOf = ({ required }: JsonObject): readonly string[] => (Array.isArray(required) ? (required as string[]) : []);

function allowsNull({ type, anyOf, oneOf, allOf, enum: values }: JsonObject): boolean {
  if (type !== undefined) return type === 'null' || (Array.isArray(type) && type.includes('null'));
  if (Array.isArray(values)) return values.includes(null);
  const choices = [anyOf, oneOf].find(Array.isArray) as unknown[] | undefined;
  return choices === undefined ? allOf === undefined : choices.some((choice) => isObject(choice) && allowsNull(choice));
}

function formStyles(media: JsonObject): ApiBody['styles'] {
  const encodings = isObject(media.encoding) ? Object.entries(media.encoding) : [];
  const known: ReadonlySet<unknown> = new Set(['form', 'spaceDelimited', 'pipeDelimited', 'deepObject'] satisfies ApiStyle[]);
  return new Map(
    encodings
      .filter((entry): entry is [string, JsonObject] => isObject(entry[1]) && known.has(entry[1].style))
      .map(([name, { style, explode }]) => [
        name,
        { style: style as ApiStyle, explode: typeof explode === 'boolean' ? explode : style === 'form' || style === 'deepObject' },
      ]),
  );
}

function withBody(facts: BodyFacts, write: WriteSchema, names: ArgumentNames, args: Arguments): ApiBody {
  const { kind, required, media } = facts;
  const contentType = facts.type.includes('*') ? 'application/json' : facts.type;
  const schema = kind === 'text' ? { type: 'string' } : write(media.schema);
  const common = { contentType, kind, required, styles: formStyles(media) };
  if (kind !== 'text' && isFlat(schema, names)) {
    const members = Object.entries(schema.properties as Record<string, JsonObject>).map(([name, member]) => {
      const arg = names.take(name, 'body');
      args.properties.set(arg, member);
      if (required && requiredOf(schema).includes(name)) args.required.push(arg);
      return { arg, name, nullable: allowsNull(member) };
    });
    return { ...common, whole: undefined, members };
  }
  const whole = names.take('body', 'request');
  args.properties.set(whole, described(schema, { ...facts.around, ...(media.example === undefined ? {} : { example: media.example }) }));
  if (required) args.required.push(whole);
  return { ...common, whole, members: [] };
}

/** Where schemas are written, and how many bytes one may have. */
export interface Writing {
  readonly writer: SchemaWriter;
  readonly room: number;
}

/** The tool's inputSchema and how its arguments make a body; undefined where the schema does not fit its bounds. */
export function inputsOf(
  { writer, room }: Writing,
  parameters: readonly Described[],
  facts: BodyFacts | undefined,
  names: ArgumentNames,
): Inputs | undefined {
  let body: ApiBody | undefined;
  const inputSchema = writer.fit('request', room, (write) => {
    const args: Arguments = { properties: new Map(), required: [] };
    for (const parameter of parameters) {
      args.properties.set(parameter.arg, described(write(parameter.schema), parameter.around));
      if (parameter.required) args.required.push(parameter.arg);
    }
    body = facts && withBody(facts, write, names.copy(), args);
    return {
      type: 'object',
      properties: Object.fromEntries(args.properties),
      ...(args.required.length > 0 ? { required: args.required } : {}),
      additionalProperties: false,
    };
  });
  return inputSchema && { inputSchema, body };
}

const SUCCESS = ['200', '201', '2XX', '2xx', '202', '203'] as const;

export interface Outputs {
  readonly outputSchema: JsonObject | undefined;
  readonly accept: string;
}

/** What an operation answers with when all goes well: a schema where that is a JSON object. */
export function outputsOf({ writer, room }: Writing, responses: unknown, refs: Refs): Outputs {
  const all = isObject(responses) ? responses : {};
  const response = SUCCESS.map((status) => refs.resolve(all[status])).find((found) => found !== undefined);
  const json = mediaOf(response?.content, isJson);
  const type = json === undefined ? '' : mediaType(json.type);
  const accept = `${json === undefined || type === 'application/json' ? '' : `${type}, `}application/json, text/*;q=0.8, */*;q=0.5`;
  if (json?.media.schema === undefined) return { outputSchema: undefined, accept };
  const written = writer.fit('response', room, (write) => write(json.media.schema), refs.resolve(json.media.schema));
  if (written === undefined || (written.type ?? (written.properties && 'object')) !== 'object') return { outputSchema: undefined, accept };
  return { outputSchema: { ...written, type: 'object' }, accept };
}
