import { setImmediate } from 'node:timers/promises';
import { isObject, type JsonObject } from '../../protocol/index.ts';
import { messageOf } from '../../shared/index.ts';
import { readDocument, versionOf } from './document.ts';
import { shortened } from './leaves.ts';
import { isToolName, toolNames } from './naming.ts';
import { readOperation, type OperationContext, type OperationReading, type RawOperation } from './operation.ts';
import { credentialKeys } from './parameters.ts';
import { Refs } from './refs.ts';
import { SchemaWriter } from './schema.ts';
import { documentFacts, selected } from './select.ts';
import { baseUrlOf, documentUrlOf } from './server-url.ts';
import {
  API_LIMITS,
  API_METHODS,
  type ApiFacts,
  type ApiLimits,
  type ApiMethod,
  type ApiOperation,
  type ApiOptions,
  type ApiReading,
  type ApiToolPolicy,
} from './types.ts';

const METHODS: ReadonlySet<string> = new Set(API_METHODS);
const MAX_WARNINGS = 100;
const MAX_DESCRIPTION = 2_000;
/** Bytes that an operation's schemas may have even where little is left. */
const MIN_ROOM = 4_000;

const textOf = (value: unknown): string | undefined => (typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined);

/** Warnings for people: no more than they read. */
class Warnings {
  readonly #kept: string[] = [];
  readonly #seen = new Set<string>();
  #more = 0;

