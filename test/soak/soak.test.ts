import { writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { startHttpUpstream, type HttpUpstream } from '../fixtures/upstreams/index.ts';
import { accept, callLeg, converse, form, retryOf } from '../isolation/caller.ts';
import { endGateways, tempFolder } from '../support/gateway-process.ts';
import { bearer, JSON_HEADERS, McpWire, textOf, type LegacySession } from '../support/mcp-wire.ts';
import { dropDatabases, newDatabase, postgresMissing } from '../support/postgres.ts';
import { OwnedProcess } from '../support/processes.ts';
import { PATIENCE_MS, until } from '../support/until.ts';
import { fixtureStdio } from '../support/upstreams.ts';
import { ask } from '../support/wire.ts';

/** Sessions of every kind come and go, a third without a word: nothing of them is left, and memory stays flat. */

const scale = Number(process.env.STOCKPULSE_TEST_SCALE ?? 1);
const SESSIONS = scale > 1 ? Math.min(10_000, 500 * scale) : 300;
const AT_ONCE = 10;
/** What garbage, code that is compiled lazily and caches at their caps may add. */
const HEAP_BOUND = 40 * 1024 * 1024;
/** Collections that are no client's: keys, caches of verdicts, and what an operator configured. */
const NOT_OF_CLIENTS =
  /^(security\.|http\.(host|origin)_verdicts|http\.rate|http\.event_gate|http\.connections|http\.local_connections)|_finished:|task_tools|task_rounds/;

let upstream: HttpUpstream;
let gateway: OwnedProcess;
let url: string;
let key: string;

beforeAll(async () => {
  upstream = await startHttpUpstream({ era: 'legacy' });
  const dataDir = await tempFolder();
  const mcpServers = {
    stdio: { ...fixtureStdio({ era: 'legacy' }), era: 'legacy', maxLeases: 20 },
    http: { url: upstream.url, era: 'legacy', maxLeases: 20 },
  };
  await writeFile(join(dataDir, 'stockpulse.yaml'), JSON.stringify({ mcpServers, limits: { callSeconds: 3600 } }));
  const main = fileURLToPath(new URL('gateway-main.ts', import.meta.url));
  const database: Record<string, string> = (await postgresMissing()) === undefined ? { DATABASE_URL: await newDatabase() } : {};
  const env = { STOCKPULSE_DATA_DIR: dataDir, PORT: '0', ...database };
  gateway = new OwnedProcess(process.execPath, ['--expose-gc', main], { env, cwd: dataDir, stdin: true });
  const [line] = await gateway.printed('stdout', /^\{"url".*\}$/m);
  ({ url, key } = JSON.parse(line) as { url: string; key: string });
  await until(
    'both servers',
    async () => (await gauges('stockpulse_upstream_state', /state="ready"/)).filter(([, value]) => value === 1).length === 3,
  );
}, PATIENCE_MS * 2);

afterAll(async () => {
  gateway.endInput();
  await gateway.ending();
  await Promise.all([upstream.close(), endGateways()]);
  await dropDatabases();
}, PATIENCE_MS);

/** Values of a metric whose labels match. */
async function gauges(name: string, labels: RegExp): Promise<[string, number][]> {
  const { text } = await ask(`${url}/metrics`, { method: 'GET' });
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) && labels.test(line))
    .map((line) => [/name="([^"]+)"/.exec(line)?.[1] ?? line, Number(line.slice(line.lastIndexOf(' ') + 1))]);
}

async function heap(): Promise<number> {
  const before = gateway.stdout.length;
  gateway.write('heap\n');
  const found = await until('the heap', () => /\{"heap":(\d+)\}/.exec(gateway.stdout.slice(before))?.[1]);
  return Number(found);
}

