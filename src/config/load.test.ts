import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError, loadConfig, type Config, type LoadedConfig } from './index.ts';

let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stockpulse-config-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

function load(text?: string, env: Record<string, string> = {}): LoadedConfig {
  if (text !== undefined) writeFileSync(join(folder, 'stockpulse.yaml'), text);
  return loadConfig({ env, cwd: folder });
}

/** The problems as `line:column path: message`; the source where it is not the file. */
function problems(text?: string, env: Record<string, string> = {}): string[] {
  try {
    load(text, env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.code).toBe('config_invalid');
    return error.problems.map(({ source, line, column, path, message }) => {
      const place = source === join(folder, 'stockpulse.yaml') ? `${line}:${column}` : source;
      return `${place} ${path}: ${message}`;
    });
  }
  throw new Error('the configuration was accepted');
}

describe('defaults', () => {
  it('are complete without a file', () => {
    const { config, warnings, source } = load();
    expect(config).toEqual({
      server: { host: '127.0.0.1', port: 8080, tls: {}, trustedProxies: [], allowedHosts: [], allowedOrigins: [] },
      dataDir: join(folder, '.stockpulse'),
      database: {},
      redis: {},
      limits: {
        bodyBytes: 4_194_304,
        resultBytes: 16_777_216,
        sessions: 10_000,
        sessionIdleMinutes: 30,
        callSeconds: 60,
        inFlight: 1000,
        requestsPerSecond: 2000,
      },
      log: { level: 'info', calls: true },
      market: { seed: 1, clock: 'wall' },
      metrics: {},
      security: { allowedAddresses: [] },
      mcpServers: {},
      disabledServers: [],
    } satisfies Config);
    expect(warnings).toEqual([]);
    expect(source).toBeUndefined();
  });

  it.each(['', '# nothing yet\n', 'mcpServers:\n  # files: { command: npx }\n', '{}'])('%j is an empty configuration', (text) => {
    expect(load(text).config).toEqual(load('server: {}').config);
  });

  it('cannot be changed', () => {
    const { config } = load('mcpServers: { a: { command: npx, args: [x] } }');
    expect(() => Object.assign(config.server, { port: 1 })).toThrow(TypeError);
    expect(Object.isFrozen(config.mcpServers['a'])).toBe(true);
    expect(Object.isFrozen(config.limits)).toBe(true);
  });
});

describe('the environment', () => {
  it('wins over the file, one setting at a time', () => {
    const { config } = load('server: { port: 9000, host: localhost }\ndataDir: from-file', {
      PORT: '9001',
      STOCKPULSE_DATA_DIR: 'from-env',
    });
    expect(config.server).toMatchObject({ port: 9001, host: 'localhost' });
    expect(config.dataDir).toBe(join(folder, 'from-env'));
  });

  it('sets what the table says', () => {
    const { config } = load(undefined, {
      HOST: '::1',
      STOCKPULSE_PUBLIC_URL: 'https://Gate.example.com/',
      STOCKPULSE_TRUSTED_PROXIES: '10.0.0.0/8, ::1',
      DATABASE_URL: 'postgres://u:p@h/d',
      STOCKPULSE_BOOTSTRAP_API_KEY: 'x'.repeat(24),
    });
    expect(config.server).toMatchObject({ host: '::1', publicUrl: 'https://gate.example.com', trustedProxies: ['10.0.0.0/8', '::1'] });
    expect(config.database.url).toBe('postgres://u:p@h/d');
    expect(config.security.bootstrapApiKey).toBe('x'.repeat(24));
  });

  it('counts an empty variable as unset', () => {
    expect(load(undefined, { PORT: '', STOCKPULSE_CONFIG: '' }).config.server.port).toBe(8080);
  });

  it('is blamed by name when it is wrong, and its secrets are not repeated', () => {
    expect(problems('server: { port: 1 }', { PORT: 'abc' })).toEqual([
      'environment variable PORT server.port: must be a whole number from 0 to 65535, not "abc"',
    ]);
    expect(problems(undefined, { DATABASE_URL: 'mysql://u:hunter2@h/d' })).toEqual([
      'environment variable DATABASE_URL database.url: must be a URL such as postgresql://user@host/name',
    ]);
    expect(problems(undefined, { STOCKPULSE_BOOTSTRAP_API_KEY: 'hunter2' }).join()).not.toContain('hunter2');
  });

  it('warns of a misspelt variable and leaves strangers alone', () => {
    expect(load(undefined, { STOCKPULSE_DATADIR: 'x', STOCKPULSE_SOMETHING_ELSE: 'y' }).warnings).toEqual([
      'The variable STOCKPULSE_DATADIR is not known. Did you mean STOCKPULSE_DATA_DIR?',
    ]);
  });

  it('names a file, which must then exist', () => {
    writeFileSync(join(folder, 'other.yaml'), 'server: { port: 7 }');
    const loaded = load(undefined, { STOCKPULSE_CONFIG: 'other.yaml' });
    expect(loaded.config.server.port).toBe(7);
    expect(loaded.source).toBe(join(folder, 'other.yaml'));
    expect(problems(undefined, { STOCKPULSE_CONFIG: 'none.yaml' })).toEqual([
      `${join(folder, 'none.yaml')} : this file does not exist. STOCKPULSE_CONFIG names it: correct or unset the variable.`,
    ]);
    expect(problems(undefined, { STOCKPULSE_CONFIG: '.' })).toEqual([`${folder} : this is a folder, not a file.`]);
  });
});

