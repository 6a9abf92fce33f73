import type { JsonObject } from '../protocol/index.ts';

/** What the generator needs of an HTTP route: its schemas, its handler and, under `mcp`, the facts that make it a tool. */
export interface RouteFact {
  readonly operationId: string;
  readonly summary: string;
  readonly description: string;
  /** JSON Schema objects; their property names do not collide within a route. */
  readonly params?: object;
  readonly query?: object;
  readonly body?: object;
  /** JSON Schema of the 200 body. */
  readonly response: object;
  readonly mcp?: ToolFacts;
  handle(input: RouteInput, context: RouteContext): unknown;
}

export interface ToolFacts {
  readonly title: string;
  readonly scope: string;
  readonly annotations: {
    readonly readOnlyHint: boolean;
    readonly destructiveHint: boolean;
    readonly idempotentHint: boolean;
    readonly openWorldHint: boolean;
  };
  readonly caps: { readonly rows: number; readonly maxRows: number; readonly softBytes: number; readonly hardBytes: number };
}

export interface RouteInput {
  readonly params: Record<string, unknown>;
  readonly query: Record<string, unknown>;
  readonly body: Record<string, unknown>;
}

export interface RouteContext {
  readonly identity: { readonly ok: true; readonly id: string; readonly scopes: ReadonlySet<string> };
  readonly signal?: AbortSignal;
}

/** A refusal that a route throws: HTTP status and numeric code, and what to do about it. */
export interface RouteError {
  readonly status: number;
  readonly code: number;
  readonly message: string;
  readonly field?: string | undefined;
  readonly retryable: boolean;
  readonly hint?: string | undefined;
}

export function isRouteError(error: unknown): error is RouteError {
  if (!(error instanceof Error)) return false;
  const { status, code, retryable } = error as Partial<RouteError>;
  return typeof status === 'number' && typeof code === 'number' && typeof retryable === 'boolean';
}

export const PLACES = ['params', 'query', 'body'] as const;
export type Place = (typeof PLACES)[number];

export interface ObjectSchema {
  readonly properties: JsonObject;
  readonly required: readonly string[];
}

/** Properties and required names of an object schema; a route without one has none. */
export function objectSchema(schema: object | undefined): ObjectSchema {
  const { properties = {}, required = [] } = (schema ?? {}) as { properties?: JsonObject; required?: string[] };
  return { properties, required };
}
