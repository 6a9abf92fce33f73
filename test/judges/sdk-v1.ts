import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import type { HttpTarget, JudgeClient, StdioTarget } from '../support/judge-port.ts';
import { allPages, judgeCall } from './result.ts';

async function connect(transport: Transport, end: () => Promise<void>): Promise<JudgeClient> {
  const client = new Client({ name: 'judge-sdk-v1', version: '1.0.0' });
  await client.connect(transport);
  return {
    revision: (transport as { protocolVersion?: string }).protocolVersion,
    toolNames: () =>
      allPages(async (cursor) => {
        const { tools, nextCursor } = await client.listTools(cursor === undefined ? undefined : { cursor });
        return { names: tools.map(({ name }) => name), next: nextCursor };
      }),
    callTool: async (name, args) => judgeCall(await client.callTool({ name, arguments: args })),
    close: async () => {
      await end();
      await client.close();
    },
  };
}

export function v1Http({ url, key }: HttpTarget): Promise<JudgeClient> {
  const headers: Record<string, string> = key === undefined ? {} : { Authorization: `Bearer ${key}` };
  const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } });
  return connect(transport as Transport, () => transport.terminateSession());
}

export function v1Stdio({ command, args, env, cwd }: StdioTarget): Promise<JudgeClient> {
  const transport = new StdioClientTransport({
    command,
    args: [...args],
    env: { ...env },
    stderr: 'ignore',
    ...(cwd === undefined ? {} : { cwd }),
  });
  return connect(transport, () => Promise.resolve());
}
