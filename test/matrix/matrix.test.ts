import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Pool } from '../conformance/pool.ts';
import { endGateways, startGatewayProcess, type GatewayProcess } from '../support/gateway-process.ts';
import { loadMatrixJudges } from '../support/judges.ts';
import type { MatrixClient, MatrixJudges, MatrixOptions } from '../support/matrix-port.ts';
import { Board } from './board.ts';
import { PAIRS, runPair, type Pair, type PairResult } from './cells.ts';
import { CHECK_NAMES, FORM, OFFERS } from './checks.ts';
import { settlePage } from './page.ts';
import { CLIENTS, connectClient, SESSIONLESS, startServers, UPSTREAMS, type ClientName, type Servers, type Upstream } from './rows.ts';
import { BESIDES, WORDS, type Beside } from './words.ts';

const CASE_MS = 300_000;

/** Two cores: more at a time only wait for each other. */
const pool = new Pool(4);
/** Clients come to a server one after the other: some words of words.ts are about what happens when they do not. */
const lanes = new Map(UPSTREAMS.map((upstream) => [upstream, new Pool(1)]));
const results = new Map<string, Promise<PairResult>>();
const done = new Map<string, PairResult>();
const board = new Board();
const besides = new Set<Beside>();
let judges: MatrixJudges;
let gateway: GatewayProcess;
let servers: Servers;

const nameOf = ({ client, upstream }: Pair): string => `${client} to ${upstream}`;

const connect = (client: ClientName, server: string, options: MatrixOptions = { offers: OFFERS }): Promise<MatrixClient> =>
  connectClient(judges, gateway, { client, server }, options);

async function settled(pair: Pair): Promise<PairResult> {
  const result = await runPair(pair, () => connect(pair.client, pair.upstream), board);
  done.set(nameOf(pair), result);
  return result;
}

function start(pair: Pair): Promise<PairResult> {
  const job = (): Promise<PairResult> => pool.run(() => settled(pair));
  return lanes.get(pair.upstream)?.run(job) ?? job();
}

beforeAll(async () => {
  judges = await loadMatrixJudges();
  await board.start();
  servers = await startServers(board.address);
  gateway = await startGatewayProcess({ config: { mcpServers: servers.blocks } });
  await gateway.connected(Object.keys(servers.blocks));
  for (const pair of PAIRS) results.set(nameOf(pair), start(pair));
}, CASE_MS);

afterAll(async () => {
  await Promise.allSettled(results.values());
  await endGateways();
  await servers.close();
  await board.close();
}, CASE_MS);

describe.each(PAIRS.map((pair) => [nameOf(pair), pair] as const))('%s', (name) => {
  it.each(CHECK_NAMES)(
    '%s',
    async (check) => {
      const result = await results.get(name);
      expect(result?.has(check)).toBe(true);
      expect(result?.get(check)).toBeUndefined();
    },
    CASE_MS,
  );
});

/** A test of what is in no cell. Its name is a row of words.ts. */
function beside(what: Beside, test: () => Promise<void>): void {
  besides.add(what);
  it(what, test, CASE_MS);
}

/** Runs `use` with a client of its own. */
async function withClient(
  place: readonly [client: ClientName, server: string],
  options: MatrixOptions,
  use: (client: MatrixClient) => Promise<void>,
): Promise<void> {
  const client = await pool.run(() => connect(...place, options));
  try {
    await use(client);
  } finally {
    await client.close();
  }
}

