import type { JsonObject, SideEffect } from '../../protocol/index.ts';

/** What an operator says of one tool, by its generated name or its operationId. */
export interface ApiToolPolicy {
  readonly rename?: string | undefined;
  readonly description?: string | undefined;
  /** True leaves it out. */
  readonly hidden?: boolean | undefined;
  readonly sideEffect?: SideEffect | undefined;
}

/** Bounds on what is made of a document that others wrote. */
export interface ApiLimits {
  /** Bytes of the document's text, and of one in YAML, which takes far longer to read. */
  readonly documentBytes: number;
  readonly yamlBytes: number;
  /** Operations that become tools. */
  readonly operations: number;
  /** Levels, parts and bytes of one tool's schema; deeper parts are left open until it fits. */
  readonly schemaDepth: number;
  readonly schemaNodes: number;
  readonly schemaBytes: number;
  /** Bytes of all definitions together. */
  readonly totalBytes: number;
  /** Milliseconds that making the tools may take. */
  readonly readMs: number;
}

export const API_LIMITS: ApiLimits = {
  documentBytes: 32 * 1024 * 1024,
  yamlBytes: 8 * 1024 * 1024,
  operations: 5_000,
  schemaDepth: 12,
  schemaNodes: 1_500,
  schemaBytes: 48 * 1024,
  totalBytes: 32 * 1024 * 1024,
  readMs: 15_000,
};

export interface ApiOptions {
  /** Where the API is; by default the document's first server. */
  readonly baseUrl?: string | undefined;
  /** Where the document came from: a relative server URL counts from there. */
  readonly documentUrl?: string | undefined;
  /** Values of the server URL's variables. */
  readonly variables?: Readonly<Record<string, string>> | undefined;
  /** Patterns with `*` over operationId, `METHOD /path` and tags. Without any, all operations, or those with `x-mcp` facts where there are some. */
  readonly include?: readonly string[] | undefined;
  readonly exclude?: readonly string[] | undefined;
  readonly tools?: Readonly<Record<string, ApiToolPolicy>> | undefined;
  readonly limits?: Partial<ApiLimits> | undefined;
}

export const API_METHODS = ['get', 'head', 'post', 'put', 'patch', 'delete'] as const;
export type ApiMethod = Uppercase<(typeof API_METHODS)[number]>;

export type ApiStyle = 'simple' | 'form' | 'spaceDelimited' | 'pipeDelimited' | 'deepObject';

/** An argument that goes into the path, the query, a header or a cookie. */
export interface ApiParameter {
  /** The argument's name in the tool. */
  readonly arg: string;
  readonly in: 'path' | 'query' | 'header' | 'cookie';
  /** Its name in the API. */
  readonly name: string;
  readonly style: ApiStyle;
  readonly explode: boolean;
  /** The value goes as JSON text. */
  readonly json: boolean;
}

/** An argument that is a member of the body. */
export interface ApiMember {
  readonly arg: string;
  readonly name: string;
  /** Null is a value of it; elsewhere it means that the member is not given. */
  readonly nullable: boolean;
}

/** How arguments become a request body. */
export interface ApiBody {
  readonly contentType: string;
  readonly kind: 'json' | 'form' | 'text';
  /** A request without any member of it still has a body. */
  readonly required: boolean;
  /** The one argument that is the body; undefined where the body's members are arguments of their own. */
  readonly whole: string | undefined;
  readonly members: readonly ApiMember[];
  /** Of members of a form, where the document says so. */
  readonly styles: ReadonlyMap<string, { readonly style: ApiStyle; readonly explode: boolean }>;
}

/** One operation of the API as a tool. */
export interface ApiOperation {
  readonly name: string;
  readonly operationId: string | undefined;
  readonly method: ApiMethod;
  /** As in the document, with its `{placeholders}`. */
  readonly path: string;
  /** The tool's definition as clients see it. */
  readonly definition: JsonObject;
  readonly sideEffect: SideEffect;
  /** Scope that the document's own `x-mcp` facts want of a caller. */
  readonly scope: string | undefined;
  readonly parameters: readonly ApiParameter[];
  readonly body: ApiBody | undefined;
  /** Value of the Accept header. */
  readonly accept: string;
  /** From the `x-mcp` facts: bytes behind which an answer is cut, and behind which it is refused. */
  readonly softBytes: number | undefined;
  readonly hardBytes: number | undefined;
}

export interface ApiFacts {
  /** The document's version of OpenAPI, `3.1.0` say. */
  readonly openapi: string;
  /** The `jsonSchemaDialect` that it names. */
  readonly dialect: string | undefined;
  readonly title: string;
  readonly version: string;
  readonly description: string | undefined;
  /** Undefined where neither the document nor the options say where the API is. */
  readonly baseUrl: string | undefined;
}

/** What an OpenAPI document comes to. */
export interface ApiReading {
  readonly facts: ApiFacts;
  readonly operations: readonly ApiOperation[];
  /** What was left out or could not be read, each with the reason. */
  readonly warnings: readonly string[];
}

/** A server of the configuration that is an HTTP API. */
export interface ApiConfig {
  readonly name: string;
  readonly transport: 'openapi';
  /** Absolute path or URL of its OpenAPI document. */
  readonly openapi: string;
  /** Where the API is, if not where the document says. */
  readonly url?: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly variables: Readonly<Record<string, string>>;
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  readonly tools: Readonly<Record<string, ApiToolPolicy>>;
  readonly scopes: readonly string[];
  readonly deadlineMs: number;
  readonly maxInFlight: number;
}
