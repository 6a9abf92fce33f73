/** A server of both eras for the tests of this room: over real HTTP, with lists that change and subscriptions of either era. */
import type { ServerResponse } from 'node:http';
import type { JsonObject } from '../protocol/index.ts';
import { events, json, scriptedHttp, sendEvent, textResult, type Incoming, type ScriptedHttp } from './connections-kit.ts';

const ID_KEY = 'io.modelcontextprotocol/subscriptionId';
const ACKNOWLEDGED = 'notifications/subscriptions/acknowledged';

export interface ChangingOptions {
  eras: 'modern' | 'legacy' | 'dual';
  /** The legacy era without sessions. */
  sessionless: boolean;
  capabilities: JsonObject;
  /** What each list holds, per era and what a legacy session's client has offered if it is a function. */
  lists: Record<string, unknown[] | ((modern: boolean, offered: JsonObject) => unknown[])>;
  /** Answers instead of the server: what it returns goes out as result or error; a promise holds the answer back. */
  instead: (method: string, params: JsonObject, modern: boolean) => Instead | undefined | Promise<Instead | undefined>;
  /** URIs and task ids that are refused with an error. */
  refused: ReadonlySet<string>;
  /** URIs and task ids of which the acknowledgement says nothing. */
  unheard: ReadonlySet<string>;
}

export type Instead =
  | { readonly result: unknown }
  | { readonly error: { code: number; message: string }; readonly status?: number }
  | { readonly text: string; readonly status: number };

interface Asker {
  readonly modern: boolean;
  readonly offered: JsonObject;
}

interface Stream {
  readonly id: number | undefined;
  readonly filter: JsonObject;
  readonly res: ServerResponse;
}

const LISTS: Readonly<Record<string, string>> = {
  'tools/list': 'tools',
  'prompts/list': 'prompts',
  'resources/list': 'resources',
  'resources/templates/list': 'resourceTemplates',
};

export class ChangingServer {
  readonly options: ChangingOptions;
  /** Every request as `<era> <method>`, in order. */
  readonly seen: string[] = [];
  readonly params: JsonObject[] = [];
  /** Open `subscriptions/listen` streams, in the order in which they were opened. */
  readonly streams: Stream[] = [];
  /** What legacy sessions have subscribed to. */
  readonly sessions = new Map<string, Set<string>>();
  /** Open GET streams, by session. */
  readonly gets = new Map<string, ServerResponse>();
  /** The capabilities of each legacy session's client. */
  readonly #offered = new Map<string, JsonObject>();
  #http: ScriptedHttp | undefined;
  #session = 0;

  constructor(options: Partial<ChangingOptions>) {
    this.options = {
      eras: 'dual',
      sessionless: false,
      capabilities: { tools: {} },
      lists: {},
      instead: () => undefined,
      refused: new Set(),
      unheard: new Set(),
      ...options,
    };
  }

  static async start(options: Partial<ChangingOptions> = {}, port = 0): Promise<ChangingServer> {
    const server = new ChangingServer(options);
    server.#http = await scriptedHttp((incoming, res) => void server.#serve(incoming, res), port);
    return server;
  }

  get url(): string {
    return this.#http?.url ?? '';
  }

  async close(): Promise<void> {
    await this.#http?.close();
  }

  count(what: string): number {
    return this.seen.filter((one) => one === what).length;
  }

  /** Says something on every listen stream whose filter wants it, and to every legacy session. */
  tell(method: string, params: JsonObject = {}): void {
    for (const { id, res } of this.streams) sendEvent(res, { jsonrpc: '2.0', method, params: { ...params, _meta: { [ID_KEY]: id } } });
    for (const res of this.gets.values()) sendEvent(res, { jsonrpc: '2.0', method, params });
  }

