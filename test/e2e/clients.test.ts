import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JudgeCall, JudgeClient, Judges } from '../support/judge-port.ts';
import { HTTP_CLIENTS, loadJudges, STDIO_CLIENTS } from '../support/judges.ts';
import { endGateways, showLogOnFailure, startGatewayProcess, tempFolder, type GatewayProcess } from '../support/gateway-process.ts';
import { PATIENCE_MS } from '../support/until.ts';
import { everythingStdio, filesystemStdio, fixtureStdio, startEverythingHttp, startFixtureHttp } from '../support/upstreams.ts';

const MARKET_TOOLS = [
  'get_stock_price',
  'get_price_history',
  'get_technical_indicators',
  'screen_stocks',
  'search_symbols',
  'get_market_status',
];

interface Row {
  /** The server of the endpoint; none is `/mcp`. */
  readonly server: string | undefined;
  /** Tools that must be listed, and whether there may be others. */
  readonly tools: readonly string[];
  readonly others: boolean;
  readonly call: readonly [tool: string, args: Record<string, unknown>];
  check(answer: JudgeCall): void;
}

let folder: string;
let judges: Judges;
let gateway: GatewayProcess;

const says = (text: string) => (answer: JudgeCall) => expect(answer).toMatchObject({ isError: false, text });
const simulated = (answer: JudgeCall): void => {
  expect(answer.isError).toBe(false);
  expect(answer.text).toMatch(/^SIMULATED/);
  expect(answer.structured).toMatchObject({ source: { simulated: true } });
};

const EVERYTHING = ['echo', 'get-sum', 'get-structured-content', 'trigger-long-running-operation'];
const echo = ['echo', { message: 'hello' }] as const;
const add = ['add', { a: 2, b: 3 }] as const;
const sum = (answer: JudgeCall): void => expect(answer).toMatchObject({ isError: false, structured: { sum: 5 } });

const joined = (prefix: string, names: readonly string[]): string[] => names.map((name) => `${prefix}__${name}`);

const ROWS: readonly Row[] = [
  {
    server: undefined,
    tools: [
      ...MARKET_TOOLS,
      ...joined('everything', EVERYTHING),
      ...joined('remote', EVERYTHING),
      ...joined('modern-stdio', ['echo', 'add']),
    ],
    others: true,
    call: ['get_stock_price', { symbols: ['AAPL', 'MSFT'] }],
    check: simulated,
  },
  {
    server: undefined,
    tools: ['files__read_text_file'],
    others: true,
    call: ['everything__echo', { message: 'hello' }],
    check: says('Echo: hello'),
  },
  { server: 'stockpulse', tools: MARKET_TOOLS, others: false, call: ['get_market_status', {}], check: simulated },
  { server: 'everything', tools: EVERYTHING, others: true, call: echo, check: says('Echo: hello') },
  {
    server: 'everything',
    tools: EVERYTHING,
    others: true,
    call: ['get-structured-content', { location: 'Chicago' }],
    check: (answer) => expect(answer).toMatchObject({ isError: false, structured: { temperature: 36, humidity: 82 } }),
  },
  { server: 'remote', tools: EVERYTHING, others: true, call: ['get-sum', { a: 4, b: 5 }], check: says('The sum of 4 and 5 is 9.') },
  {
    server: 'files',
    tools: ['read_text_file', 'list_directory'],
    others: true,
    call: ['read_text_file', { path: 'PLACE/note.txt' }],
    check: says('a note'),
  },
  { server: 'modern-stdio', tools: ['echo', 'add'], others: true, call: add, check: sum },
  { server: 'legacy-stdio', tools: ['echo', 'add'], others: true, call: add, check: sum },
  { server: 'modern-http', tools: ['echo', 'add'], others: true, call: add, check: sum },
  { server: 'legacy-http', tools: ['echo', 'add'], others: true, call: add, check: sum },
];

/** One row per kind of server, for clients that start a process for every question. */
const FEW = ROWS.filter(
  ({ server }, i) => i === 0 || server === 'stockpulse' || server === 'files' || (server === 'everything' && i === 3),
);

const pathOf = ({ server }: Row): string => (server === undefined ? '/mcp' : `/mcp/${server}`);

/** Arguments with the test's own folder in them. */
function placed(args: Record<string, unknown>): Record<string, unknown> {
  return JSON.parse(JSON.stringify(args).replaceAll('PLACE', folder)) as Record<string, unknown>;
}