  add(warning: string): void {
    if (this.#kept.length >= MAX_WARNINGS) this.#more++;
    else if (!this.#seen.has(warning)) this.#kept.push(warning);
    if (this.#seen.size < MAX_WARNINGS) this.#seen.add(warning);
  }

  list(): readonly string[] {
    return this.#more === 0 ? this.#kept : [...this.#kept, `${this.#more} more warnings are left out.`];
  }
}

function factsOf(root: JsonObject, baseUrl: string | undefined): ApiFacts {
  const info = isObject(root.info) ? root.info : {};
  const description = textOf(info.description) ?? textOf(info.summary);
  return {
    openapi: versionOf(root),
    dialect: textOf(root.jsonSchemaDialect),
    title: shortened(textOf(info.title) ?? 'API', 200),
    version: shortened(String(textOf(info.version) ?? (typeof info.version === 'number' ? info.version : '')), 100),
    description: description === undefined ? undefined : shortened(description, MAX_DESCRIPTION),
    baseUrl,
  };
}

/** Every operation of the document, in its order. */
function rawOperations(root: JsonObject, refs: Refs): RawOperation[] {
  const found: RawOperation[] = [];
  for (const [path, node] of Object.entries(root.paths as JsonObject)) {
    const item = refs.resolve(node);
    if (item === undefined) continue;
    for (const [verb, operation] of Object.entries(item)) {
      if (!METHODS.has(verb) || !isObject(operation)) continue;
      const method = verb.toUpperCase() as ApiMethod;
      const tags = Array.isArray(operation.tags) ? (operation.tags as unknown[]).filter((tag) => typeof tag === 'string') : [];
      const facts = operation['x-mcp'];
      found.push({ operationId: textOf(operation.operationId), key: `${method} ${path}`, tags, facts, method, path, operation, item });
    }
  }
  return found;
}

/** Names of tools, as the document's `x-mcp` facts and the operator want them. */
class Names {
  readonly #tools: Readonly<Record<string, ApiToolPolicy>>;
  readonly #generated: ReadonlyMap<string, string>;
  readonly #taken = new Set<string>();
  readonly #unused: Set<string>;

  constructor(operations: readonly RawOperation[], { tools = {} }: ApiOptions) {
    this.#tools = tools;
    this.#unused = new Set(Object.keys(tools));
    this.#generated = toolNames(
      operations.map(({ operationId, key, facts }) => ({ operationId: documentFacts(facts).name ?? operationId, key })),
    );
    for (const name of this.#generated.values()) this.#taken.add(name);
  }

  policyOf({ key, operationId }: RawOperation): ApiToolPolicy {
    const known = [this.#generated.get(key), operationId, key].find((name) => name !== undefined && Object.hasOwn(this.#tools, name));
    if (known === undefined) return {};
    this.#unused.delete(known);
    return this.#tools[known] ?? {};
  }

  nameOf({ key }: RawOperation, { rename }: ApiToolPolicy, warnings: Warnings): string {
    const name = this.#generated.get(key) ?? key;
    if (rename === undefined || rename === name) return name;
    if (isToolName(rename) && !this.#taken.has(rename)) {
      this.#taken.add(rename);
      return rename;
    }
    const why = this.#taken.has(rename) ? 'another tool has that name' : 'a name is 1 to 64 of letters, digits, "_", "." and "-"';
    warnings.add(`Tool ${name} keeps its name: it cannot be renamed to "${rename.slice(0, 100)}", since ${why}.`);
    return name;
  }

  /** Settings of tools that do not exist. */
  unused(): readonly string[] {
    return [...this.#unused];
  }
}

interface Reading {
  readonly context: Omit<OperationContext, 'room'>;
  readonly limits: ApiLimits;
  readonly warnings: Warnings;
}

/** A document of which nobody thought loses the operation, not all of them. */
function tried(work: () => OperationReading): OperationReading {
  try {
    return work();
  } catch (error) {
    return { ok: false, reason: `it could not be read (${shortened(messageOf(error), 100)})` };
  }
}

/** Pauses after each operation. */
function* readOperations(raw: readonly RawOperation[], { context, limits, warnings }: Reading): Generator<undefined, ApiOperation[]> {
  const chosen = selected(raw, context.options);
  const names = new Names(chosen, context.options);
  const operations: ApiOperation[] = [];
  const endsAt = performance.now() + limits.readMs;
  let bytes = 0;
  for (const [i, one] of chosen.entries()) {
    yield;
    const policy = names.policyOf(one);
    if (policy.hidden === true) continue;
    const full = operations.length >= limits.operations ? `more than ${limits.operations} operations` : undefined;
    const reason = full ?? (bytes > limits.totalBytes ? `more than ${limits.totalBytes} bytes of definitions` : undefined);
    const stop = reason ?? (performance.now() > endsAt ? `reading took more than ${limits.readMs} ms` : undefined);
    if (stop !== undefined) {
      warnings.add(`${chosen.length - i} operations are left out: ${stop}. Set "include" or "exclude" in the configuration.`);
      break;
    }
    const room = Math.max(MIN_ROOM, (limits.totalBytes - bytes) / (Math.min(chosen.length, limits.operations) - operations.length));
    const read = tried(() => readOperation(one, names.nameOf(one, policy, warnings), policy, { ...context, room }));
    if (!read.ok) warnings.add(`${one.key} is left out: ${read.reason}.`);
    else {
      bytes += JSON.stringify(read.operation.definition).length;
      operations.push(read.operation);
      if (read.warning !== undefined) warnings.add(`${one.key} is called without a body: ${read.warning}.`);
    }
  }
  for (const name of names.unused()) warnings.add(`There are settings for "${name.slice(0, 100)}", which is no tool of this API.`);
  return operations;
}

function* read(root: JsonObject, options: ApiOptions, limits: ApiLimits, warnings: Warnings): Generator<undefined, ApiReading> {
  const refs = new Refs(root);
  const base = baseUrlOf(root, options);
  if (base.warning !== undefined) warnings.add(base.warning);
  const onLost = (ref: string): void =>
    warnings.add(`The reference ${ref.slice(0, 200)} leads nowhere in the document: anything is allowed there.`);
  const writer = new SchemaWriter({ refs, limits, onLost });
  const context = { options, refs, writer, credentials: credentialKeys(root, refs), ownUrl: documentUrlOf(root, options) };
  const raw = rawOperations(root, refs);
  const operations = yield* readOperations(raw, { context, limits, warnings });
  if (operations.length === 0) warnings.add('The document has no operation that can be called.');
  return { facts: factsOf(root, base.url), operations, warnings: warnings.list() };
}

const NOTHING: ApiFacts = { openapi: '', dialect: undefined, title: 'API', version: '', description: undefined, baseUrl: undefined };

function* reading(source: unknown, options: ApiOptions): Generator<undefined, ApiReading> {
  const limits = { ...API_LIMITS, ...options.limits };
  const warnings = new Warnings();
  try {
    const document = readDocument(source, limits);
    if (document.ok) return yield* read(document.root, options, limits, warnings);
    warnings.add(document.problem);
  } catch (error) {
    warnings.add(`The document could not be read: ${shortened(messageOf(error), 200)}.`);
  }
  return { facts: NOTHING, operations: [], warnings: warnings.list() };
}

/** Tools out of an OpenAPI 3.0 or 3.1 document: its text (JSON or YAML), or the parsed value. Never throws; what is wrong is a warning. */
export function readApi(source: unknown, options: ApiOptions = {}): ApiReading {
  const steps = reading(source, options);
  let step = steps.next();
  while (step.done !== true) step = steps.next();
  return step.value;
}

const SLICE_MS = 20;

/** The same in slices, between which other calls go on. Never rejects. */
export async function readApiInTurns(source: unknown, options: ApiOptions = {}): Promise<ApiReading> {
  const steps = reading(source, options);
  let endsAt = performance.now() + SLICE_MS;
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done === true) return step.value;
    if (performance.now() < endsAt) continue;
    await setImmediate();
    endsAt = performance.now() + SLICE_MS;
  }
}
