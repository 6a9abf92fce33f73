/** A gateway's services around targets that tests make up. */
import { Recorder, type CallRecord } from '../observability/index.ts';
import {
  decodeMessage,
  jsonText,
  META,
  readTools,
  type Ask,
  type AskClient,
  type CacheHint,
  type Call,
  type CallContext,
  type JsonObject,
  type Outcome,
  type RequestMessage,
  type Target,
} from '../protocol/index.ts';
import { catalogueTools, NO_LISTS, Registry, type ItemList, type ServerEntry, type ServerState } from '../registry/index.ts';
import { createSealer, type Principal } from '../security/index.ts';
import { BoundedCount, Caps } from '../shared/index.ts';
import { answerRequest, type Incoming } from './answer.ts';
import type { ClientPort } from './client-port.ts';
import { resolveEndpoint } from './endpoints.ts';
import type { ServerPolicy, Services } from './frame.ts';
import { createHub } from './hub.ts';
import type { Answer } from './render.ts';
import { resolveUri, wrapResultUris, wrapUri } from './uris.ts';
import { Views } from './view.ts';

export const agent: Principal = { id: 'key:1', kind: 'api_key', client: 'agent', scopes: new Set(['market:read']) };

export const ECHO = { name: 'echo', inputSchema: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] } };

const PUBLIC: CacheHint = { ttlMs: 5000, cacheScope: 'public' };

export interface TestServer {
  readonly name: string;
  readonly kind?: ServerEntry['kind'];
  readonly tools?: readonly JsonObject[];
  readonly state?: ServerState;
  readonly eras?: ServerEntry['eras'];
  readonly scopes?: readonly string[];
  readonly policy?: ServerPolicy;
  readonly handle?: (call: Call, context: CallContext) => Outcome | Promise<Outcome>;
  readonly listen?: Target['listen'];
  readonly prepare?: Target['prepare'];
  readonly refresh?: Target['refresh'];
  /** Anything else of its entry in the catalogue. */
  readonly entry?: Partial<ServerEntry>;
}

export interface TestGateway {
  readonly services: Services;
  readonly registry: Registry;
  readonly records: CallRecord[];
  readonly caps: Caps;
  /** One request through the pipeline, with the parsed answer. */
  ask(path: string, method: string, params: JsonObject, more?: Partial<Incoming>): Promise<{ answer: Answer; body: JsonObject }>;
  /** Brings the records of calls that ended outside `ask` into `records`. */
  flush(): void;
}

export function entryOf({
  name,
  kind = 'upstream',
  tools = [ECHO],
  state = { state: 'ready', since: 0 },
  eras = ['modern'],
  scopes = [],
  entry = {},
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
    ...NO_LISTS,
    warnings: [],
    ...entry,
  };
}

/** A list of prompts, resources or templates as a catalogue holds it. */
export function itemsOf(member: 'name' | 'uri' | 'uriTemplate', values: readonly JsonObject[], cache: CacheHint = PUBLIC): ItemList {
  return { items: values.map((value) => ({ id: String(value[member]), text: JSON.stringify(value), value })), cache };
}

export function requestOf(method: string, params: JsonObject, id: number | string = 1): RequestMessage {
  const message = decodeMessage(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
  if (message.kind !== 'request') throw new Error(`not a request: ${JSON.stringify(message)}`);
  return message;
}

/** A client's end of a request that keeps what it is told, and answers asks as it is told to. */
export class TestPort implements ClientPort {
  readonly told: JsonObject[] = [];
  readonly asked: Ask[] = [];
  readonly streams: boolean;
  readonly ask: AskClient | undefined;

  constructor(options: { answer?: AskClient; streams?: boolean } = {}) {
    const { answer, streams = false } = options;
    this.streams = streams;
    this.ask =
      answer &&
      ((ask, signal) => {
        this.asked.push(ask);
        return answer(ask, signal);
      });
  }

  notify(text: string): void {
    this.told.push(JSON.parse(text) as JsonObject);
  }
}

export function modernParams(params: JsonObject): JsonObject {
  return { ...params, _meta: { [META.protocolVersion]: '2026-07-28', [META.clientCapabilities]: {} } };
}

function targetOf({ handle, listen, prepare, refresh }: TestServer): Target | undefined {
  return handle && { handle: (call, context) => Promise.resolve(handle(call, context)), ...definedOnly({ listen, prepare, refresh }) };
}

const definedOnly = (ports: Partial<Record<'listen' | 'prepare' | 'refresh', unknown>>): Partial<Target> =>
  Object.fromEntries(Object.entries(ports).filter(([, port]) => port !== undefined));

export function testGateway(
  servers: readonly TestServer[],
  settings: Partial<Services['settings']> & { inFlight?: number } = {},
): TestGateway {
  const registry = new Registry();
  const records: CallRecord[] = [];
  const caps = new Caps();
  for (const server of servers) registry.put(entryOf(server));
  const onError = (error: unknown): never => {
    throw error;
  };
  const recorder = new Recorder([(batch) => records.push(...batch)], onError);
  const { inFlight = 10, ...rest } = settings;
  const sealer = createSealer(Buffer.alloc(32, 7));
  const targets = new Map(servers.map((server) => [server.name, targetOf(server)]));
  const target = (name: string): Target | undefined => targets.get(name);
  const policies = new Map(servers.map(({ name, policy }) => [name, policy]));
  const policyOf = (name: string): ServerPolicy | undefined => policies.get(name);
  const services: Services = {
    registry,
    views: new Views(registry),
    recorder,
    clock: { now: () => 1_000_000 },
    inFlight: new BoundedCount('calls_in_flight', inFlight, caps),
    target,
    policyOf,
    sealer,
    hub: createHub({ registry, targets: target, policyOf, sealer, caps, onError }),
    uris: { wrapUri, resolveUri, wrapResultUris },
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
      return { answer, body: answer.stream === undefined ? (JSON.parse(answer.text) as JsonObject) : {} };
    },
    flush: () => recorder.flush(),
  };
}
