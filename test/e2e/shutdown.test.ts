import { request } from 'node:http';
import { WebSocket } from 'ws';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { endGateways, showLogOnFailure, startGatewayProcess, type GatewayProcess } from '../support/gateway-process.ts';
import { bearer, JSON_HEADERS, McpWire, modernMeta, modernRequest } from '../support/mcp-wire.ts';
import { OwnedProcess } from '../support/processes.ts';
import { PATIENCE_MS, until } from '../support/until.ts';
import { fixtureStdio, startFixtureHttp } from '../support/upstreams.ts';
import { ask, type Json } from '../support/wire.ts';

/** Calls that outlive the grace period of a shutdown get an answer on every face: nobody knows whether they took effect (PROTOCOL A7). */

let gateway: GatewayProcess;

beforeAll(async () => {
  const modern = await startFixtureHttp({ era: 'modern' });
  const legacy = await startFixtureHttp({ era: 'legacy' });
  const mcpServers = { child: fixtureStdio({ era: 'legacy' }), modern: modern.block, legacy: legacy.block };
  gateway = await startGatewayProcess({ config: { mcpServers, log: { level: 'debug' } } });
  await gateway.connected(Object.keys(mcpServers));
}, PATIENCE_MS * 2);

showLogOnFailure(() => gateway);
afterAll(endGateways, PATIENCE_MS);

const HANG = { name: 'hang', arguments: {} };
const message = (id: number | undefined, method: string, params: object = {}): string =>
  JSON.stringify({ jsonrpc: '2.0', ...(id === undefined ? {} : { id }), method, params });
const INITIALIZE = message(0, 'initialize', { protocolVersion: '2024-11-05', capabilities: {}, clientInfo: { name: 'x', version: '1' } });

/** What the tool call came to, by its text. */
const outcome = (result: unknown): unknown => {
  const { content, isError } = result as { content: { text: string }[]; isError?: boolean };
  return [isError, (JSON.parse(content[0]?.text ?? '') as { code: string }).code];
};

const wire = (server: string): McpWire => new McpWire(gateway.endpoint(`/mcp/${server}`), gateway.agentKey);

/** The answer with this id among the messages that a connection carries. */
function answerOn(feed: (take: (text: string) => void) => void): Promise<Json> {
  return new Promise((resolve) => {
    feed((text) => {
      const found = JSON.parse(text) as { id?: number; result?: Json };
      if (found.id === 7 && found.result !== undefined) resolve(found.result);
    });
  });
}

function overWebSocket(server: string): Promise<Json> {
  const url = gateway.endpoint(`/mcp/${server}`).replace('http', 'ws');
  const socket = new WebSocket(url, 'mcp', { headers: bearer(gateway.agentKey) });
  socket.on('open', () => socket.send(message(7, 'tools/call', { ...HANG, _meta: modernMeta() })));
  return answerOn((take) => socket.on('message', (data: Buffer) => take(data.toString('utf8'))));
}

function overSse(server: string): Promise<Json> {
  const { url } = gateway;
  const headers = { ...bearer(gateway.agentKey), accept: 'text/event-stream' };
  return answerOn((take) => {
    const post = async (path: string): Promise<void> => {
      for (const body of [INITIALIZE, message(undefined, 'notifications/initialized'), message(7, 'tools/call', HANG)])
        await ask(url + path, { headers: { ...JSON_HEADERS, ...bearer(gateway.agentKey) }, body });
    };
    request(`${url}/sse/${server}`, { headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        const events = (text + chunk).split('\n\n');
        text = events.pop() ?? '';
        for (const event of events) {
          const data = /^data: (.*)$/m.exec(event)?.[1] ?? '';
          if (event.includes('event: endpoint')) void post(data);
          else if (data !== '') take(data);
        }
      });
    }).end();
  });
}

function overStdio(server: string): Promise<Json> {
  const { command, args, env } = gateway.stdioTarget('--server', server);
  const relay = new OwnedProcess(command, args, { env, stdin: true });
  relay.write(`${message(7, 'tools/call', { ...HANG, _meta: modernMeta() })}\n`);
  return relay.printed('stdout', /^\{.*"id":7.*\}$/m).then(([line]) => (JSON.parse(line) as { result: Json }).result);
}

/** A call that told of its progress already: its answer is the last event of a stream. */
async function overStream(server: string): Promise<Json | undefined> {
  const params = {
    name: 'converse',
    arguments: { steps: [{ progress: 1 }, { hang: true }] },
    _meta: { ...modernMeta(), progressToken: 1 },
  };
  const { headers, body } = modernRequest('tools/call', params, 7);
  const reply = await ask(gateway.endpoint(`/mcp/${server}`), {
    headers: { ...headers, ...bearer(gateway.agentKey) },
    body: JSON.stringify(body),
  });
  expect(reply.headers['content-type']).toBe('text/event-stream');
  return reply.json?.result;
}

it(
  'ends what is under way with an answer, everywhere, and records it as that',
  async () => {
    const json = { accept: 'application/json, text/event-stream;q=0.1' };
    const session = await wire('modern').open('2025-11-25');
    const calls: Promise<unknown>[] = [
      ...['child', 'modern', 'legacy'].map((server) =>
        wire(server)
          .call('hang', {}, json)
          .then((reply) => reply.json?.result),
      ),
      session.call('hang', {}).then((reply) => reply.json?.result),
      overStream('legacy'),
      overWebSocket('child'),
      overSse('modern'),
      overStdio('legacy'),
    ];
    await until('all calls are under way', async () => {
      const waiting = /^stockpulse_bounded_size\{name="calls_in_flight"\} (\d+)$/m.exec(await gateway.metrics());
      return Number(waiting?.[1]) === calls.length;
    });
    const stopped = gateway.stop();
    const outcomes = await Promise.all(calls);
    expect(outcomes.map(outcome)).toEqual(calls.map(() => [true, 'outcome_unknown']));
    for (const result of outcomes) expect(JSON.stringify(result)).toContain('the gateway is shutting down');
    expect((await stopped).code).toBe(0);
    const lines = gateway.callLines().filter(({ method }) => method === 'tools/call');
    expect(lines.map(({ errorCode }) => errorCode)).toEqual(calls.map(() => 'outcome_unknown'));
    expect(gateway.logLines().filter(({ event }) => event === 'forced_close')).toEqual([]);
  },
  PATIENCE_MS * 2,
);
