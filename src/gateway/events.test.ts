import { describe, expect, it } from 'vitest';
import { jsonText, META, type CallContext, type JsonObject, type Outcome } from '../protocol/index.ts';
import type { SessionState } from './client-port.ts';
import { testGateway, TestPort } from './testing.ts';

type Sent = readonly (readonly [method: string, params?: JsonObject])[];

const done: Outcome = { kind: 'complete', result: jsonText({ content: [] }) };
const progress = (value: number, more: JsonObject = {}): readonly [string, JsonObject] => [
  'notifications/progress',
  { progressToken: 99, progress: value, ...more },
];
const log = (level: string): readonly [string, JsonObject] => ['notifications/message', { level, data: `at ${level}` }];
const levelsOf = (told: readonly JsonObject[]): unknown[] => told.map(({ params }) => (params as JsonObject).level);

/** A gateway whose server sends these notifications before it answers, and one more after. */
function telling(sent: Sent) {
  const send = ({ onEvent }: CallContext, [method, params]: Sent[number]): void =>
    onEvent({ kind: 'notification', method, params: params && jsonText(params) });
  return testGateway([
    {
      name: 's',
      handle(_call, context) {
        for (const one of sent) send(context, one);
        setImmediate(() => send(context, progress(1000)));
        return done;
      },
    },
  ]);
}

async function told(sent: Sent, meta: JsonObject, more: object = {}, path = '/mcp/s'): Promise<JsonObject[]> {
  const port = new TestPort();
  const name = path === '/mcp' ? 's__echo' : 'echo';
  await telling(sent).ask(path, 'tools/call', { name, arguments: { text: 'x' }, _meta: meta }, { port, ...more });
  await new Promise((resolve) => setImmediate(resolve));
  return port.told;
}

describe('progress', () => {
  it('reaches the client under its own token, while it increases and the request is open', async () => {
    verifies('progress-increases', 'progress-active', 'progress-stops');
    const sent = [progress(1, { total: 3, message: 'm' }), progress(1), progress(0.5), progress(2), ['notifications/progress']] as const;
    expect(await told(sent, { progressToken: 'mine' })).toEqual([
      { jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 'mine', progress: 1, total: 3, message: 'm' } },
      { jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 'mine', progress: 2 } },
    ]);
  });

  it('keeps the token’s type, and is dropped where the client wants none', async () => {
    verifies('progress-token', 'progress-active');
    expect(await told([progress(1)], { progressToken: 7 })).toMatchObject([{ params: { progressToken: 7 } }]);
    expect(await told([progress(1)], {})).toEqual([]);
    expect(await told([progress(1)], { progressToken: {} })).toEqual([]);
    expect(await told([progress(1)], { progressToken: 'x' }, { port: undefined })).toEqual([]);
  });
});

describe('log messages', () => {
  const all = [log('debug'), log('info'), log('error'), log('emergency')];

  it('are filtered by the level of a modern request, and dropped without one', async () => {
    expect(levelsOf(await told(all, { [META.logLevel]: 'error' }))).toEqual(['error', 'emergency']);
    expect(levelsOf(await told(all, { [META.logLevel]: 'debug' }, {}, '/mcp'))).toHaveLength(4);
    expect(await told(all, {})).toEqual([]);
  });

  it('are refused with -32602 at a level that does not exist', async () => {
    const params = { name: 'echo', arguments: { text: 'x' }, _meta: { [META.logLevel]: 'loud' } };
    expect((await telling([]).ask('/mcp/s', 'tools/call', params)).body).toMatchObject({ error: { code: -32602 } });
  });

  it('are filtered by the level of a legacy session, as it is when they come', async () => {
    const client = { revision: '2025-11-25' as const, info: undefined, capabilities: {} };
    const session = (logLevel: SessionState['logLevel']): SessionState => ({
      logLevel,
      subscribe: () => true,
      unsubscribe: () => undefined,
    });
    expect(levelsOf(await told(all, {}, { client, session: session('info') }))).toEqual(['info', 'error', 'emergency']);
    const changing = session('info');
    const port = new TestPort();
    const gateway = testGateway([
      {
        name: 's',
        handle(_call, { onEvent }) {
          changing.logLevel = 'error';
          for (const [method, params] of all) onEvent({ kind: 'notification', method, params: jsonText(params) });
          return done;
        },
      },
    ]);
    await gateway.ask('/mcp/s', 'tools/call', { name: 'echo', arguments: { text: 'x' } }, { client, session: changing, port });
    expect(levelsOf(port.told)).toEqual(['error', 'emergency']);
  });
});

