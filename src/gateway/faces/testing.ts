/** The faces on a real port, around targets that tests make up, and clients that see every byte. */
import { once } from 'node:events';
import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { fastify, type FastifyInstance } from 'fastify';
import { META, SseParser, type Call, type CallContext, type JsonObject, type Outcome, type SseEvent } from '../../protocol/index.ts';
import type { Authentication, Principal } from '../../security/index.ts';
import { agent, entryOf, testGateway, type TestGateway, type TestServer } from '../testing.ts';
import { createFaces, type Faces, type FacesOptions } from './faces.ts';

export interface Running extends TestGateway {
  readonly port: number;
  readonly faces: Faces;
  /** Bearer names that are refused from now on. */
  readonly revoked: Set<string>;
  readonly clock: { time: number };
  /** Requests that the faces counted themselves, and the milliseconds that each further one has to wait. */
  readonly rate: Rate;
  /** What each gauge holds now. */
  readonly gauge: (name: string) => number;
  /** Begins to close as the HTTP host does; resolves when every connection has ended. */
  stop(): Promise<void>;
}

class Rate {
  counted = 0;
  waitMs = 0;

  readonly admit = (): number => {
    this.counted++;
    return this.waitMs;
  };
}

function whoIs(authorization: string | undefined, revoked: ReadonlySet<string>): Authentication {
  const name = authorization?.replace(/^Bearer /, '') ?? 'agent';
  if (revoked.has(name)) return { ok: false, code: 'credential_revoked', status: 401, message: 'This API key was revoked.' };
  const principal: Principal = { ...agent, id: `key:${name}`, client: name };
  return { ok: true, principal };
}

export interface FaceOptions {
  readonly limits?: Partial<FacesOptions['limits']>;
  readonly pace?: FacesOptions['pace'];
}

const LIMITS = { bodyBytes: 64 * 1024, sessions: 1000, sessionIdleMs: 60_000, inFlightPerStream: 100 };

/** A server that hands its calls to the test. */
export function serverOf(
  handle: (call: Call, context: CallContext) => Outcome | Promise<Outcome>,
  more: Partial<TestServer> = {},
): TestServer {
  return { name: 's', handle, ...more };
}

function guard(app: FastifyInstance, revoked: ReadonlySet<string>, rate: Rate): void {
  app.decorateRequest<Principal | null>('principal', null);
  app.decorateRequest('authenticate', function authenticate() {
    return whoIs(this.raw.headers.authorization, revoked);
  });
  app.decorateRequest('admit', rate.admit);
  app.addHook('onRequest', (request, reply, done) => {
    const who = request.authenticate();
    if (!who.ok) return void reply.code(who.status).send(who.message);
    request.principal = who.principal;
    return done();
  });
}

export async function start(servers: readonly TestServer[], { limits, pace }: FaceOptions = {}): Promise<Running> {
  const gateway = testGateway(servers, { inFlight: 1000, deadlineMs: 30_000 });
  const clock = { time: 1_000_000 };
  const services = { ...gateway.services, clock: { now: () => clock.time } };
  const revoked = new Set<string>();
  const rate = new Rate();
  const faces = createFaces({
    services,
    caps: gateway.caps,
    limits: { ...LIMITS, ...limits },
    onError: (error) => {
      throw error;
    },
    ...(pace === undefined ? {} : { pace }),
  });
  const app = fastify({ forceCloseConnections: false });
  const closing = new AbortController();
  guard(app, revoked, rate);
  void app.register(faces.http);
  app.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    faces.websocket({
      authenticate: () => whoIs(request.headers.authorization, revoked),
      admit: rate.admit,
      request,
      closing: closing.signal,
      take: () => ({ socket, head }),
      refuse: ({ code }) =>
        socket.end(`HTTP/1.1 ${code === 'invalid_request' ? 400 : 404} No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`),
    });
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  return {
    ...gateway,
    services,
    port: (app.server.address() as AddressInfo).port,
    faces,
    revoked,
    clock,
    rate,
    gauge: (name) => gateway.caps.list().find((each) => each.name === name)?.size ?? -1,
    async stop() {
      closing.abort();
      const closed = app.close();
      const idle = setInterval(() => app.server.closeIdleConnections(), 10);
      await closed;
      clearInterval(idle);
      faces.close();
      services.hub.close();
    },
  };
}

/** A response as it comes. */
export interface Coming {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The next event; undefined at the end of the stream. */
  event(): Promise<SseEvent | undefined>;
  /** The next event's data as JSON; events without data are skipped. */
  message(): Promise<JsonObject>;
  /** The whole body as it came so far; complete once `ended` resolves. */
  text(): string;
  readonly ended: Promise<void>;
  /** Lets go of the connection, as a lost client does. */
  drop(): void;
  /** Stops and resumes reading. */
  readonly raw: IncomingMessage;
}