describe('what is wrong is named with its place', () => {
  const cases: [name: string, text: string, expected: string][] = [
    ['unknown key', 'server:\n  prot: 1\n', '2:3 server.prot: unknown key. Did you mean port?'],
    ['unknown section', 'prot: 1\n', '1:1 prot: unknown key.'],
    ['the other name of a section', 'servers: {}\n', '1:1 servers: unknown key. Did you mean mcpServers?'],
    ['unknown key of a server', 'mcpServers:\n  a: { command: x, arsg: [] }\n', '2:20 mcpServers.a.arsg: unknown key. Did you mean args?'],
    ['wrong type', 'server:\n  port: [1]\n', '2:9 server.port: must be a whole number from 0 to 65535, not a list'],
    ['a number in quotes', 'server: { port: "8080" }', '1:17 server.port: must be a whole number from 0 to 65535, not "8080"'],
    ['out of range', 'server: { port: 65536 }', '1:17 server.port: must be a whole number from 0 to 65535, not 65536'],
    ['a section that is text', 'server: here', '1:9 server: must be a mapping (key: value), not "here"'],
    ['loose boolean', 'log:\n  calls: yes\n', '2:10 log.calls: must be true or false, not "yes"'],
    ['enumeration', 'log: { level: verbose }', '1:15 log.level: must be one of trace, debug, info, warn, error, silent, not "verbose"'],
    ['text wanted', 'mcpServers: { a: { command: 5 } }', '1:29 mcpServers.a.command: must be text (put it in quotes), not 5'],
    ['duplicate key', 'server: {}\nlog: {}\nserver: {}\n', '3:1 server: this key stands here twice. Keep one of them.'],
    [
      'unset variable',
      'mcpServers:\n  a:\n    url: http://x\n    headers: { K: "Bearer ${env:NOPE}" }\n',
      '4:19 mcpServers.a.headers.K: the variable NOPE is not set. Set it, or remove ${env:NOPE}.',
    ],
    ['not a mapping', '- a\n- b\n', '1:1 : the file must hold settings as `key: value`, for example `server: { port: 8080 }`.'],
    [
      'clock',
      'market: { clock: sundial }',
      '1:18 market.clock: must be wall, { frozen: <moment> } or { start: <moment>, speed: <factor> }, not "sundial"',
    ],
    [
      'moment',
      'market: { clock: { frozen: "2026-01-01" } }',
      '1:28 market.clock.frozen: must be a moment with its offset, such as 2026-03-02T15:30:00Z, in quotes, not "2026-01-01"',
    ],
    [
      'origin',
      'server: { allowedOrigins: [example.com] }',
      '1:28 server.allowedOrigins[0]: must be a scheme, a host and perhaps a port, such as https://app.example.com, not "example.com"',
    ],
    [
      'block',
      'server: { trustedProxies: [10.0.0.0/40] }',
      '1:28 server.trustedProxies[0]: must be an address or a block such as 10.0.0.0/8, not "10.0.0.0/40"',
    ],
    ['half of TLS', 'server:\n  tls: { cert: stockpulse.yaml }\n', '2:8 server.tls: needs key as well: cert and key go together'],
    [
      'server name',
      'mcpServers:\n  My Server: { command: x }\n',
      '2:3 mcpServers["My Server"]: a server name is 1 to 32 of a-z, 0-9 and -. Use my-server, say.',
    ],
    [
      'reserved name',
      'mcpServers: { stockpulse: { command: x } }',
      '1:15 mcpServers.stockpulse: is the name of our own server. Use stockpulse-2, say.',
    ],
    [
      'neither command nor url',
      'mcpServers:\n  a: {}\n',
      '2:6 mcpServers.a: needs a command (a stdio server), a url (a server over HTTP or WebSocket) or openapi (an HTTP API)',
    ],
    ['both', 'mcpServers: { a: { command: x, url: "http://x" } }', '1:37 mcpServers.a.url: an entry has a command or a url, not both'],
    [
      'a type that there is not',
      'mcpServers: { a: { type: websockets, url: "ws://x" } }',
      '1:26 mcpServers.a.type: is unknown: stdio, http, sse and ws are known here. Did you mean websocket?',
    ],
    [
      'a type that its url is not',
      'mcpServers: { a: { type: sse, url: "wss://x" } }',
      "1:26 mcpServers.a.type: is sse, but the url is a WebSocket's",
    ],
    ['a type without its url', 'mcpServers: { a: { type: ws, command: x } }', '1:26 mcpServers.a.type: is ws, but the entry has a command'],
    [
      'a url of another kind',
      'mcpServers: { a: { url: "ftp://x" } }',
      '1:25 mcpServers.a.url: must be an http://, https://, ws:// or wss:// URL, not "ftp://x"',
    ],
    [
      'a root that is no folder',
      'mcpServers: { a: { command: x, roots: ["https://x/y"] } }',
      '1:40 mcpServers.a.roots[0]: must be a folder or a file:/// URI, not "https://x/y"',
    ],
    [
      'a policy that there is not',
      'mcpServers: { a: { command: x, tools: { buy: { tasks: sometimes } } } }',
      '1:55 mcpServers.a.tools.buy.tasks: must be one of never, always, after_input, required, not "sometimes"',
    ],
    [
      'a capability that there is not',
      'mcpServers: { a: { command: x, tools: { buy: { requires: { samplin: {} } } } } }',
      '1:60 mcpServers.a.tools.buy.requires.samplin: unknown key. Did you mean sampling?',
    ],
    [
      'a header of ours',
      'mcpServers: { a: { url: "http://x", headers: { Accept: x } } }',
      '1:48 mcpServers.a.headers.Accept: is set by the gateway itself: remove it',
    ],
    [
      'password in a url',
      'mcpServers: { a: { url: "http://u:hunter2@x" } }',
      '1:25 mcpServers.a.url: must not hold a user or password: put them into `headers`, as ${env:NAME}',
    ],
    [
      'headers of a program',
      'mcpServers: { a: { command: x, headers: { K: v } } }',
      '1:41 mcpServers.a.headers: means nothing for a server with a command: remove it',
    ],
  ];

  it.each(cases)('%s', (_name, text, expected) => {
    const found = problems(text);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(expected);
  });

  it('broken YAML, with the line', () => {
    expect(problems('server:\n  port: "80\nlog: {}\n')[0]).toMatch(/^[234]:\d+ .*is not valid YAML/);
    expect(problems('server:\n\tport: 80\n')[0]).toMatch(/^2:\d+ .*(tabs|YAML)/);
  });

  it('several at once, at most ten, in the order of the file', () => {
    const text = `limits:\n${Array.from({ length: 14 }, (_, i) => `  wrong${i}: 1`).join('\n')}\n`;
    const found = problems(text);
    expect(found.map((line) => line.split(' ')[0])).toEqual(Array.from({ length: 10 }, (_, i) => `${i + 2}:3`));
    expect(() => load(text)).toThrow('The configuration has 14 problems:');
    expect(() => load(text)).toThrow('... and 4 more');
  });

  it('no secret is repeated', () => {
    const text = 'metrics: { token: hunter2 }\nmcpServers:\n  a: { url: "http://x", headers: { K: [hunter2] } }\n';
    expect(() => load(text)).toThrow(/^(?!.*hunter2).*2 problems/s);
  });

  it('a billion laughs end in a message', () => {
    const laughs = [
      'a: &a [x, x, x, x, x, x, x, x, x]',
      ...'bcdefgh'.split('').map(
        (key, i) =>
          `${key}: &${key} [${'*'
            .concat('abcdefg'[i] ?? 'a')
            .concat(', ')
            .repeat(9)}]`,
      ),
    ];
    expect(problems(laughs.join('\n'))[0]).toContain('cannot be read');
  });
});

