import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { PassThrough } from 'node:stream';
import { WebSocket } from 'ws';
import type { GatewayHere } from '../support/gateway-here.ts';
import { bearer, JSON_HEADERS, type LegacySession } from '../support/mcp-wire.ts';
import { PATIENCE_MS, until } from '../support/until.ts';
import { ask, rawExchange } from '../support/wire.ts';
import type { Attempt } from './mutations.ts';

/** Sends messages to one face. What comes back is text of HTTP answers, or of messages one by one. */
export interface Driver {
  /** Sends one attempt; resolves with what came of it, once it is over. Throws where that is nothing that the face may say. */
  send(attempt: Attempt): Promise<string>;
  /** Throws unless the face still answers as it should; what came meanwhile. */
  check(): Promise<string>;
  close(): Promise<void>;
}

/** What an HTTP face may say to anything. */
const STATUSES = new Set([200, 202, 400, 401, 404, 405, 406, 408, 413, 415, 429, 431, 503]);

interface Shape {
  readonly jsonrpc?: unknown;
  readonly id?: unknown;
  readonly method?: unknown;
  readonly result?: unknown;
  readonly error?: { readonly code?: unknown; readonly message?: unknown };
}

/** Throws unless the text is one JSON-RPC message, or a batch of them. */
export function expectMessage(text: string): void {
  const value = JSON.parse(text) as Shape | Shape[];
  for (const message of Array.isArray(value) ? value : [value]) {
    const { jsonrpc, method, result, error } = message;
    const failed = Number.isInteger(error?.code) && typeof error?.message === 'string';
    const right = jsonrpc === '2.0' && [typeof method === 'string', result !== undefined, failed].filter(Boolean).length === 1;
    if (!right) throw new Error(`no JSON-RPC message: ${text.slice(0, 500)}`);
  }
}

function expectAnswer(status: number, text: string, type: string): void {
  if (!STATUSES.has(status)) throw new Error(`status ${status}: ${text.slice(0, 500)}`);
  if (text === '') return;
  if (!type.startsWith('text/event-stream')) return expectMessage(text);
  for (const line of text.split('\n')) if (line.startsWith('data: ') && line.length > 6) expectMessage(line.slice(6));
}

/** Headers of an attempt on top of right ones; undefined leaves one out. */
function headersOf(right: Readonly<Record<string, string>>, { headers }: Attempt): Record<string, string> {
  const all: Record<string, string> = { ...right };
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined) delete all[name];
    else all[name] = value;
  }
  return all;
}

async function post(url: string, headers: Record<string, string>, body: string): Promise<string> {
  const reply = await ask(url, { headers, body });
  expectAnswer(reply.status, reply.text, reply.headers['content-type'] ?? '');
  return reply.text;
}

export function modernHttp(gateway: GatewayHere, server: string, key: string): Driver {
  const url = `${gateway.url}/mcp/${server}`;
  const right = { ...JSON_HEADERS, ...bearer(key), 'mcp-protocol-version': '2026-07-28' };
  return {
    send(attempt) {
      const { method = '', params } = parsed(attempt.text);
      const mirrors = { 'mcp-method': header(method), ...(typeof params?.name === 'string' ? { 'mcp-name': header(params.name) } : {}) };
      return post(url, headersOf({ ...right, ...mirrors }, attempt), attempt.text);
    },
    check: async () => expectEcho((await gateway.wire(server, key).call('echo', { text: 'still here' })).text),
    close: () => Promise.resolve(),
  };
}

function parsed(text: string): { method?: string; params?: { name?: unknown } } {
  try {
    const value = JSON.parse(text) as { method?: unknown; params?: { name?: unknown } } | null;
    return typeof value?.method === 'string' ? { method: value.method, params: value.params ?? {} } : {};
  } catch {
    return {};
  }
}

const header = (value: string): string => value.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 1000);

function expectEcho(text: string): string {
  if (!text.includes('still here')) throw new Error(`not the answer of echo: ${text.slice(0, 500)}`);
  return text;
}

/** Whole HTTP requests with wrong bytes in them, on connections that end there. A Host that took in what follows it is 403. */
export function rawHttp(gateway: GatewayHere, server: string, key: string): Driver {
  return {
    async send({ text, headers }) {
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value ?? ''}\r\n`);
      const head = `POST /mcp/${server} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\nauthorization: Bearer ${key}\r\naccept: */*\r\ncontent-type: application/json\r\n`;
      const cut = text.length % 7 === 0 ? head.slice(0, -(text.length % head.length)) : head;
      const said = await rawExchange(gateway.url, `${cut}${lines.join('')}content-length: ${text.length}\r\n\r\n${text}`);
      const status = /^HTTP\/1\.1 (\d{3}) /.exec(said)?.[1];
      if (said !== '' && (status === undefined || !(STATUSES.has(Number(status)) || status === '403')))
        throw new Error(`not HTTP: ${said.slice(0, 300)}`);
      return said;
    },
    check: async () => expectEcho((await gateway.wire(server, key).call('echo', { text: 'still here' })).text),
    close: () => Promise.resolve(),
  };
}

/** A status, from the head of an answer whose body may have no end. */
function statusOf(url: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(url, { method: 'GET', agent: false, headers, signal: AbortSignal.timeout(PATIENCE_MS) }, (response) => {
      resolve(response.statusCode ?? 0);
      response.on('error', () => undefined);
      sent.destroy();
    });
    sent.on('error', reject).end();
  });
}

