import { isObject, type JsonObject } from '../../protocol/index.ts';
import { examplesOf, readLeaves, shortened } from './leaves.ts';
import { mergeSchemas } from './merge.ts';
import { refName, type Refs } from './refs.ts';
import type { ApiLimits } from './types.ts';

export type Direction = 'request' | 'response';

/** One attempt to write a tool's schema, down to a certain depth. */
interface Attempt {
  readonly hidden: 'readOnly' | 'writeOnly';
  readonly depth: number;
  /** Parts of the document that are being written: one that comes again inside itself is cut. */
  readonly open: Set<object>;
  nodes: number;
  /** Times that something which forbids values was left out. */
  loosened: number;
}

/** Names of hidden properties in one family of `allOf`: another member may require them. */
type Family = Set<string>;

const CUT_DEEP = 'More is allowed here than can be shown.';
const ELSEWHERE = 'Described in another document.';

/** Writes a part of the document as a schema of its own, without references. */
export type WriteSchema = (schema: unknown) => JsonObject;

export interface SchemaWriterOptions {
  readonly refs: Refs;
  readonly limits: Pick<ApiLimits, 'schemaDepth' | 'schemaNodes' | 'schemaBytes'>;
  /** Called for each reference that leads nowhere, or out of the document. */
  readonly onLost: (ref: string) => void;
}

/**
 * Schemas of an OpenAPI document as plain JSON Schema: references replaced by what they mean, since hosts drop `$defs`, and the keywords of
 * 3.0 said in those of 2020-12. What is cut (circles, depth) allows everything, so that no valid value is refused.
 */
export class SchemaWriter {
  readonly #options: SchemaWriterOptions;
  readonly #built = { request: new WeakMap<JsonObject, Fitting>(), response: new WeakMap<JsonObject, Fitting>() };

  constructor(options: SchemaWriterOptions) {
    this.#options = options;
  }

  /**
   * Builds something of schemas, as deep as fits into the bounds and `room` bytes; undefined if it fits in no depth. What was built of the
   * same `key` is built once.
   */
  fit(direction: Direction, room: number, build: (write: WriteSchema) => JsonObject, key?: JsonObject): JsonObject | undefined {
    const known = key === undefined ? undefined : this.#built[direction].get(key);
    if (known !== undefined && known.bytes <= room) return known.schema;
    const { schemaDepth, schemaBytes } = this.#options.limits;
    const maxBytes = Math.min(schemaBytes, room);
    const attempt = (depth: number): Fitting | undefined => this.#attempt(direction, build, depth, maxBytes);
    const fitting = attempt(schemaDepth) ?? deepest(attempt, schemaDepth);
    if (key !== undefined && fitting !== undefined) this.#built[direction].set(key, fitting);
    return fitting?.schema;
  }

  #attempt(direction: Direction, build: (write: WriteSchema) => JsonObject, depth: number, maxBytes: number): Fitting | undefined {
    const hidden = direction === 'request' ? 'readOnly' : 'writeOnly';
    const attempt: Attempt = { hidden, depth, open: new Set(), nodes: 0, loosened: 0 };
    const schema = build((part) => this.#write(part, attempt, 0));
    if (attempt.nodes > this.#options.limits.schemaNodes) return undefined;
    const bytes = JSON.stringify(schema).length;
    return bytes <= maxBytes ? { schema, bytes } : undefined;
  }

  #write(node: unknown, attempt: Attempt, depth: number, family?: Family): JsonObject {
    if (node === false) return { not: {} };
    if (!isObject(node) || ++attempt.nodes > this.#options.limits.schemaNodes) return {};
    if (attempt.open.has(node)) return this.#cut(attempt, 'The same again, as above.');
    attempt.open.add(node);
    const written = typeof node.$ref === 'string' ? this.#behind(node.$ref, node, attempt, depth) : this.#own(node, attempt, depth, family);
    attempt.open.delete(node);
    return written;
  }

  #cut(attempt: Attempt, description: string): JsonObject {
    attempt.loosened++;
    return { description };
  }