describe('beside the matrix', () => {
  beside('modern over HTTP+SSE', async () => {
    await withClient(['SDK v2 modern', 'sse'], { offers: OFFERS }, async (client) => {
      expect(await client.call('echo', { text: 'translated' })).toMatchObject({ text: 'translated' });
    });
    const bodies = servers.sse.requests.map(({ body }) => body);
    expect(bodies.some((body) => body.includes('"initialize"'))).toBe(true);
    expect(bodies.filter((body) => body.includes('io.modelcontextprotocol/protocolVersion'))).toEqual([]);
  });

  beside('modern over WebSocket', async () => {
    await withClient(['SDK v2 modern', 'websocket-modern'], { offers: {} }, async (client) => {
      expect(await client.call('echo', { text: 'framed' })).toMatchObject({ text: 'framed' });
    });
  });

  beside('log without a lease', async () => {
    const wires = WORDS.filter(({ word }) => word === 'under a lease').flatMap(({ upstreams }) => upstreams);
    for (const wire of wires)
      for (const kind of ['SDK v2 modern', 'SDK v1 Streamable HTTP'] as const)
        await withClient([kind, wire], { offers: {} }, async (client) => {
          await client.wantLogs('debug');
          expect(await client.call('say', { level: 'error', data: 'whose?' })).toMatchObject({ text: 'said' });
          expect(client.logs).toEqual([]);
        });
  });

  beside('log, two calls at a time', async () => {
    // Whoever else wants log messages of these servers is done by then.
    await Promise.allSettled(results.values());
    for (const wire of WORDS.filter(({ word }) => word === 'one at a time').flatMap(({ upstreams }) => upstreams))
      await withClient(['SDK v2 modern', wire], { offers: {} }, async (client) => {
        await client.wantLogs('debug');
        const other = new AbortController();
        const key = `two-${wire}`;
        const hanging = client.call('hang_marked', { key }, { signal: other.signal }).catch(() => undefined);
        await board.hear(wire, 'running', key, 10_000);
        expect(await client.call('say', { level: 'error', data: 'whose?' })).toMatchObject({ text: 'said' });
        expect(client.logs).toEqual([]);
        other.abort();
        await hanging;
      });
  });

  beside('subscribe, a legacy server without sessions', () =>
    withClient(['SDK v2 modern', SESSIONLESS], { offers: {} }, async (client) => {
      expect(await client.call('echo', { text: 'still here' })).toMatchObject({ text: 'still here' });
      await expect(client.follow(['fixture:///watched/nobody'])).rejects.toThrow('not acknowledged');
    }),
  );

  it(
    'subscribe, a legacy server without sessions: a legacy client is told that it is refused',
    () =>
      withClient(['SDK v1 WebSocket', SESSIONLESS], { offers: {} }, async (client) => {
        expect(await client.call('echo', { text: 'still here' })).toMatchObject({ text: 'still here' });
        await expect(client.follow(['fixture:///watched/nobody'])).rejects.toThrow();
      }),
    CASE_MS,
  );

  beside('elicit, a client of 2024-11-05 or 2025-03-26', async () => {
    const params = { message: 'Who?', requestedSchema: FORM };
    const old = [
      ['SDK v1 SSE', '2024-11-05'],
      ['SDK v1 Streamable HTTP', '2025-03-26'],
    ] as const;
    for (const [kind, revision] of old)
      for (const server of ['modern-http', 'legacy-http'])
        await withClient([kind, server], { offers: OFFERS, revision }, async (client) => {
          expect(await client.call('ask_client', { method: 'elicitation/create', params })).toMatchObject({ isError: true });
          expect(client.asked).toEqual([]);
        });
  });

  beside('elicit, a client that declared `elicitation: {}`', async () => {
    const params = { mode: 'url', message: 'Go', url: 'https://example.com/go', elicitationId: 'e-1' };
    for (const kind of ['SDK v2 modern', 'SDK v1 Streamable HTTP'] as const)
      for (const server of ['modern-http', 'legacy-http'])
        await withClient([kind, server], { offers: { elicitation: {} } }, async (client) => {
          const answer = await client.call('ask_client', { method: 'elicitation/create', params }).catch(() => ({ isError: true }));
          expect(answer).toMatchObject({ isError: true });
          expect(client.asked).toEqual([]);
          const form = { message: 'Who?', requestedSchema: FORM };
          expect(await client.call('ask_client', { method: 'elicitation/create', params: form })).toMatchObject({ isError: false });
        });
  });

  it('shows all that the page says', () => {
    expect([...besides].sort()).toEqual(Object.keys(BESIDES).sort());
  });
});

it(
  'is what docs/matrix.md says',
  async () => {
    await Promise.all(results.values());
    expect(done.size).toBe(CLIENTS.length * UPSTREAMS.length);
    await settlePage((client: ClientName, upstream: Upstream) => done.get(nameOf({ client, upstream })));
  },
  CASE_MS,
);
