/** What the tests of this folder share: a real HTTP server to call, and calls as the gateway makes them. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CallEvent, Edit, JsonObject, Outcome, SideEffect, Target } from '../../protocol/index.ts';
import { Caps } from '../../shared/index.ts';
import { paramsOf } from '../test-kit.ts';
import { apiClient } from './fetch.ts';
import { readApi } from './read-api.ts';
import { ApiTarget, type ApiTargetOptions } from './target.ts';
import type { ApiOperation, ApiOptions, ApiReading } from './types.ts';

/** Runs of a property: many more in the long run. */
export const runs = (count: number): { numRuns: number } => ({
  numRuns: Math.ceil(count * Number(process.env.STOCKPULSE_TEST_SCALE ?? 1)),
});

/** A document with these paths. */
export const api = (paths: JsonObject, more: JsonObject = {}): JsonObject => ({
  openapi: '3.1.0',
  info: { title: 'Test', version: '1' },
  servers: [{ url: 'http://api.test/v1' }],
  paths,
  ...more,
});

/** A document with one operation, `GET /it` unless it is said otherwise, and what is read of it. */
export function readOne(
  operation: JsonObject,
  { path = '/it', method = 'get', more = {} as JsonObject, options = {} as ApiOptions } = {},
): ApiOperation {
  const reading = readApi(api({ [path]: { [method]: { operationId: 'it', ...operation } } }, more), options);
  const [read] = reading.operations;
  if (read === undefined) throw new Error(`no operation: ${reading.warnings.join('; ')}`);
  return read;
}

export const toolOf = ({ operations }: ApiReading, name: string): ApiOperation => {
  const found = operations.find((operation) => operation.name === name);
  if (found === undefined) throw new Error(`no tool ${name}, but ${operations.map((operation) => operation.name).join(', ')}`);
  return found;
};

interface Shape {
  readonly properties: Readonly<Record<string, JsonObject>>;
  readonly required?: readonly string[];
}
export const inputOf = ({ definition }: ApiOperation): Shape => definition.inputSchema as unknown as Shape;
export const outputOf = ({ definition }: ApiOperation): Shape => definition.outputSchema as unknown as Shape;

export interface Heard {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export interface Stub {
  readonly url: string;
  readonly heard: Heard[];
  close(): Promise<void>;
}

/** An HTTP server on loopback that remembers what it was asked. */
export async function stub(answer: (heard: Heard, response: ServerResponse) => void): Promise<Stub> {
  const heard: Heard[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      const one = { method, url, headers, body: Buffer.concat(chunks).toString() };
      heard.push(one);
      answer(one, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    heard,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export const json = (response: ServerResponse, value: unknown, status = 200, headers: Record<string, string> = {}): void => {
  response
    .writeHead(status, { 'content-type': 'application/json', ...headers })
    .end(typeof value === 'string' ? value : JSON.stringify(value));
};

export interface Called {
  readonly outcome: Outcome;
  readonly events: readonly CallEvent[];
  readonly texts: readonly string[];
  readonly value: JsonObject;
}

export interface CallSettings {
  readonly sideEffect?: SideEffect;
  readonly signal?: AbortSignal;
  readonly deadlineMs?: number;
  readonly method?: string;
  readonly edits?: readonly Edit[];
}

export interface TargetKit {
  readonly target: ApiTarget;
  readonly caps: Caps;
  readonly call: (name: string, args?: JsonObject | string, settings?: CallSettings) => Promise<Called>;
  readonly close: () => Promise<void>;
}

/** Calls a tool as the gateway does. */
export async function callNamed(
  target: Target,
  name: string,
  args: JsonObject | string = {},
  settings: CallSettings = {},
): Promise<Called> {
  const { sideEffect = 'read', signal = new AbortController().signal, deadlineMs = 10_000, method = 'tools/call', edits = [] } = settings;
  const events: CallEvent[] = [];
  const text = typeof args === 'string' ? args : JSON.stringify(args);
  const outcome = await target.handle(
    {
      method,
      params: paramsOf(`{"name":${JSON.stringify(name)},"arguments":${text}}`),
      subject: { member: 'name', value: name },
      sideEffect,
      edits,
      headerParams: [],
      client: { revision: '2026-07-28', info: undefined, capabilities: {} },
      caller: { principal: 'p', scopes: new Set() },
      offers: { text: '{}', value: {} },
      state: undefined,
      answers: undefined,
      logLevel: undefined,
      progress: false,
      deadlineMs,
    },
    { signal, onEvent: (event) => events.push(event) },
  );
  const value = outcome.kind === 'complete' ? outcome.result.value : {};
  const content = (value.content ?? []) as readonly { readonly text: string }[];
  return { outcome, events, value, texts: content.map((block) => block.text) };
}

/** A target over real connections. */
export function targetOf(reading: ApiReading, more: Partial<ApiTargetOptions> = {}): TargetKit {
  const caps = new Caps();
  const client = apiClient({ connections: 8, connectMs: 2_000 });
  const target = new ApiTarget({ name: 'api', reading, caps, maxInFlight: 4, deadlineMs: 10_000, fetch: client.fetch, ...more });
  return {
    target,
    caps,
    call: (name, args, settings) => callNamed(target, name, args, settings),
    close: () => {
      target.stop();
      return client.close();
    },
  };
}
