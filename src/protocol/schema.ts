import type { ErrorObject, ValidateFunction } from 'ajv';
import { messageOf } from '../shared/index.ts';
import { boundedAjv, MAX_STEPS, type BoundedAjv } from './bounded-ajv.ts';
import type { JsonObject } from './meta.ts';
import { resolvePointer, withoutOptionalNulls } from './optional-nulls.ts';

export { withoutOptionalNulls } from './optional-nulls.ts';

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

const MAX_VIOLATIONS = 20;

/** Bounds on schemas that others wrote (S26 basic, "Composition-Keyword Resource Use"). */
export const SCHEMA_BOUNDS = { bytes: 256 * 1024, depth: 64, nodes: 4_000 } as const;

const DIALECTS: ReadonlyMap<unknown, '2020' | '7'> = new Map([
  ['https://json-schema.org/draft/2020-12/schema', '2020'],
  ['http://json-schema.org/draft-07/schema', '7'],
  ['https://json-schema.org/draft-07/schema', '7'],
]);

/** Ajv looks references up in plain objects: one to an inherited name would find something that is no schema and let all pass. */
const isInherited = (root: JsonObject, ref: string): boolean =>
  ref.split(/[#/]/).some((part) => part in Object.prototype) && resolvePointer(root, ref) === undefined;

function outOfBounds(schema: JsonObject): string | undefined {
  let nodes = 0;
  const walk = (node: unknown, depth: number): string | undefined => {
    if (typeof node !== 'object' || node === null) return undefined;
    if (depth > SCHEMA_BOUNDS.depth) return `the schema is nested deeper than ${SCHEMA_BOUNDS.depth} levels`;
    if (++nodes > SCHEMA_BOUNDS.nodes) return `the schema has more than ${SCHEMA_BOUNDS.nodes} parts`;
    for (const [key, child] of Object.entries(node)) {
      const lost = key === '$ref' && typeof child === 'string' && isInherited(schema, child);
      const reason = lost ? `can't resolve reference ${child}` : walk(child, depth + 1);
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
  readonly #ajvs = new Map<'2020' | '7', BoundedAjv>();
  #names = 0;

  compile(schema: JsonObject): Validator {
    const dialect = schema.$schema === undefined ? '2020' : DIALECTS.get(dialectName(schema.$schema));
    if (dialect === undefined)
      return { ok: false, reason: `the dialect ${JSON.stringify(schema.$schema)} is not supported (2020-12 and draft-07 are)` };
    const unbounded = outOfBounds(schema);
    if (unbounded !== undefined) return { ok: false, reason: unbounded };
    try {
      // $async is Ajv's own and no keyword of JSON Schema: it would turn the check into a promise, which is always true.
      const { $schema: _dialect, $async: _async, ...rest } = schema;
      const ajv = this.#ajv(dialect);
      ajv.stepsLeft = MAX_STEPS;
      const check = ajv.compile(this.#named(rest));
      return { ok: true, validate: (value) => run(ajv, check, schema, value) };
    } catch (error) {
      return { ok: false, reason: messageOf(error) };
    }
  }

  /** Ajv finds the root of a schema that refers to itself only by a name; each gets its own, as anchors are kept by it. */
  #named(schema: JsonObject): JsonObject {
    const nameless = typeof schema.$id !== 'string' && JSON.stringify(schema).includes('"$ref":"#"');
    return nameless ? { ...schema, $id: `urn:schema:${++this.#names}` } : schema;
  }

  #ajv(dialect: '2020' | '7'): BoundedAjv {
    let ajv = this.#ajvs.get(dialect);
    if (ajv === undefined) this.#ajvs.set(dialect, (ajv = boundedAjv(dialect)));
    return ajv;
  }
}

export type Prepared =
  { readonly ok: true; readonly value: JsonObject } | { readonly ok: false; readonly violations: readonly Violation[] };

/**
 * For schemas of our own: checks an object and fills in the schema's defaults, in a copy. Optional `null`s count as absent.
 * Throws if the schema cannot be compiled.
 */
export function preparer(schema: JsonObject): (value: JsonObject) => Prepared {
  const ajv = boundedAjv('2020', { useDefaults: true });
  const check = ajv.compile(schema);
  return (value) => {
    ajv.stepsLeft = MAX_STEPS;
    const copy = structuredClone(withoutOptionalNulls(value, schema)) as JsonObject;
    return check(copy) ? { ok: true, value: copy } : { ok: false, violations: (check.errors ?? []).map(violation) };
  };
}

const dialectName = (declared: unknown): string => (typeof declared === 'string' ? declared.replace(/#$/, '') : '');

/** Fails closed: a value that cannot be checked within the budget or the stack does not fit. */
const UNCHECKABLE: readonly Violation[] = [{ path: '', message: 'cannot be checked: its schema asks for too many steps on it' }];

function run(ajv: BoundedAjv, check: ValidateFunction, schema: JsonObject, value: unknown): readonly Violation[] | undefined {
  try {
    ajv.stepsLeft = MAX_STEPS;
    if (check(value)) return undefined;
    const violations = (check.errors ?? []).slice(0, MAX_VIOLATIONS).map(violation);
    const pruned = withoutOptionalNulls(value, schema);
    return pruned === value || !check(pruned) ? violations : undefined;
  } catch {
    return UNCHECKABLE;
  }
}

const MAX_SHOWN = 400;

/** A value of the schema in a message, cut where it is long: an enum may hold thousands. */
function shown(value: unknown): string {
  const json = JSON.stringify(value);
  return json.length > MAX_SHOWN ? `${json.slice(0, MAX_SHOWN)}...` : json;
}

function violation(error: ErrorObject): Violation {
  const { instancePath, message = 'is not valid', params } = error;
  const extra = params as Record<string, unknown>;
  if (error.keyword === 'additionalProperties')
    return { path: instancePath, message: `has no property "${String(extra.additionalProperty)}"` };
  if (error.keyword === 'required') return { path: instancePath, message: `needs the property "${String(extra.missingProperty)}"` };
  if (error.keyword === 'enum') return { path: instancePath, message: `must be one of ${shown(extra.allowedValues)}` };
  if (error.keyword === 'const') return { path: instancePath, message: `must be ${shown(extra.allowedValue)}` };
  return { path: instancePath, message };
}

/** Violations as one sentence: `arguments/symbols needs ...`. */
export function describeViolations(root: string, violations: readonly Violation[]): string {
  return violations
    .slice(0, 5)
    .map(({ path, message }) => `${root}${path} ${message}`)
    .join('; ');
}