  async #serve({ method, headers, message }: Incoming, res: ServerResponse): Promise<void> {
    const { params = {} } = message;
    const session = headers['mcp-session-id'];
    if (method !== 'POST') return this.#other(method, typeof session === 'string' ? session : '', res);
    const modern = (params._meta as JsonObject | undefined)?.['io.modelcontextprotocol/protocolVersion'] !== undefined;
    if (message.id === undefined || message.method === undefined) return void res.writeHead(202).end();
    this.seen.push(`${modern ? 'modern' : 'legacy'} ${message.method}`);
    this.params.push(params);
    const instead = await this.options.instead(message.method, params, modern);
    if (instead !== undefined) return answer(res, message.id, instead);
    const { eras } = this.options;
    if (modern && eras === 'legacy') return void res.writeHead(400).end();
    if (!modern && eras === 'modern') return answer(res, message.id, { error: { code: -32020, message: 'no revision' }, status: 400 });
    if (modern) this.#modern(message.id, message.method, params, res);
    else this.#legacy(message.id, message.method, params, typeof session === 'string' ? session : '', res);
  }

  #other(method: string, session: string, res: ServerResponse): void {
    if (method === 'DELETE') res.writeHead(this.sessions.delete(session) ? 200 : 404).end();
    else if (this.options.sessionless) res.writeHead(405).end();
    else if (!this.sessions.has(session)) res.writeHead(404).end();
    else {
      this.gets.set(session, events(res));
      res.on('close', () => this.gets.delete(session));
    }
  }

  #modern(id: number, method: string, params: JsonObject, res: ServerResponse): void {
    const { eras, capabilities } = this.options;
    const supportedVersions = eras === 'dual' ? ['2026-07-28', '2025-11-25'] : ['2026-07-28'];
    if (method === 'server/discover') json(res, id, { resultType: 'complete', supportedVersions, capabilities });
    else if (method === 'subscriptions/listen') this.#listen(id, params.notifications as JsonObject, res);
    else this.#common(id, method, params, { modern: true, offered: {} }, res);
  }

  #listen(id: number, filter: JsonObject, res: ServerResponse): void {
    const { refused, unheard } = this.options;
    const kept = (key: string): string[] => ((filter[key] ?? []) as string[]).filter((one) => !unheard.has(one));
    const all = [...((filter.resourceSubscriptions ?? []) as string[]), ...((filter.taskIds ?? []) as string[])];
    if (all.some((one) => refused.has(one))) return answer(res, id, { error: { code: -32602, message: 'no' }, status: 400 });
    const stream: Stream = { id, filter, res };
    this.streams.push(stream);
    res.on('close', () => this.streams.splice(this.streams.indexOf(stream), 1));
    const notifications = { ...filter, resourceSubscriptions: kept('resourceSubscriptions'), taskIds: kept('taskIds') };
    sendEvent(res, { jsonrpc: '2.0', method: ACKNOWLEDGED, params: { _meta: { [ID_KEY]: id }, notifications } });
  }

  #legacy(id: number, method: string, params: JsonObject, session: string, res: ServerResponse): void {
    const { capabilities, sessionless, refused } = this.options;
    if (method === 'initialize') {
      const name = `session-${++this.#session}`;
      if (!sessionless) this.sessions.set(name, new Set());
      this.#offered.set(name, params.capabilities as JsonObject);
      const facts = { protocolVersion: '2025-11-25', capabilities, serverInfo: { name: 'changing', version: '1' } };
      return json(res, id, facts, sessionless ? {} : { 'mcp-session-id': name });
    }
    const subscribed = this.sessions.get(session);
    if (subscribed === undefined && !sessionless) return void res.writeHead(404).end();
    const uri = String(params.uri);
    if (method.startsWith('resources/') && refused.has(uri)) return answer(res, id, { error: { code: -32002, message: 'no' } });
    if (method === 'resources/subscribe') subscribed?.add(uri);
    if (method === 'resources/unsubscribe') subscribed?.delete(uri);
    if (/subscribe$|setLevel$/.test(method)) return json(res, id, {});
    this.#common(id, method, params, { modern: false, offered: this.#offered.get(session) ?? {} }, res);
  }

  #common(id: number, method: string, params: JsonObject, { modern, offered }: Asker, res: ServerResponse): void {
    const list = LISTS[method];
    if (list !== undefined) {
      const held = this.options.lists[list] ?? [];
      json(res, id, { [list]: typeof held === 'function' ? held(modern, offered) : held });
    } else if (method === 'tools/call') json(res, id, textResult(`${modern ? 'modern' : 'legacy'} ${String(params.name)}`));
    else answer(res, id, { error: { code: -32601, message: `Method not found: ${method}` }, ...(modern ? { status: 404 } : {}) });
  }
}

function answer(res: ServerResponse, id: number, instead: Instead): void {
  if ('text' in instead) return void res.writeHead(instead.status).end(instead.text);
  const { status = 200, ...rest } = { status: undefined, ...instead };
  res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ jsonrpc: '2.0', id, ...rest }));
}

export const tool = (name: string, more: JsonObject = {}): JsonObject => ({ name, inputSchema: { type: 'object' }, ...more });
