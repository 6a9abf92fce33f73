import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { messageOf } from '../shared/index.ts';
import { isObject, type JsonObject } from './meta.ts';
import { linearRegExp } from './patterns.ts';

/** What is wrong with a value, in words for the one who sent it. */
export interface Violation {
  /** JSON pointer into the value; empty for the root. */
  readonly path: string;
  readonly message: string;
}

/** Undefined if the value fits. */
export type Validate = (value: unknown) => readonly Violation[] | undefined;

/** A compiled schema, or why there is none: an unsupported dialect, an unresolvable reference, a bound exceeded. */
export type Validator = { readonly ok: true; readonly validate: Validate } | { readonly ok: false; readonly reason: string };

/** Bounds on schemas that others wrote (S26 basic, "Composition-Keyword Resource Use"). */
export const SCHEMA_BOUNDS = { bytes: 256 * 1024, depth: 64, nodes: 10_000 } as const;

const DIALECTS: Readonly<Record<string, '2020' | '7'>> = {
  'https://json-schema.org/draft/2020-12/schema': '2020',
  'http://json-schema.org/draft-07/schema': '7',
  'https://json-schema.org/draft-07/schema': '7',
};

const OPTIONS = {
  strict: false,
  allErrors: false,
  validateFormats: true,
  logger: false,
  addUsedSchema: false,
  code: { regExp: linearRegExp },
} as const;

function outOfBounds(schema: JsonObject): string | undefined {
  let nodes = 0;
  const walk = (node: unknown, depth: number): string | undefined => {
    if (typeof node !== 'object' || node === null) return undefined;
    if (depth > SCHEMA_BOUNDS.depth) return `the schema is nested deeper than ${SCHEMA_BOUNDS.depth} levels`;
    if (++nodes > SCHEMA_BOUNDS.nodes) return `the schema has more than ${SCHEMA_BOUNDS.nodes} parts`;
    for (const child of Object.values(node)) {
      const reason = walk(child, depth + 1);
      if (reason !== undefined) return reason;
    }
    return undefined;
  };
  const reason = walk(schema, 0);
  if (reason !== undefined) return reason;
  return JSON.stringify(schema).length > SCHEMA_BOUNDS.bytes ? `the schema is larger than ${SCHEMA_BOUNDS.bytes} bytes` : undefined;
}

/**
 * Compiles schemas of one server at one version of its catalogue. The schemas are untrusted: bounded first, no remote references,
 * patterns in linear time, and an own Ajv instance, so that `$id`s of one server cannot reach another's.
 */
export class SchemaCompiler {
  #ajv2020: Ajv2020 | undefined;
  #ajv7: Ajv | undefined;

  compile(schema: JsonObject): Validator {
    const dialect = schema.$schema === undefined ? '2020' : DIALECTS[dialectName(schema.$schema)];
    if (dialect === undefined)
      return { ok: false, reason: `the dialect ${JSON.stringify(schema.$schema)} is not supported (2020-12 and draft-07 are)` };
    const unbounded = outOfBounds(schema);
    if (unbounded !== undefined) return { ok: false, reason: unbounded };
    try {
      const { $id: _id, ...anonymous } = schema;
      const check = this.#ajv(dialect).compile(anonymous);
      return { ok: true, validate: (value) => run(check, schema, value) };
    } catch (error) {
      return { ok: false, reason: messageOf(error) };
    }
  }

  #ajv(dialect: '2020' | '7'): Ajv2020 | Ajv {
    if (dialect === '2020') return (this.#ajv2020 ??= withFormats(new Ajv2020(OPTIONS)));
    return (this.#ajv7 ??= withFormats(new Ajv(OPTIONS)));
  }
}

export type Prepared =
  { readonly ok: true; readonly value: JsonObject } | { readonly ok: false; readonly violations: readonly Violation[] };

/**
 * For schemas of our own: checks an object and fills in the schema's defaults, in a copy. Optional `null`s count as absent.
 * Throws if the schema cannot be compiled.
 */
export function preparer(schema: JsonObject): (value: JsonObject) => Prepared {
  const check = withFormats(new Ajv2020({ ...OPTIONS, useDefaults: true })).compile(schema);
  return (value) => {
    const copy = structuredClone(withoutOptionalNulls(value, schema)) as JsonObject;
    return check(copy) ? { ok: true, value: copy } : { ok: false, violations: (check.errors ?? []).map(violation) };
  };
}

const dialectName = (declared: unknown): string => (typeof declared === 'string' ? declared.replace(/#$/, '') : '');

function withFormats<T extends Ajv>(ajv: T): T {
  addFormats.default(ajv);
  return ajv;
}

function run(check: ValidateFunction, schema: JsonObject, value: unknown): readonly Violation[] | undefined {
  if (check(value)) return undefined;
  const violations = (check.errors ?? []).map(violation);
  const pruned = withoutOptionalNulls(value, schema);
  return pruned === value || !check(pruned) ? violations : undefined;
}

/**
 * The value without the `null`s at properties that the schema does not require: hosts send them for "not given" (PROTOCOL A7).
 * The same object if there are none.
 */
export function withoutOptionalNulls(value: unknown, schema: unknown): unknown {
  if (!isObject(value) || !isObject(schema) || !isObject(schema.properties)) return value;
  const required = Array.isArray(schema.required) ? (schema.required as unknown[]) : [];
  let copy: Record<string, unknown> | undefined;
  for (const [key, child] of Object.entries(value)) {
    const childSchema = Object.hasOwn(schema.properties, key) ? schema.properties[key] : undefined;
    if (child === null && childSchema !== undefined && !required.includes(key)) {
      copy ??= { ...value };
      delete copy[key];
      continue;
    }
    const pruned = withoutOptionalNulls(child, childSchema);
    if (pruned !== child) {
      copy ??= { ...value };
      copy[key] = pruned;
    }
  }
  return copy ?? value;
}

function violation(error: ErrorObject): Violation {
  const { instancePath, message = 'is not valid', params } = error;
  const extra = params as Record<string, unknown>;
  if (error.keyword === 'additionalProperties')
    return { path: instancePath, message: `has no property "${String(extra.additionalProperty)}"` };
  if (error.keyword === 'required') return { path: instancePath, message: `needs the property "${String(extra.missingProperty)}"` };
  if (error.keyword === 'enum') return { path: instancePath, message: `must be one of ${JSON.stringify(extra.allowedValues)}` };
  if (error.keyword === 'const') return { path: instancePath, message: `must be ${JSON.stringify(extra.allowedValue)}` };
  return { path: instancePath, message };
}

/** Violations as one sentence: `arguments/symbols needs ...`. */
export function describeViolations(root: string, violations: readonly Violation[]): string {
  return violations
    .slice(0, 5)
    .map(({ path, message }) => `${root}${path} ${message}`)
    .join('; ');
}
