/** What the tests of the transports share: connections as `openConnection` makes them, requests over them, and hand-written servers. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import type { AskAnswer, JsonObject, Params, RequestMessage } from '../protocol/index.ts';
import { openConnection, type OpenOptions } from './connect.ts';
import type { Connection, Exchange, Reply } from './connection.ts';
import type { AskEra } from './eras.ts';
import type { OwnEvent } from './events.ts';
import { Failures } from './failures.ts';
import { DEFAULT_LIMITS, type Limits } from './limits.ts';
import { ownParams } from './own-requests.ts';
import { ChildRecords } from './stdio/records.ts';
import type { UpstreamConfig } from './types.ts';

const GATEWAY = { name: 'gateway', version: '1.2.3' };
const RECORDS = mkdtempSync(join(tmpdir(), 'connections-'));
afterAll(() => rmSync(RECORDS, { recursive: true, force: true }));

export interface Opened {
  readonly connection: Connection;
  readonly events: OwnEvent[];
}

export interface OpenMore {
  readonly limits?: Partial<Limits>;
  readonly era?: OpenOptions['era'];
  readonly offers?: JsonObject;
  readonly onRefused?: AskEra;
  readonly signal?: AbortSignal;
}

/** A connection as the room opens it. */
export async function open(config: UpstreamConfig, more: OpenMore = {}): Promise<Opened> {
  const events: OwnEvent[] = [];
  const limits: Limits = { ...DEFAULT_LIMITS, backoffFirstMs: 20, backoffMaxMs: 50, closeMs: 500, termMs: 500, ...more.limits };
  const records = new ChildRecords(RECORDS);
  const connection = await openConnection(
    {
      config,
      limits,
      failures: new Failures(config.name, limits.frameBytes),
      gateway: GATEWAY,
      records,
      emit: (event) => events.push(event),
      purpose: 'serve',
      era: more.era ?? config.era,
      ...(more.offers === undefined ? {} : { offers: more.offers }),
      onRefused: more.onRefused,
    },
    more.signal ?? new AbortController().signal,
  );
  return { connection, events };
}

/** A request as an exchange. */
export function request(connection: Connection, method: string, params: JsonObject = {}, more: Partial<Exchange> = {}): Exchange {
  const own = ownParams(connection.era, connection.revision, GATEWAY, params);
  const { progressToken } = more;
  const mirror = progressToken === undefined ? own : { ...own, _meta: { ...(own._meta as JsonObject | undefined), progressToken } };
  return {
    method,
    params: JSON.stringify(mirror),
    mirror,
    headerParams: [],
    expiresAt: performance.now() + 15_000,
    signal: undefined,
    onNotification: undefined,
    ...more,
  };
}

export const callTool = (connection: Connection, name: string, args: JsonObject = {}, more: Partial<Exchange> = {}): Promise<Reply> =>
  connection.exchange(request(connection, 'tools/call', { name, arguments: args }, more));

/** The text of a tool's result, or what came instead. */
export function said(reply: Reply): string {
  if (reply.kind === 'failed') return `failed ${reply.failure.code} ${reply.failure.executed}`;
  if (reply.error !== undefined) return `error ${reply.error.code}`;
  const content = reply.result?.value.content as { text: string }[] | undefined;
  return content?.[0]?.text ?? 'no content';
}

/** A listener that keeps what it hears and answers as it is told. */
export class Heard {
  readonly notifications: { readonly method: string; readonly params: unknown }[] = [];
  readonly requests: { readonly message: RequestMessage; readonly exchange: Exchange | undefined; readonly signal: AbortSignal }[] = [];
  answer: (message: RequestMessage, signal: AbortSignal) => Promise<AskAnswer> | AskAnswer = () => ({
    result: { text: '{"roots":[]}', value: { roots: [] } },
  });

  onRequest(message: RequestMessage, exchange: Exchange | undefined, signal: AbortSignal): Promise<AskAnswer> {
    this.requests.push({ message, exchange, signal });
    return Promise.resolve(this.answer(message, signal));
  }

  onNotification(method: string, params: Params | undefined): void {
    this.notifications.push({ method, params: params?.value });
  }
}

export interface Incoming {
  readonly method: string;
  readonly headers: IncomingMessage['headers'];
  /** The JSON of a POST. */
  readonly message: { readonly id?: number; readonly method?: string; readonly params?: JsonObject; readonly result?: unknown };
}

export interface ScriptedHttp {
  readonly url: string;
  readonly requests: Incoming[];
  close(): Promise<void>;
}

/** An HTTP server of which the test says what it does with each request. */
export async function scriptedHttp(
  serve: (incoming: Incoming, res: ServerResponse, req: IncomingMessage) => void,
  port = 0,
): Promise<ScriptedHttp> {
  const requests: Incoming[] = [];
  const server = createServer((req, res) => {
    let body = '';
    req.on('data', (chunk) => (body += String(chunk)));
    req.on('end', () => {
      const message = body === '' ? {} : (JSON.parse(body) as Incoming['message']);
      const incoming: Incoming = { method: req.method ?? '', headers: req.headers, message };
      requests.push(incoming);
      serve(incoming, res, req);
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    requests,
    close: () => new Promise((resolve) => server.close(() => resolve()).closeAllConnections()),
  };
}

export function json(res: ServerResponse, id: number | undefined, result: unknown, headers: Record<string, string> = {}): void {
  res.writeHead(200, { 'content-type': 'application/json', ...headers }).end(JSON.stringify({ jsonrpc: '2.0', id, result }));
}

/** What a legacy server with sessions does with everything but the calls and streams that a test is about; true if it was that. */
export function legacyBasics({ method, message }: Incoming, res: ServerResponse, session: string | undefined = 'session-1'): boolean {
  if (message.method === 'server/discover') res.writeHead(400).end();
  else if (message.method === 'initialize')
    json(
      res,
      message.id,
      { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: { name: 'old', version: '1' } },
      session === undefined ? {} : { 'mcp-session-id': session },
    );
  else if (method === 'DELETE') res.writeHead(200).end();
  else if (method === 'POST' && (message.id === undefined || message.method === undefined)) res.writeHead(202).end();
  else return false;
  return true;
}

export const events = (res: ServerResponse): ServerResponse => {
  if (!res.headersSent) res.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
  return res;
};

/** Sends one event on a stream. */
export function sendEvent(res: ServerResponse, message: unknown, fields: { id?: string; retry?: number } = {}): void {
  const { id, retry } = fields;
  const data = message === undefined ? '' : JSON.stringify(message);
  events(res).write(`${id === undefined ? '' : `id: ${id}\n`}${retry === undefined ? '' : `retry: ${retry}\n`}data: ${data}\n\n`);
}

export const textResult = (text: string): JsonObject => ({ content: [{ type: 'text', text }] });
