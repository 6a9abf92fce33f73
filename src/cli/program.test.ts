import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { appError, Harness, type Reply } from './fake-app.ts';

const key = (more: object = {}) => ({
  id: 'k1',
  name: 'bot',
  principal: 'key:k1',
  scopes: ['market:read'],
  state: 'live',
  hint: 'wxyz',
  createdAt: '2026-01-01T00:00:00Z',
  expiresAt: null,
  revokedAt: null,
  lastUsedAt: '2026-01-02T03:04:05Z',
  replacedBy: null,
  ...more,
});

const server = (more: object = {}) => ({
  name: 'files',
  kind: 'upstream',
  transport: 'stdio',
  endpoint: '/mcp/files',
  state: 'ready',
  eras: ['legacy'],
  tools: 14,
  prompts: 2,
  resources: 3,
  templates: 1,
  warnings: [],
  ...more,
});

const status = (more: object = {}) => ({
  version: '1.0.0',
  pid: 4711,
  node: 'v24.0.0',
  url: null,
  startedAt: '2026-01-01T00:00:00Z',
  uptimeSeconds: 1,
  storage: 'pglite',
  dataDir: '/data',
  servers: { total: 1, ready: 1 },
  sessions: 0,
  callsInFlight: 0,
  limits: [],
  config: { file: null },
  warnings: [],
  ...more,
});

const priceTool = {
  name: 'get_stock_price',
  server: 'stockpulse',
  title: 'Stock price',
  inputSchema: { type: 'object', properties: { symbols: { type: 'array', items: { type: 'string' } } } },
  annotations: {},
  sideEffect: 'read',
  scopes: ['market:read'],
};

const complete = (result: object): Reply => ({ body: { outcome: 'complete', result, durationMs: 1 } });

const REPLIES: Readonly<Record<string, Reply>> = {
  'GET /admin/v1/keys': { body: { keys: [key(), key({ id: 'k2', name: 'old', state: 'revoked' })] } },
  'POST /admin/v1/keys': { status: 201, body: { key: key(), secret: 'spk_secret' } },
  'POST /admin/v1/keys/k1/rotate': {
    status: 201,
    body: { key: key({ id: 'k3' }), secret: 'spk_new', previous: key({ expiresAt: '2026-02-01T00:00:00Z' }) },
  },
  'DELETE /admin/v1/keys/k1': { body: { key: key({ state: 'revoked' }) } },
  'GET /admin/v1/servers': {
    body: {
      servers: [
        server(),
        server({
          name: 'news',
          state: 'backing_off',
          eras: [],
          tools: 0,
          prompts: 0,
          resources: 0,
          templates: 0,
          reason: 'refused\u001b[2J',
        }),
      ],
    },
  },
  'GET /admin/v1/servers/files': {
    body: {
      ...server({ info: { name: 'fs', version: '1' } }),
      capabilities: { tools: {} },
      waiting: [],
      toolNames: ['read_file'],
      legacy: { tools: 1, prompts: 0, resources: 1, templates: 2 },
    },
  },
  'POST /admin/v1/servers/files/restart': { body: server({ state: 'connecting' }) },
  'POST /admin/v1/servers/files/test': {
    body: {
      ok: false,
      name: 'files',
      durationMs: 12.3,
      transport: 'stdio',
      eras: [],
      tools: 0,
      prompts: 0,
      resources: 0,
      templates: 0,
      warnings: [],
      problem: 'no such command',
      advice: 'Install it.',
    },
  },
  'GET /admin/v1/tools?endpoint=%2Fmcp': { body: { endpoint: '/mcp', tools: [priceTool], warnings: ['news: not connected'] } },
  'POST /admin/v1/tools/call': complete({
    content: [
      { type: 'text', text: 'SIMULATED AAPL 1' },
      { type: 'image', mimeType: 'image/png' },
    ],
  }),
  'GET /admin/v1/doctor': {
    body: { ok: true, checks: [{ name: 'storage', status: 'warning', message: 'slow', advice: 'Use a faster disk.' }] },
  },
};

let harness: Harness | undefined;

async function running(replies: Readonly<Record<string, Reply>> = {}): Promise<Harness> {
  harness = await new Harness({ ...REPLIES, ...replies }).running();
  return harness;
}

afterEach(async () => {
  await harness?.end();
  harness = undefined;
});

const VERBS = [
  ['start'],
  ['stdio'],
  ['servers'],
  ['servers', 'list'],
  ['servers', 'show'],
  ['servers', 'restart'],
  ['servers', 'test'],
  ['tools'],
  ['tools', 'list'],
  ['tools', 'call'],
  ['keys'],
  ['keys', 'create'],
  ['keys', 'list'],
  ['keys', 'rotate'],
  ['keys', 'revoke'],
  ['config'],
  ['config', 'check'],
  ['config', 'show'],
  ['config', 'reference'],
  ['doctor'],
];