describe('${env:NAME}', () => {
  it('is replaced in every text, also several times', () => {
    const { config } = load('mcpServers:\n  a: { command: "${env:DIR}/run", args: ["${env:A}-${env:B}", "$HOME", "{A}"] }\n', {
      DIR: '/opt',
      A: '1',
      B: '2',
    });
    expect(config.mcpServers['a']).toMatchObject({ command: '/opt/run', args: ['1-2', '$HOME', '{A}'] });
  });

  it('takes the type that its place wants', () => {
    const { config } = load(
      'server: { port: "${env:P}" }\nlog: { calls: "${env:C}" }\nmcpServers: { a: { command: x, env: { T: "${env:P}" } } }',
      { P: '0123', C: 'false' },
    );
    expect(config.server.port).toBe(123);
    expect(config.log.calls).toBe(false);
    expect(config.mcpServers['a']).toMatchObject({ env: { T: '0123' } });
  });

  it('does not find what every object has', () => {
    expect(problems('dataDir: "${env:constructor}"')[0]).toContain('the variable constructor is not set');
  });

  it('may be empty', () => {
    expect(load('mcpServers: { a: { command: x, args: ["a${env:E}"] } }', { E: '' }).config.mcpServers['a']).toMatchObject({ args: ['a'] });
  });
});

