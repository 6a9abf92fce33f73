import { Client, StreamableHTTPClientTransport, type VersionNegotiationMode } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import type { HttpTarget, JudgeClient, StdioTarget } from '../support/judge-port.ts';
import { judgeCall } from './result.ts';

type Connectable = Parameters<Client['connect']>[0];

async function connect(transport: Connectable, mode: VersionNegotiationMode, end: () => Promise<void>): Promise<JudgeClient> {
  const client = new Client({ name: 'judge-sdk-v2', version: '1.0.0' }, { versionNegotiation: { mode } });
  await client.connect(transport);
  return {
    revision: client.getNegotiatedProtocolVersion(),
    // Walks all pages by itself when it gets no cursor.
    toolNames: async () => (await client.listTools()).tools.map(({ name }) => name),
    callTool: async (name, args) => judgeCall(await client.callTool({ name, arguments: { ...args } })),
    close: async () => {
      await end();
      await client.close();
    },
  };
}

export function v2Http({ url, key }: HttpTarget, mode: VersionNegotiationMode): Promise<JudgeClient> {
  const headers: Record<string, string> = key === undefined ? {} : { Authorization: `Bearer ${key}` };
  const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } });
  return connect(transport, mode, () => (transport.sessionId === undefined ? Promise.resolve() : transport.terminateSession()));
}

export function v2Stdio({ command, args, env, cwd }: StdioTarget, mode: VersionNegotiationMode): Promise<JudgeClient> {
  const transport = new StdioClientTransport({
    command,
    args: [...args],
    env: { ...env },
    stderr: 'ignore',
    ...(cwd === undefined ? {} : { cwd }),
  });
  return connect(transport, mode, () => Promise.resolve());
}
