import { Client, StreamableHTTPClientTransport, type ClientCapabilities, type McpSubscription } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import type { HttpTarget, StdioTarget } from '../support/judge-port.ts';
import type { MatrixClient, MatrixOptions } from '../support/matrix-port.ts';
import { elicited, rooted, sampled, Seen } from './matrix-answers.ts';
import { judgeCall } from './result.ts';

type Connectable = Parameters<Client['connect']>[0];
type Era = 'modern' | 'legacy';

const CALL_MS = 60_000;
/** The first list waits until a process has started. */
const LIST_MS = 120_000;
/** The transport's own limit is exactly the 10 MiB of the largest result, without its envelope. */
const STDIO_BYTES = 32 * 1024 * 1024;
const LOG_KEY = 'io.modelcontextprotocol/logLevel';

function handlers(client: Client, offers: MatrixOptions['offers'], seen: Seen): void {
  const asked = <T>(method: string, answer: T): Promise<T> => {
    seen.asked.push(method);
    return Promise.resolve(answer);
  };
  if (offers.elicitation !== undefined)
    client.setRequestHandler('elicitation/create', ({ method, params }) => asked(method, elicited(params)));
  if (offers.sampling !== undefined)
    client.setRequestHandler('sampling/createMessage', ({ method, params }) => asked(method, sampled(params)));
  if (offers.roots !== undefined) client.setRequestHandler('roots/list', ({ method }) => asked(method, rooted()));
  client.setNotificationHandler('notifications/message', ({ params }) => {
    seen.logs.push({ level: params.level, data: params.data });
  });
  client.setNotificationHandler('notifications/resources/updated', ({ params }) => {
    seen.updated.push(params.uri);
  });
  client.setNotificationHandler('notifications/tools/list_changed', () => {
    seen.listChanges += 1;
  });
}

/** Subscriptions in the words of the era: one stream, which is opened anew when more is wanted, or a request per resource. */
function follower(client: Client, era: Era): { follow: MatrixClient['follow']; end: () => Promise<void> } {
  const open: McpSubscription[] = [];
  const end = async (): Promise<void> => {
    for (const subscription of open.splice(0)) await subscription.close();
  };
  const follow = async (uris: readonly string[]): Promise<void> => {
    if (era === 'legacy') {
      for (const uri of uris) await client.subscribeResource({ uri });
      return;
    }
    const more = uris.length === 0 ? {} : { resourceSubscriptions: [...uris] };
    const subscription = await client.listen({ toolsListChanged: true, ...more });
    open.push(subscription);
    const refused = uris.filter((uri) => !(subscription.honoredFilter.resourceSubscriptions ?? []).includes(uri));
    if (refused.length > 0) throw new Error(`not acknowledged: ${refused.join(', ')}`);
  };
  return { follow, end };
}

async function connect(transport: Connectable, era: Era, { offers }: MatrixOptions, end: () => Promise<void>): Promise<MatrixClient> {
  const seen = new Seen();
  const mode = era === 'modern' ? { pin: '2026-07-28' } : ('legacy' as const);
  const capabilities = offers as ClientCapabilities;
  const client = new Client({ name: 'judge-sdk-v2', version: '1.0.0' }, { capabilities, versionNegotiation: { mode } });
  handlers(client, offers, seen);
  await client.connect(transport);
  const { follow, end: endFollowing } = follower(client, era);
  let level: string | undefined;
  return {
    call: async (name, args, { signal, onProgress } = {}) => {
      const onprogress = onProgress && (({ progress }: { progress: number }) => onProgress(progress));
      const options = { timeout: CALL_MS, ...(signal ? { signal } : {}), ...(onprogress ? { onprogress } : {}) };
      const meta = level === undefined ? {} : { _meta: { [LOG_KEY]: level } };
      return judgeCall(await client.callTool({ name, arguments: { ...args }, ...meta }, options));
    },
    complete: async (prompt, argument, value) =>
      (await client.complete({ ref: { type: 'ref/prompt', name: prompt }, argument: { name: argument, value } })).completion.values,
    toolNames: async () => (await client.listTools(undefined, { cacheMode: 'refresh', timeout: LIST_MS })).tools.map(({ name }) => name),
    wantLogs: async (wanted) => {
      if (era === 'modern') level = wanted;
      else await client.setLoggingLevel(wanted);
    },
    follow,
    logs: seen.logs,
    updated: seen.updated,
    asked: seen.asked,
    get listChanges() {
      return seen.listChanges;
    },
    close: async () => {
      await endFollowing();
      await end();
      await client.close();
    },
  };
}

export function v2Http({ url, key }: HttpTarget, era: Era, options: MatrixOptions): Promise<MatrixClient> {
  const headers: Record<string, string> = key === undefined ? {} : { Authorization: `Bearer ${key}` };
  const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } });
  return connect(transport, era, options, () => (transport.sessionId === undefined ? Promise.resolve() : transport.terminateSession()));
}

export function v2Stdio({ command, args, env, cwd }: StdioTarget, era: Era, options: MatrixOptions): Promise<MatrixClient> {
  const server = { command, args: [...args], env: { ...env }, ...(cwd === undefined ? {} : { cwd }) };
  const transport = new StdioClientTransport({ ...server, stderr: 'ignore', maxBufferSize: STDIO_BYTES });
  return connect(transport, era, options, () => Promise.resolve());
}