  /** What a reference means, with what stands beside it. */
  #behind(ref: string, node: JsonObject, attempt: Attempt, depth: number): JsonObject {
    const target = this.#options.refs.find(ref);
    if (!isObject(target) && typeof target !== 'boolean') {
      this.#options.onLost(ref);
      return this.#cut(attempt, ELSEWHERE);
    }
    if (isObject(target) && attempt.open.has(target)) return this.#cut(attempt, `Again a ${refName(ref)}, as above.`);
    const meant = this.#write(target, attempt, depth);
    if (Object.keys(node).length === 1) return meant;
    const beside = this.#own(node, attempt, depth);
    const told = Object.fromEntries(
      Object.entries(beside).filter(([key]) => key === 'title' || key === 'description' || key === 'default'),
    );
    const merged = mergeSchemas({ ...meant, ...told }, beside);
    return node.nullable === true ? withNull(merged ?? meant) : (merged ?? meant);
  }

  #own(node: JsonObject, attempt: Attempt, depth: number, family?: Family): JsonObject {
    const hidden: Family = family ?? new Set();
    const { out, size, loosened } = readLeaves(node, this.#options.limits.schemaNodes / 4);
    attempt.nodes += size;
    if (loosened) attempt.loosened++;
    if (depth < attempt.depth) this.#children(node, out, attempt, { depth: depth + 1, hidden });
    else if (hasChildren(node)) {
      attempt.loosened++;
      out.description ??= CUT_DEEP;
    }
    const merged = this.#allOf(node, out, attempt, { depth, hidden });
    const whole = family === undefined && hidden.size > 0 ? withoutRequired(merged, hidden) : merged;
    return node.nullable === true && node.$ref === undefined ? withNull(whole) : whole;
  }

  #children(node: JsonObject, out: Record<string, unknown>, attempt: Attempt, at: Place): void {
    this.#properties(node, out, attempt, at);
    for (const key of SINGLE) {
      const child = node[key];
      if (isObject(child)) out[key] = this.#write(child, attempt, at.depth);
      else if (typeof child === 'boolean') out[key] = child;
    }
    for (const key of NAMED) {
      const children = node[key];
      if (isObject(children)) out[key] = this.#each(children, attempt, at.depth);
    }
    if (Array.isArray(node.prefixItems) && node.prefixItems.length > 0) out.prefixItems = this.#list(node.prefixItems, attempt, at.depth);
    this.#choices(node, out, attempt, at.depth);
    this.#exact(node, out, attempt, at.depth);
  }

  #properties(node: JsonObject, out: Record<string, unknown>, attempt: Attempt, { depth, hidden }: Place): void {
    const properties = isObject(node.properties) ? Object.entries(node.properties) : [];
    const shown: [string, JsonObject][] = [];
    for (const [name, schema] of properties) {
      if (attempt.nodes > this.#options.limits.schemaNodes) break;
      if (this.#options.refs.isMarked(schema, attempt.hidden)) hidden.add(name);
      else shown.push([name, this.#write(schema, attempt, depth)]);
    }
    if (hidden.size > 0) attempt.loosened++;
    if (shown.length > 0) out.properties = Object.fromEntries(shown);
    if (!Array.isArray(node.required)) return;
    const required = [...new Set((node.required as unknown[]).filter((name): name is string => typeof name === 'string'))];
    if (required.length > 0) out.required = required;
  }

  /** `oneOf` wants exactly one: where a choice was loosened, several may fit a valid value, and any will do. */
  #choices(node: JsonObject, out: Record<string, unknown>, attempt: Attempt, depth: number): void {
    if (Array.isArray(node.anyOf) && node.anyOf.length > 0) out.anyOf = this.#list(node.anyOf, attempt, depth);
    if (!Array.isArray(node.oneOf) || node.oneOf.length === 0) return;
    const before = attempt.loosened;
    if (node.discriminator !== undefined) attempt.loosened++;
    const choices = this.#list(node.oneOf, attempt, depth);
    if (attempt.loosened === before) out.oneOf = choices;
    else out.anyOf ??= choices;
  }

  /** Keywords that mean something only if nothing in them was loosened. */
  #exact(node: JsonObject, out: Record<string, unknown>, attempt: Attempt, depth: number): void {
    const before = attempt.loosened;
    const not = isObject(node.not) ? this.#write(node.not, attempt, depth) : undefined;
    if (not !== undefined && attempt.loosened === before) out.not = not;
    if (!isObject(node.if)) return;
    const between = attempt.loosened;
    const condition = this.#write(node.if, attempt, depth);
    if (attempt.loosened !== between) return;
    out.if = condition;
    for (const key of ['then', 'else'] as const) if (isObject(node[key])) out[key] = this.#write(node[key], attempt, depth);
  }

  #allOf(node: JsonObject, out: Record<string, unknown>, attempt: Attempt, { depth, hidden }: Place): JsonObject {
    if (!Array.isArray(node.allOf) || node.allOf.length === 0) return out;
    const members = (node.allOf as unknown[]).map((member) => this.#member(member, attempt, depth, hidden));
    let merged: JsonObject | undefined = out;
    for (const member of members) merged = merged && mergeSchemas(merged, member);
    return merged ?? { ...out, allOf: members.map((member) => withoutRequired(member, hidden)) };
  }

  /** A member of `allOf` is as deep as the schema it belongs to. */
  #member(member: unknown, attempt: Attempt, depth: number, family: Family): JsonObject {
    const ref = isObject(member) && Object.keys(member).length === 1 ? member.$ref : undefined;
    const target = typeof ref === 'string' ? this.#options.refs.find(ref) : undefined;
    if (typeof ref === 'string' && isObject(target) && attempt.open.has(target))
      return this.#cut(attempt, `Again a ${refName(ref)}, as above.`);
    return this.#write(target ?? member, attempt, depth, family);
  }

  #list(schemas: readonly unknown[], attempt: Attempt, depth: number): JsonObject[] {
    return schemas.slice(0, this.#options.limits.schemaNodes).map((schema) => this.#write(schema, attempt, depth));
  }

  #each(schemas: JsonObject, attempt: Attempt, depth: number): JsonObject {
    return Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, this.#write(schema, attempt, depth)]));
  }
}

