import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { WebSocketClientTransport } from '@modelcontextprotocol/sdk/client/websocket.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  LoggingMessageNotificationSchema,
  ResourceUpdatedNotificationSchema,
  ToolListChangedNotificationSchema,
  type ClientCapabilities,
} from '@modelcontextprotocol/sdk/types.js';
import { WebSocket as HeaderSocket } from 'ws';
import type { HttpTarget, StdioTarget } from '../support/judge-port.ts';
import type { MatrixClient, MatrixOptions } from '../support/matrix-port.ts';
import { elicited, rooted, sampled, Seen } from './matrix-answers.ts';
import { judgeCall } from './result.ts';

const CALL_MS = 60_000;
/** The first list waits until a process has started. */
const LIST_MS = 120_000;
/** The transport's own limit is exactly the 10 MiB of the largest result, without its envelope. */
const STDIO_BYTES = 32 * 1024 * 1024;

const headersOf = (key: string | undefined): Record<string, string> => (key === undefined ? {} : { Authorization: `Bearer ${key}` });

/** Lets the client begin with another revision than its newest, as older versions of it did. */
function beginWith(transport: Transport, revision: string | undefined): Transport {
  if (revision === undefined) return transport;
  const send = transport.send.bind(transport);
  transport.send = (message, options) => {
    if ('method' in message && message.method === 'initialize')
      return send({ ...message, params: { ...message.params, protocolVersion: revision } }, options);
    return send(message, options);
  };
  return transport;
}

function handlers(client: Client, offers: MatrixOptions['offers'], seen: Seen): void {
  if (offers.elicitation !== undefined)
    client.setRequestHandler(ElicitRequestSchema, ({ method, params }) => {
      seen.asked.push(method);
      return elicited(params);
    });
  if (offers.sampling !== undefined)
    client.setRequestHandler(CreateMessageRequestSchema, ({ method, params }) => {
      seen.asked.push(method);
      return sampled(params);
    });
  if (offers.roots !== undefined)
    client.setRequestHandler(ListRootsRequestSchema, ({ method }) => {
      seen.asked.push(method);
      return rooted();
    });
  client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => {
    seen.logs.push({ level: params.level, data: params.data });
  });
  client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => {
    seen.updated.push(params.uri);
  });
  client.setNotificationHandler(ToolListChangedNotificationSchema, () => {
    seen.listChanges += 1;
  });
}

async function connect(transport: Transport, { offers, revision }: MatrixOptions, end: () => Promise<void>): Promise<MatrixClient> {
  const seen = new Seen();
  const client = new Client({ name: 'judge-sdk-v1', version: '1.0.0' }, { capabilities: offers as ClientCapabilities });
  handlers(client, offers, seen);
  await client.connect(beginWith(transport, revision));
  return {
    call: async (name, args, { signal, onProgress } = {}) => {
      const onprogress = onProgress && (({ progress }: { progress: number }) => onProgress(progress));
      const options = { timeout: CALL_MS, ...(signal ? { signal } : {}), ...(onprogress ? { onprogress } : {}) };
      return judgeCall(await client.callTool({ name, arguments: { ...args } }, undefined, options));
    },
    complete: async (prompt, argument, value) =>
      (await client.complete({ ref: { type: 'ref/prompt', name: prompt }, argument: { name: argument, value } })).completion.values,
    toolNames: async () => (await client.listTools(undefined, { timeout: LIST_MS })).tools.map(({ name }) => name),
    wantLogs: async (level) => void (await client.setLoggingLevel(level)),
    follow: async (uris) => {
      for (const uri of uris) await client.subscribeResource({ uri });
    },
    logs: seen.logs,
    updated: seen.updated,
    asked: seen.asked,
    get listChanges() {
      return seen.listChanges;
    },
    close: async () => {
      await end();
      await client.close();
    },
  };
}

const nothing = (): Promise<void> => Promise.resolve();

export function v1Http({ url, key }: HttpTarget, options: MatrixOptions): Promise<MatrixClient> {
  const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers: headersOf(key) } });
  return connect(transport as Transport, options, () => transport.terminateSession());
}

/** The transport sends `requestInit.headers` with the request that opens the stream too. */
export function v1Sse({ url, key }: HttpTarget, options: MatrixOptions): Promise<MatrixClient> {
  const transport = new SSEClientTransport(new URL(url), { requestInit: { headers: headersOf(key) } });
  return connect(transport, options, nothing);
}

/** Its own constructor call takes no headers: while it makes its socket, the global class is one that adds them. */
class HeaderTransport extends WebSocketClientTransport {
  readonly #headers: Record<string, string>;

  constructor(url: URL, headers: Record<string, string>) {
    super(url);
    this.#headers = headers;
  }

  override start(): Promise<void> {
    const headers = this.#headers;
    const usual = globalThis.WebSocket;
    const own = class extends HeaderSocket {
      constructor(url: URL, protocol: string) {
        super(url, protocol, { headers });
      }
    };
    globalThis.WebSocket = own as unknown as typeof WebSocket;
    try {
      return super.start();
    } finally {
      globalThis.WebSocket = usual;
    }
  }
}

export function v1WebSocket({ url, key }: HttpTarget, options: MatrixOptions): Promise<MatrixClient> {
  return connect(new HeaderTransport(new URL(url.replace(/^http/, 'ws')), headersOf(key)), options, nothing);
}

export function v1Stdio({ command, args, env, cwd }: StdioTarget, options: MatrixOptions): Promise<MatrixClient> {
  const server = { command, args: [...args], env: { ...env }, ...(cwd === undefined ? {} : { cwd }) };
  return connect(new StdioClientTransport({ ...server, stderr: 'ignore', maxBufferSize: STDIO_BYTES }), options, nothing);
}
