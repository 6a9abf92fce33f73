import { isObject, type JsonObject, type SideEffect } from '../../protocol/index.ts';
import type { ApiMethod, ApiOptions } from './types.ts';

/** True if the pattern, in which `*` stands for any text, is the whole of `text`. Takes linear time. */
export function matches(pattern: string, text: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  if (rest.length === 0) return pattern === text;
  if (!text.startsWith(first)) return false;
  const last = rest.pop() ?? '';
  let at = first.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}

export interface Selectable {
  readonly operationId: string | undefined;
  readonly key: string;
  readonly tags: readonly string[];
  /** The operation's `x-mcp`: false leaves it out. */
  readonly facts: unknown;
}

const named = (patterns: readonly string[], { operationId, key, tags }: Selectable): boolean =>
  patterns.some((pattern) => [operationId ?? '', key, ...tags].some((text) => text !== '' && matches(pattern, text)));

/** The operations that are to become tools. */
export function selected<T extends Selectable>(operations: readonly T[], { include = [], exclude = [] }: ApiOptions): T[] {
  const curated = include.length === 0 && operations.some(({ facts }) => isObject(facts));
  return operations.filter((operation) => {
    if (operation.facts === false || named(exclude, operation)) return false;
    if (include.length > 0) return named(include, operation);
    return !curated || isObject(operation.facts);
  });
}

/** What an operation's `x-mcp` says, in the form of the facts on our own routes; what is malformed is not there. */
export interface DocumentFacts {
  readonly name: string | undefined;
  readonly title: string | undefined;
  readonly description: string | undefined;
  readonly scope: string | undefined;
  readonly annotations: JsonObject;
  readonly softBytes: number | undefined;
  readonly hardBytes: number | undefined;
}

const HINTS = ['readOnlyHint', 'destructiveHint', 'idempotentHint', 'openWorldHint'] as const;
const text = (value: unknown): string | undefined => (typeof value === 'string' && value.trim() !== '' ? value : undefined);
const bytes = (value: unknown): number | undefined =>
  Number.isSafeInteger(value) && (value as number) > 0 ? (value as number) : undefined;

export function documentFacts(facts: unknown): DocumentFacts {
  const given = isObject(facts) ? facts : {};
  const hints = isObject(given.annotations) ? given.annotations : {};
  const caps = isObject(given.caps) ? given.caps : {};
  return {
    name: text(given.name),
    title: text(given.title),
    description: text(given.description),
    scope: text(given.scope),
    annotations: Object.fromEntries(HINTS.filter((hint) => typeof hints[hint] === 'boolean').map((hint) => [hint, hints[hint]])),
    softBytes: bytes(caps.softBytes),
    hardBytes: bytes(caps.hardBytes),
  };
}

/** What HTTP says of a method (RFC 9110 9.2). */
export function methodHints(method: ApiMethod): JsonObject {
  if (method === 'GET' || method === 'HEAD') return { readOnlyHint: true };
  if (method === 'DELETE') return { readOnlyHint: false, destructiveHint: true, idempotentHint: true };
  return { readOnlyHint: false, ...(method === 'PUT' ? { idempotentHint: true } : {}) };
}

/** The hints of a class that an operator set: clients read them. */
export function classHints(sideEffect: SideEffect | undefined): JsonObject {
  if (sideEffect === undefined) return {};
  if (sideEffect === 'read') return { readOnlyHint: true, destructiveHint: false };
  return sideEffect === 'write'
    ? { readOnlyHint: false, idempotentHint: false }
    : { readOnlyHint: false, destructiveHint: false, idempotentHint: true };
}

/** DESIGN 5: unknown means write, and what may be repeated must not destroy. */
export function sideEffectOf({ readOnlyHint, idempotentHint, destructiveHint }: JsonObject): SideEffect {
  if (readOnlyHint === true) return 'read';
  return idempotentHint === true && destructiveHint === false ? 'idempotent_write' : 'write';
}