describe('log messages for a legacy client that set no level', () => {
  it('come as the server sends them: the choice is the server’s', async () => {
    const client = { revision: '2025-11-25' as const, info: undefined, capabilities: {} };
    const session: SessionState = { logLevel: undefined, subscribe: () => true, unsubscribe: () => undefined };
    const sent = [log('debug'), log('error')];
    for (const path of ['/mcp', '/mcp/s'])
      expect(levelsOf(await told(sent, { [META.logLevel]: 'error' }, { client, session }, path))).toEqual(['debug', 'error']);
  });
});

describe('other notifications of a call', () => {
  it('pass on the endpoint of a server if no part of the specification has them', async () => {
    const sent = [
      ['notifications/acme/thing', { x: 1 }],
      ['notifications/acme/empty'],
      ['notifications/tools/list_changed'],
      ['notifications/cancelled', { requestId: 1 }],
      ['notifications/tasks', {}],
      ['notifications/elicitation/complete', { elicitationId: 'e' }],
      ['notifications/progress', { progressToken: 1, progress: 1 }],
      ['elicitation/create', {}],
      ['roots/list'],
      ['acme/searchProgress', { pct: 1 }],
    ] as const;
    expect(await told(sent, {})).toEqual([
      { jsonrpc: '2.0', method: 'notifications/acme/thing', params: { x: 1 } },
      { jsonrpc: '2.0', method: 'notifications/acme/empty' },
      { jsonrpc: '2.0', method: 'acme/searchProgress', params: { pct: 1 } },
    ]);
    expect(await told(sent, {}, {}, '/mcp')).toEqual([]);
    const client = { revision: '2025-11-25' as const, info: undefined, capabilities: {} };
    expect((await told(sent, {}, { client }, '/mcp')).map(({ method }) => method)).toEqual(['notifications/elicitation/complete']);
  });
});

describe('a legacy session', () => {
  const client = { revision: '2025-11-25' as const, info: undefined, capabilities: {} };
  const state = () => {
    const uris: string[] = [];
    const session: SessionState = {
      logLevel: undefined,
      subscribe: (uri) => uris.length < 1 && uris.push(uri) > 0,
      unsubscribe: (uri) => void uris.splice(uris.indexOf(uri), 1),
    };
    return { session, uris };
  };

  it('sets its level, and refuses one that does not exist', async () => {
    const { session } = state();
    const gateway = telling([]);
    expect((await gateway.ask('/mcp', 'logging/setLevel', { level: 'notice' }, { client, session })).body).toEqual({
      jsonrpc: '2.0',
      id: 1,
      result: {},
    });
    expect(session.logLevel).toBe('notice');
    expect((await gateway.ask('/mcp', 'logging/setLevel', { level: 'loud' }, { client, session })).body).toMatchObject({
      error: { code: -32602 },
    });
    expect(session.logLevel).toBe('notice');
  });

  it('subscribes to resources of servers that exist, up to its cap', async () => {
    const { session, uris } = state();
    const gateway = telling([]);
    const ask = async (method: string, uri: unknown): Promise<JsonObject> =>
      (await gateway.ask('/mcp', method, { uri }, { client, session })).body;
    expect(await ask('resources/subscribe', 'file:///a')).toEqual({ jsonrpc: '2.0', id: 1, result: {} });
    expect(uris).toEqual(['file:///a']);
    expect(await ask('resources/subscribe', 'file:///b')).toMatchObject({ error: { code: 4290 } });
    expect(await ask('resources/unsubscribe', 'file:///a')).toMatchObject({ result: {} });
    expect(uris).toEqual([]);
    expect(await ask('resources/subscribe', 'mcp.nobody+file:///a')).toMatchObject({ error: { code: -32002 } });
    expect(await ask('resources/subscribe', 7)).toMatchObject({ error: { code: -32602 } });
  });
});