describe('usage', () => {
  it.each(VERBS.map((verb) => [verb.join(' '), verb] as const))('%s --help has examples and exit codes', async (name, verb) => {
    harness = new Harness();
    expect(await harness.run(...verb, '--help')).toBe(0);
    expect(harness.stdout.all).toContain(`Usage: stockpulse ${name}`);
    expect(harness.stdout.all).toContain(`\n  $ stockpulse ${name}`);
    expect(harness.stdout.all).toContain('Exit codes:\n  0  done');
    expect(harness.stderr.all).toBe('');
  });

  it.each([
    [['strat'], "unknown command 'strat'\n(Did you mean start?)"],
    [['keys', 'lst'], "unknown command 'lst'\n(Did you mean list?)"],
    [['doctor', '--jsn'], "unknown option '--jsn'\n(Did you mean --json?)"],
    [['start', 'now'], "too many arguments for 'start'"],
    [['tools', 'call'], "missing required argument 'name'"],
    [['keys', 'create', 'x', '--expires-days', 'soon'], '--expires-days wants a number of days, not soon'],
    [['keys', 'rotate', 'x', '--overlap', '1 day'], '1 day is not a time: write 90s, 30m, 24h, 2d or 0.'],
    [['tools', 'call', 'x', '--args', '{'], '--args is not valid JSON'],
    [['stdio', '--server', 'My Server'], 'A server name is made of a-z, 0-9 and -.'],
    [['keys', 'create', 'x', '--approver-key-file', 'none'], 'The approver key cannot be read from none (ENOENT).'],
  ])('%j is wrong usage', async (argv, message) => {
    harness = new Harness();
    expect(await harness.run(...argv)).toBe(2);
    expect(harness.stderr.all).toContain(message);
    expect(harness.stdout.all).toBe('');
    expect(harness.started).toEqual([]);
  });

  it('without a verb is the help, as an error', async () => {
    harness = new Harness();
    expect(await harness.run()).toBe(2);
    expect(harness.stderr.all).toContain('Usage: stockpulse');
  });

  it('--version', async () => {
    harness = new Harness();
    expect(await harness.run('--version')).toBe(0);
    expect(harness.stdout.all).toBe('1.2.3\n');
  });
});

describe('configuration problems', () => {
  it.each([['start'], ['stdio'], ['keys', 'list'], ['config', 'check']])('%s exits with 2 before anything starts', async (...argv) => {
    harness = new Harness();
    writeFileSync(join(harness.dataDir, 'stockpulse.yaml'), 'server:\n  prot: 1\n');
    expect(await harness.run(...argv)).toBe(2);
    expect(harness.stderr.all).toContain('stockpulse.yaml:2:3  server.prot: unknown key. Did you mean port?');
    expect(harness.started).toEqual([]);
  });

  it('come as JSON with their places', async () => {
    harness = new Harness();
    writeFileSync(join(harness.dataDir, 'stockpulse.yaml'), 'server:\n  prot: 1\n');
    expect(await harness.run('config', 'check', '--json')).toBe(2);
    expect(JSON.parse(harness.stdout.all)).toMatchObject({
      error: { code: 'config_invalid', problems: [{ path: 'server.prot', line: 2, column: 3 }] },
    });
  });

  it('doctor reports them as a finding', async () => {
    harness = new Harness();
    harness.env = { PORT: 'x' };
    expect(await harness.run('doctor')).toBe(1);
    expect(harness.stdout.all).toMatch(/^ok {4}node {4}v24/);
    expect(harness.stdout.all).toContain('FAIL  config');
  });
});

