import type { FastifyPluginAsync } from 'fastify';
import type { Readable, Writable } from 'node:stream';
import { decodeMessage, type JsonObject, type Params, type Target } from '../protocol/index.ts';
import type { Recorder } from '../observability/index.ts';
import type { Registry } from '../registry/index.ts';
import type { Authentication, Principal, Sealer } from '../security/index.ts';
import { BoundedCount, type Caps, type Clock } from '../shared/index.ts';
import { answerRequest } from './answer.ts';
import { endpointAt, resolveEndpoint, type Endpoint } from './endpoints.ts';
import { createFaces, type Faces } from './faces/faces.ts';
import type { GatewaySettings, ServerPolicy, Services } from './frame.ts';
import { createHub } from './hub.ts';
import { resolveUri, wrapResultUris, wrapUri } from './uris.ts';
import { Views, type ExposedTool } from './view.ts';

export interface GatewayOptions {
  readonly registry: Registry;
  readonly recorder: Recorder;
  readonly caps: Caps;
  readonly clock: Clock;
  readonly target: (server: string) => Target | undefined;
  /** What the operator says of a server; undefined where he says nothing. */
  readonly policyOf: (server: string) => ServerPolicy | undefined;
  readonly sealer: Sealer;
  readonly settings: GatewaySettings;
  readonly limits: {
    readonly bodyBytes: number;
    readonly sessions: number;
    readonly sessionIdleMs: number;
    readonly inFlight: number;
    readonly inFlightPerStream: number;
  };
  readonly onError: (error: unknown) => void;
}

/** What a call through `callTool` comes to: a tool result, or a JSON-RPC error. */
export type ToolAnswer =
  { readonly result: JsonObject } | { readonly error: { readonly code: number; readonly message: string; readonly data?: unknown } };

/** The MCP faces over one pipeline. */
export interface McpGateway {
  /** The Streamable HTTP routes, for the HTTP host to mount behind its guard. */
  readonly http: FastifyPluginAsync;
  /** POSTs to the same routes that passed the guards outside Fastify. */
  readonly post: Faces['post'];
  /** Whether `/mcp` (no name) or `/mcp/<server>` exists. */
  has(server: string | undefined): boolean;
  /**
   * Serves one stdio client until its input ends or `closing` aborts. `authenticate` is asked again for each request, as keys end while
   * connections go on. `server` narrows it to one server. False if there is no such server, or no room.
   */
  stdio(input: Readable, output: Writable, authenticate: () => Authentication, server?: string, closing?: AbortSignal): Promise<boolean>;
  /** Serves a WebSocket client on the path of its upgrade, or refuses it. */
  readonly websocket: Faces['websocket'];
  /** A tool call of our own programs, through the same pipeline. Undefined if there is no such endpoint. */
  callTool(principal: Principal, path: string, name: string, args: JsonObject, signal: AbortSignal): Promise<ToolAnswer | undefined>;
  /** The tools of an endpoint (`/mcp` or `/mcp/<server>`), scopes apart; undefined if there is no such endpoint. */
  tools(path: string): readonly ExposedTool[] | undefined;
  readonly sessions: number;
  /** The gateway goes now: calls that wait for an answer of their client go on without it. */
  endAsks(): void;
  close(): void;
}

function paramsFrom(value: JsonObject): Params {
  const decoded = decodeMessage(`{"jsonrpc":"2.0","method":"x","params":${JSON.stringify(value)}}`);
  if (decoded.kind !== 'notification' || decoded.params === undefined) throw new TypeError('params must be a JSON object');
  return decoded.params;
}

async function callThrough(
  services: Services,
  principal: Principal,
  endpoint: Endpoint,
  params: Params,
  signal: AbortSignal,
): Promise<ToolAnswer> {
  const answer = await answerRequest(
    {
      face: 'admin',
      endpoint,
      principal,
      client: { revision: '2026-07-28', info: { name: 'stockpulse', version: services.settings.version }, capabilities: {} },
      request: { kind: 'request', idText: '1', id: 1, method: 'tools/call', params },
      headers: undefined,
      bytesIn: params.text.length,
      signal,
    },
    services,
  );
  return JSON.parse(answer.text) as ToolAnswer;
}

export function createGateway(options: GatewayOptions): McpGateway {
  const { registry, recorder, caps, clock, limits, settings } = options;
  const views = new Views(registry);
  const hub = createHub({
    registry,
    targets: options.target,
    policyOf: options.policyOf,
    sealer: options.sealer,
    caps,
    onError: options.onError,
  });
  const services: Services = {
    registry,
    views,
    recorder,
    clock,
    inFlight: new BoundedCount('calls_in_flight', limits.inFlight, caps),
    target: options.target,
    policyOf: options.policyOf,
    sealer: options.sealer,
    hub,
    uris: { wrapUri, resolveUri, wrapResultUris },
    settings,
  };
  const faces = createFaces({ services, caps, limits, onError: options.onError });
  return {
    http: faces.http,
    post: faces.post,
    has: (server) => resolveEndpoint(server, registry) !== undefined,
    stdio: (...client) => faces.stdio(...client),
    websocket: (...upgrade) => faces.websocket(...upgrade),
    async callTool(principal, path, name, args, signal) {
      const endpoint = endpointAt(path, registry);
      return endpoint && callThrough(services, principal, endpoint, paramsFrom({ name, arguments: args }), signal);
    },
    tools(path) {
      const endpoint = endpointAt(path, registry);
      return endpoint && views.of(endpoint, 'modern').tools;
    },
    get sessions() {
      return faces.sessions;
    },
    endAsks: () => faces.endAsks(),
    close() {
      faces.close();
      hub.close();
    },
  };
}
