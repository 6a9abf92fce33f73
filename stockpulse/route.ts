import type { Static, TObject } from 'typebox';
import type { Caps } from './envelope.ts';

/** A caller whose credential was accepted. */
export interface ApiIdentity {
  readonly ok: true;
  readonly id: string;
  readonly scopes: ReadonlySet<string>;
}

export interface ApiRefusal {
  readonly ok: false;
  readonly status: 401 | 403;
  readonly code: number;
  readonly message: string;
  readonly headers?: Record<string, string>;
}

export interface Annotations {
  readonly readOnlyHint: boolean;
  readonly destructiveHint: boolean;
  readonly idempotentHint: boolean;
  readonly openWorldHint: boolean;
}

/** The facts that make a route a tool. */
export interface ToolFacts {
  readonly title: string;
  readonly scope: string;
  readonly annotations: Annotations;
  readonly caps: Caps;
}

export interface HandlerInput {
  readonly params: Record<string, unknown>;
  readonly query: Record<string, unknown>;
  readonly body: Record<string, unknown>;
}

export interface HandlerContext {
  readonly identity: ApiIdentity;
  readonly signal?: AbortSignal;
}

/** One operation: the HTTP route and, where `mcp` is set, the facts from which a tool is made. There is no second definition of a tool. */
export interface ApiRoute {
  /** Also the tool's name. */
  readonly operationId: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Relative to the platform's prefix, parameters in braces: `/v1/indicators/{symbol}`. */
  readonly path: string;
  readonly summary: string;
  readonly description: string;
  readonly params?: TObject;
  readonly query?: TObject;
  readonly body?: TObject;
  /** Schema of the 200 body. */
  readonly response: TObject;
  readonly mcp?: ToolFacts;
  /** Takes input that is valid by the schemas; defaults need not be filled in. Throws ApiError. */
  readonly handle: (input: HandlerInput, context: HandlerContext) => unknown;
}

type Of<Schema extends TObject | undefined> = Schema extends TObject ? Static<Schema> : Record<string, never>;

interface Definition<Params extends TObject | undefined, Query extends TObject | undefined, Body extends TObject | undefined> extends Omit<
  ApiRoute,
  'params' | 'query' | 'body' | 'handle'
> {
  readonly params?: Params;
  readonly query?: Query;
  readonly body?: Body;
  readonly handle: (input: { params: Of<Params>; query: Of<Query>; body: Of<Body> }, context: HandlerContext) => unknown;
}

/** Types a handler from its schemas. The input was validated against them, which is what makes the cast true. */
export function defineRoute<
  Params extends TObject | undefined = undefined,
  Query extends TObject | undefined = undefined,
  Body extends TObject | undefined = undefined,
>(definition: Definition<Params, Query, Body>): ApiRoute {
  const { params, query, body, handle, ...facts } = definition;
  return {
    ...facts,
    ...(params ? { params } : {}),
    ...(query ? { query } : {}),
    ...(body ? { body } : {}),
    handle: (input, context) => handle(input as { params: Of<Params>; query: Of<Query>; body: Of<Body> }, context),
  };
}

export const READ_ONLY: Annotations = { readOnlyHint: true, destructiveHint: false, idempotentHint: false, openWorldHint: false };
