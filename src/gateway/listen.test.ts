import { describe, expect, it } from 'vitest';
import { jsonText, META, TASKS_EXTENSION, type Announcement, type Interest, type JsonObject, type Target } from '../protocol/index.ts';
import type { Incoming } from './frame.ts';
import { openListen, type OpenListen } from './listen.ts';
import { OpenWatch } from './open-watch.ts';
import { agent, requestOf, testGateway, type TestGateway, type TestServer } from './testing.ts';
import { resolveEndpoint } from './endpoints.ts';

const SUBSCRIPTION = META.subscriptionId;

/** A server that honours every URI, and announces at once what `announce` says. */
function server(name: string, more: Partial<TestServer> = {}, announce: readonly Announcement[] = []) {
  const open = new Set<Interest>();
  const listen: Target['listen'] = (interest, _caller, onAnnouncement) => {
    open.add(interest);
    for (const announcement of announce) onAnnouncement(announcement);
    return { honoured: Promise.resolve(interest), close: () => void open.delete(interest) };
  };
  const entry = { facts: { info: undefined, capabilities: { tools: {}, resources: { subscribe: true } }, instructions: undefined } };
  return { name, open, listen, entry, handle: () => ({ kind: 'complete' as const, result: jsonText({}) }), ...more };
}

async function opened(
  gateway: TestGateway,
  path: string,
  notifications: unknown,
  more: Partial<Incoming> = {},
  id: number | string = 'L1',
) {
  const endpoint = resolveEndpoint(path.split('/')[2], gateway.registry);
  if (endpoint === undefined) throw new Error(path);
  const sent: JsonObject[] = [];
  const incoming: Incoming = {
    face: 'test',
    endpoint,
    principal: agent,
    client: { revision: '2026-07-28', info: undefined, capabilities: {} },
    request: requestOf('subscriptions/listen', { notifications }, id),
    headers: undefined,
    bytesIn: 1,
    signal: new AbortController().signal,
    ...more,
  };
  const listen = await openListen(incoming, gateway.services, (text) => sent.push(JSON.parse(text) as JsonObject));
  gateway.flush();
  return { sent, listen };
}

describe('a watch that is not acknowledged yet', () => {
  it('holds back what it hears, keeps its order, and forgets it when it is closed', () => {
    const heard: string[] = [];
    const watch = new OpenWatch();
    for (let i = 0; i < 1000; i++) watch.hear(`n${i}`, undefined);
    expect(heard).toEqual([]);
    watch.release((method) => heard.push(method));
    expect([heard.length, heard[0], heard[255]]).toEqual([256, 'n0', 'n255']);
    watch.hear('later', undefined);
    expect(heard.at(-1)).toBe('later');
    watch.close();
    watch.hear('never', undefined);
    expect(heard.at(-1)).toBe('later');
  });
});

const isOpen = (value: unknown): value is OpenListen => typeof value === 'object' && value !== null && 'drop' in value;

function expectOpen(value: unknown): OpenListen {
  if (!isOpen(value)) throw new Error(`refused: ${JSON.stringify(value)}`);
  return value;
}