async function listsAndCalls(client: JudgeClient, row: Row): Promise<void> {
  try {
    const names = await client.toolNames();
    expect(new Set(names).size).toBe(names.length);
    expect(names).toEqual(expect.arrayContaining([...row.tools]));
    if (!row.others) expect(names.length).toBe(row.tools.length);
    const [tool, args] = row.call;
    row.check(await client.callTool(tool, placed(args)));
  } finally {
    await client.close();
  }
}

beforeAll(async () => {
  [judges, folder] = await Promise.all([loadJudges(), tempFolder()]);
  await writeFile(join(folder, 'note.txt'), 'a note');
  const [remote, modern, legacy] = await Promise.all([
    startEverythingHttp(),
    startFixtureHttp({ era: 'modern' }),
    startFixtureHttp({ era: 'legacy', sse: true }),
  ]);
  const mcpServers = {
    everything: everythingStdio(),
    remote: remote.block,
    files: filesystemStdio(folder),
    'modern-stdio': fixtureStdio({ era: 'modern' }),
    'legacy-stdio': fixtureStdio({ era: 'legacy' }),
    'modern-http': modern.block,
    'legacy-http': legacy.block,
  };
  gateway = await startGatewayProcess({ config: { mcpServers } });
  await gateway.connected(Object.keys(mcpServers));
}, PATIENCE_MS * 3);

showLogOnFailure(() => gateway);
afterAll(endGateways, PATIENCE_MS);

describe.each(HTTP_CLIENTS)('%s over Streamable HTTP', (name) => {
  const connect = (path: string): Promise<JudgeClient> => {
    const make = judges.http[name];
    if (make === undefined) throw new Error(`no client ${name}`);
    return make({ url: gateway.endpoint(path), key: gateway.agentKey });
  };

  const rows = name.startsWith('Inspector') ? FEW : ROWS;
  it.each(rows.map((row) => [pathOf(row), row.call[0], row] as const))(
    'lists %s and calls %s',
    async (path, _tool, row) => listsAndCalls(await connect(path), row),
    PATIENCE_MS * 2,
  );

  it(
    'is refused without a key',
    async () => {
      const make = judges.http[name];
      await expect(async () => (await make?.({ url: gateway.endpoint('/mcp') }))?.toolNames()).rejects.toThrow();
    },
    PATIENCE_MS,
  );
});

describe.each(STDIO_CLIENTS)('%s through stockpulse stdio', (name) => {
  it.each(FEW.map((row) => [row.server ?? 'all servers', row.call[0], row] as const))(
    'lists %s and calls %s',
    async (_server, _tool, row) => {
      const make = judges.stdio[name];
      if (make === undefined) throw new Error(`no client ${name}`);
      const narrowed = row.server === undefined ? [] : ['--server', row.server];
      const client = await make({ ...gateway.stdioTarget(...narrowed), cwd: folder });
      await listsAndCalls(client, row);
    },
    PATIENCE_MS * 2,
  );
});

it.each([
  ['SDK v2 modern', '2026-07-28'],
  ['SDK v2 auto', '2026-07-28'],
  ['SDK v2 legacy', '2025-11-25'],
  ['SDK v1', '2025-11-25'],
])('%s negotiates %s on every endpoint', async (name, revision) => {
  for (const path of ['/mcp', '/mcp/stockpulse', '/mcp/everything', '/mcp/modern-http']) {
    const client = await judges.http[name]?.({ url: gateway.endpoint(path), key: gateway.agentKey });
    expect([path, client?.revision]).toEqual([path, revision]);
    await client?.close();
  }
});

/** What server-everything shows only to clients that it may ask: capable-clients.test.ts has them. */
const ASKING = /__(?:trigger-(?:elicitation|url|sampling)-\w+|get-roots-list)/;

it('shows the same tools to every client, in the same order, but for those that ask', async () => {
  const lists = new Map<string, string>();
  for (const name of HTTP_CLIENTS) {
    const client = await judges.http[name]?.({ url: gateway.endpoint('/mcp'), key: gateway.agentKey });
    const names = (await client?.toolNames())?.filter((tool) => !ASKING.test(tool));
    lists.set(name, names?.join('\n') ?? '');
    await client?.close();
  }
  expect(new Set(lists.values()).size).toBe(1);
});
