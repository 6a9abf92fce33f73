import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import { PATIENCE_MS } from './until.ts';

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The parsed body, or the last event of a stream; undefined if it is not JSON. */
  readonly json: Json | undefined;
}

/** Parsed JSON, for looking into. */
export interface Json {
  readonly [key: string]: Json;
}

export interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string | Buffer;
}

/** A member of parsed JSON as text; empty if it is none. */
export const textAt = (value: unknown): string => (typeof value === 'string' ? value : '');

function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

/** An answer that takes long comes as the last event of a stream. */
const lastEvent = (text: string): string => /^data: (.+)\n\n$/m.exec(text.slice(text.lastIndexOf('data: ')))?.[1] ?? '';

/** One HTTP request on a connection of its own, with exactly these headers besides Host and Content-Length. */
export function ask(url: string, { method = 'POST', headers = {}, body }: Ask = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const length = body === undefined || 'content-length' in headers ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const sent = httpRequest(url, { method, agent: false, headers: { ...length, ...headers }, signal: AbortSignal.timeout(PATIENCE_MS) });
    let answered = false;
    sent.on('response', (response) => {
      answered = true;
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      const finish = (): void => {
        const text = Buffer.concat(chunks).toString('utf8');
        const streamed = response.headers['content-type'] === 'text/event-stream';
        const json = parsed(streamed ? lastEvent(text) : text);
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json });
      };
      response.on('end', finish);
      response.on('error', finish);
    });
    // A server that refuses a body early may reset the connection while we still write.
    sent.on('error', (error) => (answered ? undefined : reject(error)));
    sent.end(body);
  });
}

/** Bytes on a TCP connection, and all that comes back until the server closes it. */
export function rawExchange(url: string, bytes: string | Buffer, halfOpen = false): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    const chunks: Buffer[] = [];
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`The server kept a connection open for ${PATIENCE_MS} ms; it sent: ${Buffer.concat(chunks).toString()}`));
    }, PATIENCE_MS);
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    // A reset after the answer is as good as a close.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(Buffer.concat(chunks).toString('utf8'));
    });
    if (halfOpen) socket.write(bytes);
    else socket.end(bytes);
  });
}