describe('mcpServers', () => {
  it('takes what an operator says of calls, and the document of an HTTP API', () => {
    const tools = 'tools: { quote: { sideEffect: read, deadlineSeconds: 5, cacheSeconds: 60, cacheShared: true } }';
    const { config } = load(`mcpServers:
  a: { url: 'https://a.example/mcp', maxQueued: 0, retries: 5, ${tools} }
  api: { openapi: ./api.yaml, url: 'https://api.example', include: ['get*'], tools: { x: { rename: y, hidden: true } } }`);
    expect(config.mcpServers['a']).toMatchObject({
      maxQueued: 0,
      retries: 5,
      tools: { quote: { tasks: 'never', sideEffect: 'read', deadlineSeconds: 5, cacheSeconds: 60, cacheShared: true } },
    });
    expect(config.mcpServers['api']).toMatchObject({
      transport: 'openapi',
      openapi: join(folder, 'api.yaml'),
      url: 'https://api.example',
      include: ['get*'],
      tools: { x: { rename: 'y', hidden: true } },
    });
  });

  it("takes a desktop host's block as it is, JSON included", () => {
    const block = {
      mcpServers: {
        files: {
          command: 'npx',
          args: ['-y', 'server-files', './data'],
          env: { DEBUG: 1 },
          disabled: false,
          autoApprove: ['read'],
          timeout: 30,
        },
        news: { type: 'streamable-http', url: 'https://news.example.com/mcp', headers: { Authorization: 'Bearer x' }, description: 'News' },
        old: { command: 'python', disabled: true },
      },
    };
    const { config, warnings } = load(JSON.stringify(block, null, '\t'));
    expect(config.mcpServers).toEqual({
      files: {
        transport: 'stdio',
        command: 'npx',
        args: ['-y', 'server-files', './data'],
        env: { DEBUG: '1' },
        cwd: folder,
        era: 'auto',
        scopes: [],
        deadlineSeconds: 60,
        maxInFlight: 64,
        maxQueued: 64,
        retries: 2,
        pin: 'strict',
        maxLeases: 8,
        roots: [],
        unlisted: 'refuse',
        tools: {},
      },
      news: {
        transport: 'http',
        url: 'https://news.example.com/mcp',
        headers: { Authorization: 'Bearer x' },
        era: 'auto',
        scopes: [],
        deadlineSeconds: 60,
        maxInFlight: 64,
        maxQueued: 64,
        retries: 2,
        pin: 'strict',
        maxLeases: 8,
        roots: [],
        unlisted: 'refuse',
        tools: {},
      },
    });
    expect(config.disabledServers).toEqual(['old']);
    expect(warnings).toEqual([
      'mcpServers.files.autoApprove means nothing here (approval belongs to the host) and is ignored.',
      'mcpServers.files.timeout means nothing here (use deadlineSeconds) and is ignored.',
    ]);
  });

  it('takes a block with what only its host knows, and says what it ignores', () => {
    const { config, warnings } = load(
      JSON.stringify({
        mcpServers: {
          a: {
            transportType: 'streamableHttp',
            url: 'https://a.example/mcp',
            enabled: true,
            oauth: { clientId: '${input:id}' },
            auth: { CLIENT_ID: '${env:UNSET}' },
            'watch-it': 1,
            tools: ['*'],
            displayName: 'A',
          },
          b: { command: 'x', enabled: false },
          c: { command: 'x', enabled: false, env: { K: '${K}' } },
        },
      }),
    );
    expect(config.mcpServers).toMatchObject({ a: { transport: 'http' } });
    expect(config.disabledServers).toEqual(['b', 'c']);
    const later = 'means nothing here (signing in to servers is not used yet: put a token into headers) and is ignored.';
    expect(warnings).toEqual([
      `mcpServers.a.oauth ${later}`,
      `mcpServers.a.auth ${later}`,
      'mcpServers.a.watch-it is not known here and is ignored.',
      'mcpServers.a.tools means nothing here (tools are not filtered yet) and is ignored.',
    ]);
  });

  it.each([
    ['enabeld: false', 'enabeld: unknown key. Did you mean enabled?'],
    ['Args: []', 'Args: unknown key. Did you mean args?'],
    ['cmd: x', 'cmd: unknown key. Did you mean command?'],
    ['deadlineSecond: 5', 'deadlineSecond: unknown key. Did you mean deadlineSeconds?'],
    ['transportType: websocket', 'transportType: is websocket, but the entry has a command'],
  ])('does not ignore a setting of ours that is misspelt or wrong: %s', (key, expected) => {
    expect(problems(`mcpServers:\n  a: { command: x, ${key} }\n`)).toEqual([expect.stringContaining(` mcpServers.a.${expected}`)]);
  });

  it.each([
    [
      'headers: { Authorization: "Bearer ${TOKEN}" }',
      'headers.Authorization',
      'holds ${TOKEN}, which is not replaced here: write ${env:TOKEN}.',
    ],
    [
      'headers: { K: "${OTHER:-hunter2}" }',
      'headers.K',
      'holds ${OTHER}, which is not replaced here: write ${env:OTHER} and set the variable.',
    ],
    [
      'headers: { K: "${env:TOKEN:-hunter2}" }',
      'headers.K',
      'holds a default, and there are none here: write ${env:TOKEN} and set the variable.',
    ],
    [
      'headers: { K: "${input:token}" }',
      'headers.K',
      'holds ${input:...}, which only a host replaces: write the value, or ${env:NAME} for that of a variable.',
    ],
  ])('refuses a placeholder that would be sent as it stands: %s', (headers, path, message) => {
    const found = problems(`mcpServers:\n  a: { url: "http://x", ${headers} }\n`, { TOKEN: 'hunter2' });
    expect(found).toEqual([expect.stringContaining(` mcpServers.a.${path}: ${message}`)]);
    expect(found.join()).not.toContain('hunter2');
  });

  it('refuses placeholders wherever a host fills them in, and no others', () => {
    const servers = {
      a: { command: '${HOME}/x', args: ['-y', '${workspaceFolder}/x'], env: { TOKEN: '${TOKEN}', FINE: '$5 {x} ${' }, cwd: '${cwd}' },
      b: { url: 'https://${HOST}/mcp' },
    };
    const found = problems(JSON.stringify({ mcpServers: servers }));
    expect(found.map((line) => line.split(' ')[1])).toEqual([
      'mcpServers.a.command:',
      'mcpServers.a.args[1]:',
      'mcpServers.a.env.TOKEN:',
      'mcpServers.a.cwd:',
      'mcpServers.b.url:',
    ]);
    const value = load('mcpServers: { a: { command: x, env: { P: "${env:P}" } } }', { P: 'pa${ss}word' });
    expect(value.config.mcpServers['a']).toMatchObject({ env: { P: 'pa${ss}word' } });
  });

  it('counts relative paths from the folder of the file', () => {
    writeFileSync(join(folder, 'sub.yaml'), 'dataDir: data\nmcpServers:\n  a: { command: ./run, cwd: work }\n  b: { command: node }\n');
    const { config } = loadConfig({ env: { STOCKPULSE_CONFIG: join(folder, 'sub.yaml') }, cwd: '/' });
    expect(config.dataDir).toBe(join(folder, 'data'));
    expect(config.mcpServers).toMatchObject({
      a: { command: join(folder, 'run'), cwd: join(folder, 'work') },
      b: { command: 'node', cwd: folder },
    });
  });

  it('has settings of ours, and the call limit as the default deadline', () => {
    const { config } = load(
      'limits: { callSeconds: 7 }\nmcpServers:\n  a: { command: x, era: legacy, scopes: [market:read], maxInFlight: 2 }\n',
    );
    expect(config.mcpServers['a']).toMatchObject({ era: 'legacy', scopes: ['market:read'], maxInFlight: 2, deadlineSeconds: 7 });
  });

  it.each([
    ['{ url: "https://x/mcp" }', 'http', 'https://x/mcp'],
    ['{ url: "https://x/sse", type: sse }', 'sse', 'https://x/sse'],
    ['{ url: "wss://x/mcp" }', 'ws', 'wss://x/mcp'],
    ['{ url: "wss://x/mcp", type: websocket }', 'ws', 'wss://x/mcp'],
    ['{ url: "https://x/mcp", transport: ws }', 'ws', 'wss://x/mcp'],
    ['{ serverUrl: "ws://x/mcp" }', 'ws', 'ws://x/mcp'],
  ])('%s is connected over %s', (entry, transport, url) => {
    expect(load(`mcpServers: { a: ${entry} }`).config.mcpServers['a']).toMatchObject({ transport, url });
  });

  it('has settings for servers that ask, and for single tools', () => {
    const { config } = load(
      'mcpServers:\n  a:\n    command: x\n    maxLeases: 3\n    unlisted: forward\n    roots: [./docs, "file:///srv/x", { uri: /data, name: Data }]\n' +
        '    tools: { buy: { tasks: after_input, requires: { elicitation: { form: {} } } }, "odd name": {} }\n',
    );
    expect(config.mcpServers['a']).toMatchObject({
      maxLeases: 3,
      unlisted: 'forward',
      roots: [{ uri: pathToFileURL(join(folder, 'docs')).href }, { uri: 'file:///srv/x' }, { uri: 'file:///data', name: 'Data' }],
      tools: {
        buy: { tasks: 'after_input', requires: { elicitation: { form: {} } } },
        'odd name': { tasks: 'never', requires: {} },
      },
    });
  });

  it('keeps anchors and merges', () => {
    const { config } = load('mcpServers:\n  a: &a { command: x, args: [1] }\n  b: { <<: *a, args: ["2"] }\n'.replace('[1]', '["1"]'));
    expect(config.mcpServers['b']).toMatchObject({ command: 'x', args: ['2'] });
  });
});

describe('warnings', () => {
  it('an open address without TLS', () => {
    expect(load('server: { host: 0.0.0.0 }').warnings[0]).toContain('without TLS');
    expect(load('server: { host: 0.0.0.0, publicUrl: "https://x.example" }').warnings).toEqual([]);
    expect(load('server: { host: 127.0.0.2 }').warnings).toEqual([]);
  });

  it('what is accepted but not used yet', () => {
    expect(load('redis: { url: "redis://h" }').warnings[0]).toContain('not used yet');
  });
});