/** A request of a session whose connection is cut before its answer. */
function abandon(session: LegacySession, method: string, body: string | undefined): Promise<void> {
  return new Promise((resolve) => {
    const headers = { ...JSON_HEADERS, accept: 'application/json, text/event-stream', ...bearer(key), ...session.headers };
    const sent = httpRequest(session.wire.url, { method, agent: false, headers });
    const cut = (): void => {
      sent.destroy();
      resolve();
    };
    sent.on('response', cut);
    sent.on('error', () => resolve());
    sent.end(body);
    // A call that hangs sends no head: it is cut when it is certainly there.
    if (method === 'POST') setTimeout(cut, 100);
  });
}

const CALL = JSON.stringify({ jsonrpc: '2.0', id: 'slow', method: 'tools/call', params: { name: 'slow', arguments: { ms: 300 } } });

async function socketSession(): Promise<void> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/mcp/stdio`, 'mcp', { headers: bearer(key) });
  const answered = new Promise<void>((resolve, reject) => {
    socket.on('message', () => resolve());
    socket.on('error', reject);
  });
  socket.on('open', () => socket.send('{"jsonrpc":"2.0","id":1,"method":"ping"}'));
  await answered;
  socket.terminate();
}

/** A client of 2024-11-05 that is gone before it posts anything. */
function eventSession(): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { accept: 'text/event-stream', ...bearer(key) };
    const sent = httpRequest(`${url}/sse/http`, { agent: false, headers }, (response) => {
      response.on('error', () => undefined);
      response.once('data', () => {
        sent.destroy();
        resolve();
      });
    });
    sent.on('error', reject).end();
  });
}

/** One client from its beginning to its end; every third ends without a word. */
async function live(number: number): Promise<void> {
  const server = number % 2 === 0 ? 'stdio' : 'http';
  const wire = new McpWire(`${url}/mcp/${server}`, key);
  const session = await wire.open('2025-11-25', number % 4 === 0 ? { elicitation: {} } : {});
  expect(textOf(await session.call('echo', { text: `${number}` }))).toBe(`${number}`);
  if (number % 3 !== 0) expect([200, 202, 204]).toContain((await session.end()).status);
  else if (number % 6 === 0) await abandon(session, 'GET', undefined);
  else await abandon(session, 'POST', CALL);
  if (number % 10 === 0) await socketSession();
  if (number % 10 === 1) await eventSession();
  if (number % 10 !== 5 && number % 30 !== 4) return;
  // One process serves all sessions and knows its questions by id.
  const question = `q${number}`;
  const params = converse({ ask: [form('?', question)] });
  const first = await callLeg(wire, params);
  if (first.last.result?.resultType !== 'input_required') expect(first.text).toMatch(/"code":"busy"/);
  else if (number % 30 !== 15)
    expect(JSON.parse((await callLeg(wire, retryOf(params, first, { [question]: accept('x') }))).text)).toEqual([accept('x')]);
}

async function crowd(from: number, to: number): Promise<void> {
  let next = from;
  const worker = async (): Promise<void> => {
    while (next < to) await live(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

/** Some hours later, when everything that nobody asks for is gone. What a parked call came to is remembered from the end of its own wait on. */
async function emptied(): Promise<void> {
  let left: [string, number][] = [];
  try {
    await until('nothing of a client is left', async () => {
      gateway.write('later\n');
      left = (await gauges('stockpulse_bounded_size', /./)).filter(([name, value]) => value > 0 && !NOT_OF_CLIENTS.test(name));
      return left.length === 0;
    });
  } catch (error) {
    throw new Error(`left: ${JSON.stringify(left)}`, { cause: error });
  }
}

it(`of ${SESSIONS} sessions nothing is left, and memory is flat`, { timeout: 1_800_000 }, async () => {
  const third = Math.ceil(SESSIONS / 3);
  await crowd(0, third);
  await emptied();
  const before = await heap();
  await crowd(third, SESSIONS);
  await emptied();
  expect((await heap()) - before).toBeLessThan(HEAP_BOUND);
  expect(gateway.running).toBe(true);
});
