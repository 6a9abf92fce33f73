import type { Readable, Writable } from 'node:stream';
import type { McpGateway } from './gateway/index.ts';
import type { HttpHost } from './http/index.ts';
import type { Log } from './observability/index.ts';
import type { ApiKeys, Authentication } from './security/index.ts';
import { AppError } from './shared/index.ts';

/** Serves a client on the stdio of this process. Throws `agent_key_missing`, `agent_key_refused`, `unknown_server`. */
export async function serveOwnStdio(
  mcp: McpGateway,
  keys: ApiKeys,
  secret: string | undefined,
  client: { input: Readable; output: Writable; server: string | undefined; closing: AbortSignal },
): Promise<void> {
  const authenticate = (): Authentication => keys.authenticate(`Bearer ${secret ?? ''}`);
  const who = authenticate();
  if (secret === undefined)
    throw new AppError(
      'agent_key_missing',
      'The data folder has no agent.key: "stockpulse keys create NAME" makes a key; write its secret there.',
    );
  if (!who.ok) throw new AppError('agent_key_refused', `The key in agent.key is refused: ${who.message}`);
  if (!mcp.has(client.server))
    throw new AppError('unknown_server', `There is no server ${client.server}. "stockpulse servers list" shows those that there are.`);
  await mcp.stdio(client.input, client.output, authenticate, client.server, client.closing);
}

/** Bare `/mcp` streams of `stockpulse stdio` on the local socket. */
export function serveLocalStreams(host: HttpHost, mcp: McpGateway, log: Log): void {
  host.onLocalUpgrade('mcp-stdio', ({ authenticate, request, closing, accept, refuse }) => {
    const server = /^\/mcp(?:\/([a-z0-9-]+))?$/.exec(request.url ?? '')?.[1];
    if (!mcp.has(server)) {
      refuse({
        code: 'server_not_found',
        message: `There is no server ${server ?? ''} here. "stockpulse servers list" shows those that there are.`,
      });
      return;
    }
    const stream = accept();
    mcp
      .stdio(stream, stream, authenticate, server, closing)
      .catch((error: unknown) => log.event('error', 'stdio_failed', { error }))
      .finally(() => stream.end());
  });
}