describe('subscriptions/listen', () => {
  it('acknowledges first what is honoured, then tells of it under its id, and ends with a response', async () => {
    verifies('listen-first', 'listen-nothing-before', 'basic-subscription-id');
    const params = jsonText({ uri: 'file:///a' });
    const one = server('one', {}, [{ method: 'notifications/resources/updated', params }]);
    const gateway = testGateway([server('zero'), one]);
    const uris = ['mcp.one+file:///a', 'mcp.nobody+file:///a'];
    const { sent, listen } = await opened(gateway, '/mcp', { toolsListChanged: true, resourceSubscriptions: uris });
    expect(sent[0]).toEqual({
      jsonrpc: '2.0',
      method: 'notifications/subscriptions/acknowledged',
      params: { _meta: { [SUBSCRIPTION]: 'L1' }, notifications: { toolsListChanged: true, resourceSubscriptions: [uris[0]] } },
    });
    gateway.registry.put({ ...gateway.registry.get('one')! }, ['tools']);
    await expect.poll(() => sent.length).toBe(3);
    expect(sent.slice(1)).toEqual(
      expect.arrayContaining([
        { jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri: uris[0], _meta: { [SUBSCRIPTION]: 'L1' } } },
        { jsonrpc: '2.0', method: 'notifications/tools/list_changed', params: { _meta: { [SUBSCRIPTION]: 'L1' } } },
      ]),
    );
    expect(gateway.records).toEqual([]);
    expect([gateway.services.hub.size, gateway.services.inFlight.size, one.open.size]).toEqual([1, 0, 1]);
    const text = expectOpen(listen).end();
    expect(JSON.parse(text)).toMatchObject({ id: 'L1', result: { resultType: 'complete', _meta: { [SUBSCRIPTION]: 'L1' } } });
    gateway.flush();
    expect(gateway.records).toMatchObject([{ method: 'subscriptions/listen', outcome: 'ok', stepNames: ['open_watch'] }]);
    expect([gateway.services.hub.size, one.open.size]).toEqual([0, 0]);
    expect([expectOpen(listen).end(), gateway.records.length]).toEqual(['', 1]);
  });

  it('says nothing after its client is gone, and is recorded once', async () => {
    const gateway = testGateway([server('s')]);
    const { sent, listen } = await opened(gateway, '/mcp/s', { toolsListChanged: true }, {}, 3);
    expect(sent).toMatchObject([{ params: { _meta: { [SUBSCRIPTION]: 3 } } }]);
    expectOpen(listen).drop();
    expectOpen(listen).drop();
    gateway.registry.put({ ...gateway.registry.get('s')! }, ['tools']);
    await new Promise((resolve) => setTimeout(resolve, 100));
    gateway.flush();
    expect([sent.length, gateway.records.length, gateway.services.hub.size]).toEqual([1, 1, 0]);
  });

  it('sends nothing to a client that is gone before the acknowledgement', async () => {
    const gateway = testGateway([server('s')]);
    const { sent } = await opened(gateway, '/mcp/s', { toolsListChanged: true }, { signal: AbortSignal.abort() });
    expect([sent, gateway.services.hub.size, gateway.records.length]).toEqual([[], 0, 1]);
  });

  it('refuses a malformed filter, tasks without the extension, and methods that are none', async () => {
    const gateway = testGateway([server('s')]);
    const refusals: readonly (readonly [unknown, number, Partial<Incoming>?])[] = [
      [undefined, -32602],
      [{ resourceSubscriptions: [1] }, -32602],
      [{ taskIds: ['x'] }, -32021],
      [{}, -32601, { client: { revision: '2025-11-25', info: undefined, capabilities: {} } }],
    ];
    for (const [filter, code, more] of refusals) {
      const { listen, sent } = await opened(gateway, '/mcp', filter, more);
      expect(isOpen(listen)).toBe(false);
      expect(JSON.parse((listen as { text: string }).text)).toMatchObject({ id: 'L1', error: { code } });
      expect(sent).toEqual([]);
    }
    expect(gateway.records.map(({ outcome }) => outcome)).toEqual(['error', 'error', 'error', 'error']);
    const capabilities = { extensions: { [TASKS_EXTENSION]: {} } };
    const { sent } = await opened(
      gateway,
      '/mcp',
      { taskIds: ['x'] },
      { client: { revision: '2026-07-28', info: undefined, capabilities } },
    );
    expect(sent).toMatchObject([{ params: { notifications: {} } }]);
  });

  it('does not watch resources of servers that the caller may not use', async () => {
    const policy = { scopes: ['trade:write'], unlisted: 'refuse', tools: {} } as const;
    const shut = server('shut', { policy });
    const { sent } = await opened(testGateway([shut]), '/mcp/shut', { resourceSubscriptions: ['file:///a'] });
    expect(sent).toMatchObject([{ params: { notifications: {} } }]);
    expect(shut.open.size).toBe(0);
  });

  it('is no request with an answer', async () => {
    const gateway = testGateway([server('s')]);
    expect((await gateway.ask('/mcp', 'subscriptions/listen', { notifications: {} })).body).toMatchObject({ error: { code: -32601 } });
  });
});