describe('verbs over the socket', () => {
  it('servers list', async () => {
    const h = await running();
    expect(await h.run('servers', 'list')).toBe(0);
    expect(h.stdout.all).toBe(
      [
        'NAME   TRANSPORT  STATE        ERAS    TOOLS  PROMPTS  RESOURCES  NOTE',
        'files  stdio      ready        legacy  14     2        4',
        'news   stdio      backing_off  -       0      0        0          refused\uFFFD[2J',
        '',
      ].join('\n'),
    );
  });

  it('servers show, restart and test', async () => {
    const h = await running();
    expect(await h.run('servers', 'show', 'files')).toBe(0);
    expect(h.stdout.all).toMatch(/implementation: +fs 1\n/);
    expect(h.stdout.all).toMatch(/resources: +3 and 1 template\n/);
    expect(h.stdout.all).toMatch(/to legacy clients: 1 tools, 0 prompts, resources: 1 and 2 templates\n/);
    expect(await h.run('servers', 'restart', 'files')).toBe(0);
    expect(await h.run('servers', 'test', 'files')).toBe(1);
    expect(h.stdout.all).toContain('what to do: Install it.');
  });

  it('tools list', async () => {
    const h = await running();
    expect(await h.run('tools', 'list')).toBe(0);
    expect(h.stdout.all).toContain('get_stock_price  stockpulse  read    Stock price\n');
    expect(h.stderr.all).toBe('warning: news: not connected\n');
  });

  it('tools call types its arguments by the schema', async () => {
    const h = await running();
    expect(await h.run('tools', 'call', 'get_stock_price', '--arg', 'symbols=AAPL,MSFT')).toBe(0);
    expect(h.asked.at(-1)?.body).toEqual({ endpoint: '/mcp', name: 'get_stock_price', arguments: { symbols: ['AAPL', 'MSFT'] } });
    expect(h.stdout.all).toBe('SIMULATED AAPL 1\n[image image/png]\n');
  });

  it.each<[string, Reply, string]>([
    ['a result that says isError', complete({ isError: true, content: [{ type: 'text', text: 'no such symbol' }] }), ''],
    [
      'an error of the server',
      { body: { outcome: 'error', error: { code: -32602, message: 'bad' }, durationMs: 1 } },
      'error -32602: bad\n',
    ],
    ['a question', { body: { outcome: 'input_required', result: {}, durationMs: 1 } }, 'The tool asks for more input'],
  ])('tools call fails on %s', async (_name, reply, stderr) => {
    const h = await running({ 'POST /admin/v1/tools/call': reply });
    expect(await h.run('tools', 'call', 'x', '--args', '{}')).toBe(1);
    expect(h.stderr.all).toContain(stderr);
    expect(await h.run('tools', 'call', 'x', '--json')).toBe(1);
  });

  it('keys', async () => {
    const h = await running();
    expect(await h.run('keys', 'list')).toBe(0);
    expect(h.stdout.all).toBe(
      'ID  NAME  STATE  ENDS WITH  SCOPES       EXPIRES  LAST USED\nk1  bot   live   wxyz       market:read  -        2026-01-02 03:04Z\n',
    );
    expect(await h.run('keys', 'create', 'bot', '--scope', 'market:read', 'account:read', '--expires-days', '1.5')).toBe(0);
    expect(h.asked.at(-1)?.body).toEqual({ name: 'bot', scopes: ['market:read', 'account:read'], expiresInDays: 1.5 });
    expect(await h.run('keys', 'create', 'bot', '--scope', 'market:read,account:read')).toBe(0);
    expect(h.asked.at(-1)?.body).toEqual({ name: 'bot', scopes: ['market:read', 'account:read'] });
    expect(await h.run('keys', 'rotate', 'bot', '--overlap', '30m')).toBe(0);
    expect(h.asked.at(-1)).toMatchObject({ route: 'POST /admin/v1/keys/k1/rotate', body: { overlapSeconds: 1800 } });
    expect(h.stdout.all).toContain('works until 2026-02-01T00:00:00Z');
    expect(await h.run('keys', 'revoke', 'k1')).toBe(0);
    expect(await h.run('keys', 'revoke', 'old')).toBe(1);
    expect(h.stderr.all).toContain('No key has the id or name old.');
  });

  it('an approver key comes from a file, trimmed', async () => {
    const h = await running();
    writeFileSync(join(h.dataDir, 'approver'), 'spk_approver\n');
    expect(await h.run('keys', 'create', 'boss', '--scope', 'approve', '--approver-key-file', 'approver')).toBe(0);
    expect(h.asked.at(-1)?.headers['x-stockpulse-approver']).toBe('spk_approver');
  });

  it('config show and doctor say where the running gateway uses something else', async () => {
    const changed = 'stockpulse.yaml changed since the gateway was started.';
    const h = await running({
      'GET /admin/v1/status': { body: status({ config: { file: '/srv/stockpulse.yaml' }, warnings: [changed] }) },
    });
    const other = 'The running gateway (pid 4711) was started with /srv/stockpulse.yaml, not with none.';
    expect(await h.run('config', 'show')).toBe(0);
    expect(h.stdout.all.split('\n').slice(0, 4)).toEqual(['# no file: defaults and environment', `# ${other}`, `# ${changed}`, 'server:']);
    expect(h.stderr.all).toBe('');
    expect(await h.run('doctor')).toBe(0);
    expect(h.stdout.all).toContain(`WARN  config   ${other}\n               -> Run the command in the folder`);
    expect(await h.run('config', 'show', '--json')).toBe(0);
    expect(h.stderr.all).toBe(`${other}\n${changed}\n`);
  });

  it('config show says no more where the gateway uses the same, or none runs', async () => {
    const h = await running({ 'GET /admin/v1/status': { body: status() } });
    expect(await h.run('config', 'show')).toBe(0);
    h.owner = undefined;
    expect(await h.run('config', 'show')).toBe(0);
    expect(h.stdout.all.match(/^#/gm)).toHaveLength(2);
  });

  it('doctor adds its own findings to the gateway’s', async () => {
    const h = await running();
    expect(await h.run('doctor')).toBe(0);
    expect(h.stdout.all).toContain('ok    gateway  runs, pid 4711, http://127.0.0.1:8080\n');
    expect(h.stdout.all).toContain('WARN  storage  slow\n               -> Use a faster disk.\n');
  });

  it.each([
    ['servers', 'list'],
    ['servers', 'show', 'files'],
    ['servers', 'restart', 'files'],
    ['servers', 'test', 'files'],
    ['tools', 'list'],
    ['tools', 'call', 'x'],
    ['keys', 'list'],
    ['keys', 'create', 'bot'],
    ['keys', 'rotate', 'k1'],
    ['keys', 'revoke', 'k1'],
    ['config', 'check'],
    ['config', 'show'],
    ['config', 'reference'],
    ['doctor'],
  ])('%s %s --json prints one JSON document', async (...argv) => {
    const h = await running();
    await h.run(...argv, '--json');
    expect(JSON.parse(h.stdout.all)).toBeTypeOf('object');
  });
});

describe('refusals and failures', () => {
  it.each([
    [400, 'unknown_scope', 2],
    [403, 'approver_required', 5],
    [409, 'too_many_keys', 1],
    [503, 'offline', 5],
  ])('%i %s exits with its code', async (status, code, exit) => {
    const h = await running({ 'POST /admin/v1/keys': { status, body: { error: { code, message: 'Do this.', field: 'scopes' } } } });
    expect(await h.run('keys', 'create', 'x', '--json')).toBe(exit);
    expect(h.stderr.all).toBe('stockpulse: scopes: Do this.\n');
    expect(JSON.parse(h.stdout.all)).toEqual({ error: { code, message: 'scopes: Do this.' } });
  });

  it('an answer of another version is not taken for data', async () => {
    const h = await running({ 'GET /admin/v1/keys': { body: { keys: [{ id: 1 }] } } });
    expect(await h.run('keys', 'list')).toBe(1);
    expect(h.stderr.all).toContain('Restart the gateway');
  });

  it('an owner whose socket is gone is unreachable', async () => {
    const h = await running();
    h.owner = { pid: 1, startedAt: '', version: '', socketPath: join(h.dataDir, 'none.sock') };
    expect(await h.run('keys', 'list')).toBe(5);
    expect(h.stderr.all).toContain('The gateway does not answer on its local socket (ENOENT)');
  });

  it('a defect shows its stack', async () => {
    harness = new Harness();
    harness.startErrors.push(new TypeError('x is not a function'));
    expect(await harness.run('keys', 'list')).toBe(1);
    expect(harness.stderr.all).toContain('x is not a function');
  });
});

describe('while nobody runs', () => {
  it('a verb starts storage alone, and closes it', async () => {
    harness = new Harness(REPLIES);
    expect(await harness.run('keys', 'list')).toBe(0);
    expect(harness.started).toEqual([{ offline: true, log: 'silent' }]);
    expect(harness.closed).toBe(1);
  });

  it('closes it after a failure as well, and keeps keys that were made on the way', async () => {
    harness = new Harness();
    harness.firstKeys = { agent: 'A', approver: 'B' };
    expect(await harness.run('keys', 'list')).toBe(1);
    expect(harness.closed).toBe(1);
    expect(harness.stderr.all).toContain(join(harness.dataDir, 'first-keys.txt'));
    expect(harness.stderr.all).not.toMatch(/\bA\b.*\bB\b/);
  });

  it('a gateway that starts in between is used', async () => {
    const h = await running();
    const { owner } = h;
    h.owner = undefined;
    h.startErrors.push(appError('already_running', 'already running'));
    const context = h.context();
    // The owner shows up with the second look.
    const app = await context.loadApp();
    let looks = 0;
    const findOwner = () => (looks++ === 0 ? undefined : owner);
    const { runCli } = await import('./program.ts');
    expect(await runCli(['keys', 'list'], { ...context, loadApp: () => Promise.resolve({ ...app, findOwner }) })).toBe(0);
    expect(h.closed).toBe(0);
  });
});