function comingOf(response: IncomingMessage, drop: () => void): Coming {
  const parser = new SseParser(1e9);
  const events: SseEvent[] = [];
  let text = '';
  let over = false;
  let wake = (): void => undefined;
  response.setEncoding('utf8');
  response.on('data', (chunk: string) => {
    text += chunk;
    if (response.headers['content-type'] === 'text/event-stream') events.push(...parser.feed(chunk));
    wake();
  });
  const ended = new Promise<void>((resolve) => {
    response.once('close', () => {
      over = true;
      wake();
      resolve();
    });
  });
  response.on('error', () => undefined);
  const event = async (): Promise<SseEvent | undefined> => {
    while (events.length === 0 && !over) await new Promise<void>((resolve) => (wake = resolve));
    return events.shift();
  };
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    event,
    async message() {
      let next = await event();
      while (next?.data === '') next = await event();
      if (next === undefined) throw new Error(`the stream ended: ${text.slice(-500)}`);
      return JSON.parse(next.data) as JsonObject;
    },
    text: () => text,
    ended,
    drop,
    raw: response,
  };
}

export interface Sent {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** One HTTP request on a connection of its own; resolves with its head. */
export function send(port: number, { method = 'POST', path = '/mcp/s', headers = {}, body }: Sent): Promise<Coming> {
  return new Promise((resolve, reject) => {
    const accept = method === 'GET' ? 'text/event-stream' : 'application/json, text/event-stream';
    const sent = httpRequest({
      host: '127.0.0.1',
      port,
      method,
      path,
      agent: false,
      headers: { accept, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    });
    sent.on('response', (response) => resolve(comingOf(response, () => sent.destroy())));
    sent.on('error', reject);
    sent.end(typeof body === 'string' ? body : body === undefined ? undefined : JSON.stringify(body));
  });
}

/** The answer of a request as JSON, whether it came as a body or as the last event. */
export async function answerOf(coming: Coming): Promise<JsonObject> {
  if (coming.headers['content-type'] !== 'text/event-stream') {
    await coming.ended;
    return JSON.parse(coming.text()) as JsonObject;
  }
  for (;;) {
    const message = await coming.message();
    if ('result' in message || 'error' in message) return message;
  }
}

export const rpc = (id: number | string, method: string, params: JsonObject = {}): JsonObject => ({ jsonrpc: '2.0', id, method, params });
export const notification = (method: string, params: JsonObject = {}): JsonObject => ({ jsonrpc: '2.0', method, params });

export const initialize = (revision: string, capabilities: JsonObject = {}): JsonObject =>
  rpc(0, 'initialize', { protocolVersion: revision, capabilities, clientInfo: { name: 'c', version: '1' } });

export const callEcho = (id: number, more: JsonObject = {}): JsonObject =>
  rpc(id, 'tools/call', { name: 'echo', arguments: { text: 'x' }, ...more });

/** A modern request: its body and the headers that mirror it. */
export function modern(
  id: number | string,
  method: string,
  params: JsonObject = {},
  meta: JsonObject = {},
): Pick<Sent, 'body' | 'headers'> {
  const name = params.name ?? params.uri;
  const body = rpc(id, method, { ...params, _meta: { [META.protocolVersion]: '2026-07-28', [META.clientCapabilities]: {}, ...meta } });
  const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': method, ...(typeof name === 'string' ? { 'mcp-name': name } : {}) };
  return { body, headers };
}

/** A legacy session over HTTP. */
export class LegacyClient {
  readonly port: number;
  readonly path: string;
  readonly who: string;
  readonly revision: string;
  id = '';

  private constructor(port: number, revision: string, path: string, who: string) {
    this.port = port;
    this.path = path;
    this.who = who;
    this.revision = revision;
  }

  static async open(
    port: number,
    {
      revision = '2025-11-25',
      capabilities = {},
      path = '/mcp/s',
      who = 'agent',
    }: { revision?: string; capabilities?: JsonObject; path?: string; who?: string } = {},
  ): Promise<LegacyClient> {
    const client = new LegacyClient(port, revision, path, who);
    const coming = await send(port, { path, headers: { authorization: `Bearer ${who}` }, body: initialize(revision, capabilities) });
    await coming.ended;
    client.id = String(coming.headers['mcp-session-id']);
    await (
      await client.post(notification('notifications/initialized'))
    ).ended;
    return client;
  }

  get headers(): Record<string, string> {
    return { 'mcp-session-id': this.id, 'mcp-protocol-version': this.revision, authorization: `Bearer ${this.who}` };
  }

  post(body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Coming> {
    return send(this.port, { path: this.path, headers: { ...this.headers, ...headers }, body });
  }

  get(lastEventId?: string): Promise<Coming> {
    const resume = lastEventId === undefined ? {} : { 'last-event-id': lastEventId };
    return send(this.port, { method: 'GET', path: this.path, headers: { ...this.headers, ...resume } });
  }

  async delete(): Promise<number> {
    const coming = await send(this.port, { method: 'DELETE', path: this.path, headers: this.headers });
    return coming.status;
  }
}

/** Makes the endpoint's tool list another one. */
export function changeTools(running: Running, name = 's'): void {
  const tools = [`t${Math.random()}`.replace('.', '')].map((tool) => ({ name: tool, inputSchema: { type: 'object' } }));
  running.registry.put(entryOf({ name, tools }));
}

/** Resolves with what `until` comes to, as soon as it is something. */
export async function eventually<T>(until: () => T | undefined | false): Promise<T> {
  for (;;) {
    const found = until();
    if (found !== undefined && found !== false) return found;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export { once };
