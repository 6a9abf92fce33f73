/** Gateways of others beside ours: legacy HTTP clients of one session in front of one stdio child, in one run. */
import { load, type LoadRequest } from './load.ts';
import { KEY, legacyStdioServer, startGateway, startNpmPeer, type Running } from './processes.ts';

export interface PeerRow {
  readonly name: string;
  readonly perSecond: number;
  /** How many times as much ours carries. */
  readonly ours: number;
}

interface Round {
  readonly seconds: number;
  readonly rounds: number;
  readonly connections: number;
}

interface Contender {
  readonly name: string;
  readonly running: Running;
  readonly path: string;
  readonly request: LoadRequest;
}

const REVISION = '2025-06-18';
const HEADERS = {
  authorization: `Bearer ${KEY}`,
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
};

/** Opens a session and gives the call to repeat in it. */
async function session(port: number, path: string): Promise<LoadRequest> {
  const url = `http://127.0.0.1:${port}${path}`;
  const post = (body: object, more: Record<string, string>): Promise<Response> =>
    fetch(url, { method: 'POST', headers: { ...HEADERS, ...more }, body: JSON.stringify({ jsonrpc: '2.0', ...body }) });
  const clientInfo = { name: 'bench', version: '1.0.0' };
  const opened = await post({ id: 0, method: 'initialize', params: { protocolVersion: REVISION, capabilities: {}, clientInfo } }, {});
  await opened.text();
  const id = opened.headers.get('mcp-session-id');
  if (id === null) throw new Error(`${url} opened no session: HTTP ${opened.status}`);
  const more = { 'mcp-session-id': id, 'mcp-protocol-version': REVISION };
  await (await post({ method: 'notifications/initialized' }, more)).text();
  const params = { name: 'quote', arguments: { symbol: 'AAPL', limit: 5 } };
  const proof = await (await post({ id: 'proof', method: 'tools/call', params }, more)).text();
  if (!proof.includes('187.25')) throw new Error(`${url} does not carry calls: ${proof.slice(0, 200)}`);
  return {
    headers: { ...HEADERS, ...more },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }),
    countIds: true,
  };
}

async function contenders(): Promise<Contender[]> {
  const ours = await startGateway(legacyStdioServer);
  const supergateway = await startNpmPeer('supergateway', (port, command) =>
    `--outputTransport streamableHttp --stateful --logLevel none --port ${port} --stdio`.split(' ').concat(command.join(' ')),
  );
  const mcpProxy = await startNpmPeer('mcp-proxy', (port, command) => ['--port', String(port), '--server', 'stream', '--', ...command]);
  const all = [
    { name: 'StockPulse MCP', running: ours, path: '/mcp/bench' },
    { name: 'supergateway --stateful', running: supergateway, path: '/mcp' },
    { name: 'mcp-proxy', running: mcpProxy, path: '/mcp' },
  ];
  return Promise.all(all.map(async (one) => ({ ...one, request: await session(one.running.port, one.path) })));
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;

/** Rounds alternate between the gateways, so that a machine that slows down slows all. */
export async function peerRows({ seconds, rounds, connections }: Round): Promise<PeerRow[]> {
  const all = await contenders();
  try {
    const rates = all.map((): number[] => []);
    for (let round = 0; round <= rounds; round++) {
      for (const [i, { running, path, request }] of all.entries()) {
        const { perSecond } = await load({ port: running.port, path, request, seconds, connections });
        // The first round warms up.
        if (round > 0) rates[i]?.push(perSecond);
      }
    }
    const medians = rates.map(median);
    return all.map(({ name }, i) => ({ name, perSecond: medians[i] ?? NaN, ours: (medians[0] ?? NaN) / (medians[i] ?? NaN) }));
  } finally {
    await Promise.all(all.map(({ running }) => running.stop()));
  }
}