export async function legacyHttp(gateway: GatewayHere, server: string, key: string): Promise<Driver> {
  const wire = gateway.wire(server, key);
  let session: LegacySession = await wire.open('2025-11-25');
  const right = (): Record<string, string> => ({ ...JSON_HEADERS, ...bearer(key), ...session.headers });
  return {
    async send(attempt) {
      if (attempt.headers['last-event-id'] !== undefined) {
        const status = await statusOf(wire.url, headersOf({ ...right(), accept: 'text/event-stream' }, attempt));
        if (!STATUSES.has(status)) throw new Error(`status ${status} for a GET`);
      }
      return post(wire.url, headersOf(right(), attempt), attempt.text);
    },
    async check() {
      const reply = await session.call('echo', { text: 'still here' });
      if (reply.status === 404) session = await wire.open('2025-11-25');
      return expectEcho((await session.call('echo', { text: 'still here' })).text);
    },
    close: async () => void (await session.end()),
  };
}

/** What a connection that carries messages both ways said since it was last looked at. */
class Said {
  #messages: string[] = [];
  #rest = '';

  message(text: string): void {
    this.#messages.push(text);
  }

  lines(chunk: string): void {
    const lines = (this.#rest + chunk).split('\n');
    this.#rest = lines.pop() ?? '';
    this.#messages.push(...lines.filter((line) => line !== ''));
  }

  has(part: string): boolean {
    return this.#messages.some((text) => text.includes(part));
  }

  take(): string {
    const taken = this.#messages;
    this.#messages = [];
    for (const text of taken) expectMessage(text);
    return taken.join('\n');
  }
}

let marks = 0;

const INITIALIZE = JSON.stringify({
  jsonrpc: '2.0',
  id: 'init',
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'fuzz', version: '1' } },
});

/** Sends a ping and waits for its answer, behind which everything before it was taken. */
async function pinged(said: Said, write: (text: string) => void): Promise<string> {
  const id = `mark-${++marks}`;
  write(JSON.stringify({ jsonrpc: '2.0', id, method: 'ping' }));
  await until(`the answer to ${id}`, () => said.has(`"${id}"`));
  return said.take();
}

export function stdio(gateway: GatewayHere, server: string): Driver {
  const [input, output] = [new PassThrough(), new PassThrough()];
  const said = new Said();
  output.setEncoding('utf8').on('data', (chunk: string) => said.lines(chunk));
  const served = gateway.gateway.serveStdio(input, output, { server });
  const write = (text: string): void => void input.write(`${text}\n`);
  write(INITIALIZE);
  return {
    send({ text }) {
      write(text);
      return Promise.resolve('');
    },
    check: () => pinged(said, write),
    async close() {
      input.end();
      await served;
    },
  };
}

export async function webSocket(gateway: GatewayHere, server: string, key: string): Promise<Driver> {
  const said = new Said();
  let socket: WebSocket | undefined;
  const open = async (): Promise<WebSocket> => {
    if (socket?.readyState === WebSocket.OPEN) return socket;
    socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/mcp/${server}`, 'mcp', { headers: bearer(key) });
    socket.on('message', (data) => said.message((data as Buffer).toString('utf8')));
    socket.on('error', () => undefined);
    socket.on('close', (code) => {
      if (![1000, 1003, 1006, 1007, 1009].includes(code)) said.message(`"closed with ${code}"`);
    });
    await once(socket, 'open');
    socket.send(INITIALIZE);
    return socket;
  };
  await open();
  return {
    async send({ text }) {
      (await open()).send(text, { binary: text.length % 97 === 0 });
      return '';
    },
    async check() {
      const current = await open();
      // A binary frame before may close the connection only now.
      const over = new AbortController();
      const closed = once(current, 'close', { signal: over.signal }).then(() => 'closed');
      closed.catch(() => undefined);
      const answer = pinged(said, (text) => current.send(text, () => undefined));
      answer.catch(() => undefined);
      const first = await Promise.race([answer, closed]);
      over.abort();
      return first === 'closed' ? pinged(said, await open().then((next) => (text: string) => next.send(text))) : first;
    },
    close() {
      socket?.terminate();
      return Promise.resolve();
    },
  };
}

export async function sse(gateway: GatewayHere, server: string, key: string): Promise<Driver> {
  const said = new Said();
  let address = '';
  const sent = httpRequest(`${gateway.url}/sse/${server}`, { agent: false, headers: { accept: 'text/event-stream', ...bearer(key) } });
  sent.on('error', () => undefined);
  sent.on('response', (response) => {
    response.setEncoding('utf8').on('error', () => undefined);
    let rest = '';
    response.on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (line.startsWith('data: /')) address = line.slice(6).trim();
        else if (line.startsWith('data: ')) said.message(line.slice(6));
      }
    });
  });
  sent.end();
  await until('the address to post to', () => address !== '');
  const right = { ...JSON_HEADERS, ...bearer(key) };
  const write = (text: string): void => void ask(new URL(address, gateway.url).href, { headers: right, body: text }).catch(() => undefined);
  write(INITIALIZE);
  return {
    send: (attempt) => post(new URL(address, gateway.url).href, headersOf(right, attempt), attempt.text),
    check: () => pinged(said, write),
    close() {
      sent.destroy();
      return Promise.resolve();
    },
  };
}