interface Fitting {
  readonly schema: JsonObject;
  readonly bytes: number;
}

/** Shallow attempts cost little, so the search goes down into the depth. */
function deepest(attempt: (depth: number) => Fitting | undefined, below: number): Fitting | undefined {
  let fitting: Fitting | undefined;
  for (let depth = 0; depth < below; depth++) {
    const deeper = attempt(depth);
    if (deeper === undefined) break;
    fitting = deeper;
  }
  return fitting;
}

interface Place {
  readonly depth: number;
  readonly hidden: Family;
}

const SINGLE = ['items', 'additionalProperties', 'propertyNames', 'unevaluatedProperties', 'unevaluatedItems'] as const;
const NAMED = ['patternProperties', 'dependentSchemas'] as const;
const WITH_CHILDREN = [...SINGLE, ...NAMED, 'properties', 'prefixItems', 'anyOf', 'oneOf', 'not', 'if'] as const;

const hasChildren = (node: JsonObject): boolean => WITH_CHILDREN.some((key) => typeof node[key] === 'object' && node[key] !== null);

function withoutRequired(schema: JsonObject, hidden: ReadonlySet<string>): JsonObject {
  if (!Array.isArray(schema.required)) return schema;
  const { required, ...rest } = schema;
  const left = (required as string[]).filter((name) => !hidden.has(name));
  return left.length === 0 ? rest : { ...rest, required: left };
}

const isNull = (schema: unknown): boolean => isObject(schema) && schema.type === 'null';

/** The schema that also allows null (`nullable` of 3.0). */
export function withNull(schema: JsonObject): JsonObject {
  const { type } = schema;
  if (type !== undefined && schema.const === undefined && schema.allOf === undefined) {
    const types = Array.isArray(type) ? (type as string[]) : [type as string];
    const values = schema.enum as unknown[] | undefined;
    return {
      ...schema,
      type: types.includes('null') ? types : [...types, 'null'],
      ...(values === undefined || values.includes(null) ? {} : { enum: [...values, null] }),
    };
  }
  const { description, ...rest } = schema;
  if (Object.keys(rest).length === 0) return schema;
  const told = description === undefined ? {} : { description };
  const choices = Object.keys(rest).length === 1 && Array.isArray(rest.anyOf) ? (rest.anyOf as unknown[]) : [rest];
  return choices.some(isNull) ? schema : { ...told, anyOf: [...choices, { type: 'null' }] };
}

/** The schema with what a parameter or a body says around it. */
export function described(schema: JsonObject, around: JsonObject): JsonObject {
  const { description, deprecated } = around;
  const examples = schema.examples === undefined ? examplesOf(around) : [];
  return {
    ...schema,
    ...(typeof description === 'string' && description !== '' ? { description: shortened(description, 400) } : {}),
    ...(deprecated === true ? { deprecated } : {}),
    ...(examples.length > 0 ? { examples } : {}),
  };
}
