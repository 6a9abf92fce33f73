import {
  formatOptions,
  startHttpUpstream,
  startSseUpstream,
  startWsUpstream,
  STDIO_UPSTREAM,
  type FixtureOptions,
  type SseUpstream,
} from '../fixtures/upstreams/index.ts';
import type { GatewayProcess } from '../support/gateway-process.ts';
import type { MatrixClient, MatrixJudges, MatrixOptions } from '../support/matrix-port.ts';

/** The columns, as they are called in the gateway's configuration. */
export const UPSTREAMS = ['modern-http', 'legacy-http', 'sse', 'websocket', 'websocket-modern', 'stdio-modern', 'stdio-legacy'] as const;
export type Upstream = (typeof UPSTREAMS)[number];

/** A server beside the matrix: legacy, without sessions. */
export const SESSIONLESS = 'sessionless';

export const UPSTREAM_TITLES: Readonly<Record<Upstream, string>> = {
  'modern-http': 'modern HTTP',
  'legacy-http': 'legacy HTTP',
  sse: 'HTTP+SSE',
  websocket: 'WebSocket',
  'websocket-modern': 'WebSocket, modern',
  'stdio-modern': 'stdio, modern',
  'stdio-legacy': 'stdio, legacy',
};

export const CLIENTS = [
  'SDK v2 modern',
  'SDK v2 legacy',
  'SDK v1 Streamable HTTP',
  'SDK v1 SSE',
  'SDK v1 WebSocket',
  'stdio, SDK v2 modern',
  'stdio, SDK v1',
] as const;
export type ClientName = (typeof CLIENTS)[number];

/** Connects a client of this kind to one server through the gateway. */
export function connectClient(
  judges: MatrixJudges,
  gateway: GatewayProcess,
  place: { readonly client: ClientName; readonly server: string },
  options: MatrixOptions,
): Promise<MatrixClient> {
  const { client, server } = place;
  const http = { url: gateway.endpoint(`/mcp/${server}`), key: gateway.agentKey };
  const stdio = { ...gateway.stdioTarget('--server', server), cwd: gateway.dataDir };
  switch (client) {
    case 'SDK v2 modern':
      return judges.modern(http, options);
    case 'SDK v2 legacy':
      return judges.legacy(http, options);
    case 'SDK v1 Streamable HTTP':
      return judges.v1(http, options);
    case 'SDK v1 SSE':
      return judges.sse({ ...http, url: gateway.endpoint(`/sse/${server}`) }, options);
    case 'SDK v1 WebSocket':
      return judges.webSocket(http, options);
    case 'stdio, SDK v2 modern':
      return judges.stdioModern(stdio, options);
    case 'stdio, SDK v1':
      return judges.stdioLegacy(stdio, options);
  }
}

export interface Servers {
  /** The gateway's `mcpServers`. */
  readonly blocks: Readonly<Record<string, object>>;
  readonly sse: SseUpstream;
  close(): Promise<void>;
}

/** Starts the columns' servers; those over stdio are started by the gateway. */
export async function startServers(board: string): Promise<Servers> {
  const named = (name: string, era: FixtureOptions['era']): Partial<FixtureOptions> => ({ board, name, era });
  const child = (name: string, era: FixtureOptions['era']): object => ({
    command: process.execPath,
    args: [STDIO_UPSTREAM, ...formatOptions(named(name, era))],
  });
  const [modern, legacy, sessionless, sse, ws, wsModern] = await Promise.all([
    startHttpUpstream(named('modern-http', 'modern')),
    startHttpUpstream(named('legacy-http', 'legacy')),
    startHttpUpstream({ ...named(SESSIONLESS, 'legacy'), sessionless: true }),
    startSseUpstream(named('sse', 'legacy')),
    startWsUpstream(named('websocket', 'legacy')),
    startWsUpstream(named('websocket-modern', 'modern')),
  ]);
  const blocks = {
    'modern-http': { url: modern.url },
    'legacy-http': { url: legacy.url },
    [SESSIONLESS]: { url: sessionless.url },
    sse: { type: 'sse', url: sse.url },
    websocket: { type: 'websocket', url: ws.url },
    'websocket-modern': { type: 'websocket', url: wsModern.url },
    'stdio-modern': child('stdio-modern', 'modern'),
    'stdio-legacy': child('stdio-legacy', 'legacy'),
  };
  const all = [modern, legacy, sessionless, sse, ws, wsModern];
  return { blocks, sse, close: async () => void (await Promise.all(all.map((server) => server.close()))) };
}
