/** A gateway's services around targets that tests make up. */
import { Recorder, type CallRecord } from '../observability/index.ts';
import {
  decodeMessage,
  jsonText,
  META,
  readTools,
  type Call,
  type CallContext,
  type JsonObject,
  type Outcome,
  type RequestMessage,
} from '../protocol/index.ts';
import { catalogueTools, Registry, type ServerEntry, type ServerState } from '../registry/index.ts';
import type { Principal } from '../security/index.ts';
import { BoundedCount, Caps } from '../shared/index.ts';
import { answerRequest, type Incoming } from './answer.ts';
import { resolveEndpoint } from './endpoints.ts';
import type { Services } from './frame.ts';
import type { Answer } from './render.ts';
import { Views } from './view.ts';

export const agent: Principal = { id: 'key:1', kind: 'api_key', client: 'agent', scopes: new Set(['market:read']) };

export const ECHO = { name: 'echo', inputSchema: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] } };

export interface TestServer {
  readonly name: string;
  readonly kind?: ServerEntry['kind'];
  readonly tools?: readonly JsonObject[];
  readonly state?: ServerState;
  readonly eras?: ServerEntry['eras'];
  readonly scopes?: readonly string[];
  readonly handle?: (call: Call, context: CallContext) => Outcome | Promise<Outcome>;
}

export interface TestGateway {
  readonly services: Services;
  readonly registry: Registry;
  readonly records: CallRecord[];
  readonly caps: Caps;
  /** One request through the pipeline, with the parsed answer. */
  ask(path: string, method: string, params: JsonObject, more?: Partial<Incoming>): Promise<{ answer: Answer; body: JsonObject }>;
}

export function entryOf({
  name,
  kind = 'upstream',
  tools = [ECHO],
  state = { state: 'ready', since: 0 },
  eras = ['modern'],
  scopes = [],
}: TestServer): ServerEntry {
  const traits = () => ({ sideEffect: 'write' as const, scopes });
  const reading = catalogueTools(readTools(jsonText({ tools })), { traits, strictHeaders: true, maxTools: 1000 });
  const facts = { info: { name: `${name}-impl`, version: '1' }, capabilities: {}, instructions: `about ${name}` };
  return {
    name,
    kind,
    transport: 'http',
    state,
    eras,
    facts,
    tools: reading.tools,
    toolsCache: { ttlMs: 5000, cacheScope: 'public' },
    warnings: [],
  };
}

export function requestOf(method: string, params: JsonObject, id: number | string = 1): RequestMessage {
  const message = decodeMessage(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
  if (message.kind !== 'request') throw new Error(`not a request: ${JSON.stringify(message)}`);
  return message;
}

export function modernParams(params: JsonObject): JsonObject {
  return { ...params, _meta: { [META.protocolVersion]: '2026-07-28', [META.clientCapabilities]: {} } };
}

export function testGateway(
  servers: readonly TestServer[],
  settings: Partial<Services['settings']> & { inFlight?: number } = {},
): TestGateway {
  const registry = new Registry();
  const records: CallRecord[] = [];
  const caps = new Caps();
  for (const server of servers) registry.put(entryOf(server));
  const recorder = new Recorder([(batch) => records.push(...batch)], (error) => {
    throw error;
  });
  const { inFlight = 10, ...rest } = settings;
  const services: Services = {
    registry,
    views: new Views(registry),
    recorder,
    clock: { now: () => 1_000_000 },
    inFlight: new BoundedCount('calls_in_flight', inFlight, caps),
    target(name) {
      const handle = servers.find((server) => server.name === name)?.handle;
      return handle && { handle: (call, context) => Promise.resolve(handle(call, context)) };
    },
    settings: { name: 'gw', title: 'GW', version: '9', pageSize: 100, listWaitMs: 0, deadlineMs: 1000, ...rest },
  };
  return {
    services,
    registry,
    records,
    caps,
    async ask(path, method, params, more = {}) {
      const endpoint = resolveEndpoint(path.split('/')[2], registry);
      if (endpoint === undefined) throw new Error(`no endpoint ${path}`);
      const client = { revision: '2026-07-28' as const, info: undefined, capabilities: {} };
      const incoming = {
        face: 'test',
        endpoint,
        principal: agent,
        client,
        request: requestOf(method, params),
        headers: undefined,
        bytesIn: 1,
        signal: new AbortController().signal,
      };
      const answer = await answerRequest({ ...incoming, ...more }, services);
      recorder.flush();
      return { answer, body: JSON.parse(answer.text) as JsonObject };
    },
  };
}
