import { afterEach, describe, expect, it } from 'vitest';
import { jsonText, type Announcement, type Caller, type Interest, type Listening } from '../../protocol/index.ts';
import { ChangingServer, type ChangingOptions } from '../changing-server.ts';
import { sendEvent } from '../connections-kit.ts';
import type { Limits } from '../index.ts';
import { TestSession } from '../leases/leases-kit.ts';
import { httpConfig, kit, until, type Kit } from '../test-kit.ts';

/** What clients follow, and what the server is asked for on their behalf (PROTOCOL C8; S26 subscriptions; S25 resources). */

let ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ends.toReversed()) await end();
  ends = [];
});

const CALLER: Caller = { principal: 'key:test', scopes: new Set() };
const QUIET = { toolsTtlMs: 3_600_000, refreshMinMs: 3_600_000, refreshDelayMs: 1 };
const RESOURCES = { tools: {}, resources: { subscribe: true } };

interface Setup {
  readonly one: Kit;
  readonly server: ChangingServer;
}

async function setup(options: Partial<ChangingOptions>, limits: Partial<Limits> = {}): Promise<Setup> {
  const server = await ChangingServer.start({ eras: 'modern', capabilities: RESOURCES, ...options });
  ends.push(() => server.close());
  const one = await kit([httpConfig('one', server.url)], { ...QUIET, ...limits });
  ends.push(() => one.end());
  await one.manager.start();
  return { one, server };
}

interface Follower extends Listening {
  readonly heard: Announcement[];
  /** The values of the member that says what it is about. */
  readonly about: () => unknown[];
}

function follow({ one }: Setup, interest: Partial<Interest>, caller: Caller = CALLER): Follower {
  const heard: Announcement[] = [];
  const target = one.manager.target('one');
  const listening = target?.listen?.({ uris: [], taskIds: [], ...interest }, caller, (announcement) => heard.push(announcement));
  if (listening === undefined) throw new Error('no target');
  return { ...listening, heard, about: () => heard.map(({ params }) => params.value.uri ?? params.value.taskId) };
}

const updated = ({ server }: Setup, uri: string): void => server.tell('notifications/resources/updated', { uri });
const filters = ({ server }: Setup): unknown[] => server.streams.map(({ filter }) => filter);
const gauge = ({ one }: Setup): number | undefined => one.caps.list().find(({ name }) => name === 'upstream_followed:one')?.size;

describe('a modern server', () => {
  it('is listened to for the lists that it announces, and for nothing else', async () => {
    const both = await setup({ capabilities: { tools: { listChanged: true }, prompts: {}, resources: { listChanged: true } } });
    await until(() => both.server.streams.length === 1);
    expect(filters(both)).toEqual([{ toolsListChanged: true, resourcesListChanged: true }]);
    const none = await setup({});
    await follow(none, { uris: [] }).honoured;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(none.server.seen).not.toContain('modern subscriptions/listen');
  });

  it('tells those who follow a resource, once each, as it said it', async () => {
    const setting = await setup({});
    const [a, b, other] = [
      follow(setting, { uris: ['x:1'] }),
      follow(setting, { uris: ['x:1', 'x:2'] }),
      follow(setting, { uris: ['x:3'] }),
    ];
    expect(await a.honoured).toEqual({ uris: ['x:1'], taskIds: [] });
    expect(await b.honoured).toEqual({ uris: ['x:1', 'x:2'], taskIds: [] });
    expect(filters(setting)).toEqual([{ resourceSubscriptions: ['x:1', 'x:2', 'x:3'] }]);
    updated(setting, 'x:1');
    await until(() => a.heard.length > 0);
    expect(a.heard).toEqual([{ method: 'notifications/resources/updated', params: { text: '{"uri":"x:1"}', value: { uri: 'x:1' } } }]);
    expect([b.about(), other.about()]).toEqual([['x:1'], []]);
  });

  it('is asked for more before what it told so far ends, and not at all for what it tells already', async () => {
    const setting = await setup({});
    const first = follow(setting, { uris: ['x:1'] });
    await first.honoured;
    const held = Promise.withResolvers<undefined>();
    setting.server.options.instead = (method) => (method === 'subscriptions/listen' ? held.promise : undefined);
    const second = follow(setting, { uris: ['x:2'] });
    await until(() => setting.server.count('modern subscriptions/listen') === 2);
    updated(setting, 'x:1');
    await until(() => first.heard.length === 1);
    held.resolve(undefined);
    expect(await second.honoured).toEqual({ uris: ['x:2'], taskIds: [] });
    await until(() => setting.server.streams.length === 1);
    expect(filters(setting)).toEqual([{ resourceSubscriptions: ['x:1', 'x:2'] }]);
    const third = follow(setting, { uris: ['x:2'] });
    expect(await third.honoured).toEqual({ uris: ['x:2'], taskIds: [] });
    expect(setting.server.count('modern subscriptions/listen')).toBe(2);
  });

  it('is asked for less when somebody leaves, and for nothing when all have left', async () => {
    const setting = await setup({});
    const [a, b] = [follow(setting, { uris: ['x:1'] }), follow(setting, { uris: ['x:2'] })];
    await b.honoured;
    a.close();
    a.close();
    await until(() => JSON.stringify(filters(setting)) === '[{"resourceSubscriptions":["x:2"]}]');
    updated(setting, 'x:1');
    updated(setting, 'x:2');
    await until(() => b.heard.length === 1);
    expect(a.heard).toEqual([]);
    b.close();
    await until(() => setting.server.streams.length === 0);
    expect(gauge(setting)).toBe(0);
  });

  it('honours what it acknowledges', async () => {
    const setting = await setup({ unheard: new Set(['x:2']) });
    expect(await follow(setting, { uris: ['x:1', 'x:2'] }).honoured).toEqual({ uris: ['x:1'], taskIds: [] });
  });

  it('that refuses one resource goes on telling of the others', async () => {
    const setting = await setup({ refused: new Set(['bad:']) });
    const good = follow(setting, { uris: ['x:1'] });
    await good.honoured;
    const bad = follow(setting, { uris: ['bad:'] });
    expect(await bad.honoured).toEqual({ uris: [], taskIds: [] });
    const later = follow(setting, { uris: ['x:2'] });
    expect(await later.honoured).toEqual({ uris: ['x:2'], taskIds: [] });
    updated(setting, 'x:1');
    await until(() => good.heard.length === 1);
    expect(filters(setting)).toEqual([{ resourceSubscriptions: ['x:1', 'x:2'] }]);
  });

  it('tells of tasks, for which the extension is declared', async () => {
    const setting = await setup({});
    const one = follow(setting, { taskIds: ['t1'] });
    expect(await one.honoured).toEqual({ uris: [], taskIds: ['t1'] });
    const { _meta: meta } = setting.server.params[setting.server.seen.lastIndexOf('modern subscriptions/listen')] as { _meta: object };
    expect(meta).toMatchObject({
      'io.modelcontextprotocol/clientCapabilities': { extensions: { 'io.modelcontextprotocol/tasks': {} } },
    });
    setting.server.tell('notifications/tasks', { taskId: 't1', status: 'completed' });
    setting.server.tell('notifications/tasks', { taskId: 't2', status: 'completed' });
    await until(() => one.heard.length === 1);
    expect(one.heard).toMatchObject([{ method: 'notifications/tasks', params: { text: '{"taskId":"t1","status":"completed"}' } }]);
  });

  it('whose stream breaks off is listened to again, and its lists are read again', async () => {
    verifies('listen-client-again');
    const setting = await setup({ capabilities: { tools: { listChanged: true }, resources: {} } }, { backoffFirstMs: 5, backoffMaxMs: 10 });
    const { server } = setting;
    const one = follow(setting, { uris: ['x:1'] });
    await one.honoured;
    await until(() => server.streams.length === 1);
    const lists = server.count('modern tools/list');
    server.streams[0]?.res.destroy();
    await until(() => server.count('modern tools/list') > lists && server.streams.length === 1);
    updated(setting, 'x:1');
    await until(() => one.heard.length === 1);
  });

  it('that does not know subscriptions is not asked again and again', async () => {
    const setting = await setup({
      capabilities: { tools: { listChanged: true } },
      instead: (method) => (method === 'subscriptions/listen' ? { error: { code: -32601, message: 'what?' }, status: 404 } : undefined),
    });
    expect(await follow(setting, { uris: ['x:1'] }).honoured).toEqual({ uris: [], taskIds: [] });
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(setting.server.count('modern subscriptions/listen')).toBeLessThanOrEqual(2);
  });

  it('that never acknowledges honours nothing, but is heard', async () => {
    const setting = await setup({}, { listenMs: 30 });
    setting.server.options.instead = (method) => (method === 'subscriptions/listen' ? new Promise(() => undefined) : undefined);
    expect(await follow(setting, { uris: ['x:1'] }).honoured).toEqual({ uris: [], taskIds: [] });
  });
});

describe('a legacy server', () => {
  const legacy = (options: Partial<ChangingOptions> = {}, limits: Partial<Limits> = {}): Promise<Setup> =>
    setup({ eras: 'legacy', ...options }, limits);
  const subscribed = ({ server }: Setup): string[] => [...server.sessions.values()].flatMap((uris) => [...uris]).toSorted();

  it('is subscribed to once however many follow, until the last one leaves', async () => {
    const setting = await legacy();
    const [a, b] = [follow(setting, { uris: ['x:1'] }), follow(setting, { uris: ['x:1', 'x:2'] })];
    expect(await a.honoured).toEqual({ uris: ['x:1'], taskIds: [] });
    expect(await b.honoured).toEqual({ uris: ['x:1', 'x:2'], taskIds: [] });
    expect(setting.server.count('legacy resources/subscribe')).toBe(2);
    await until(() => setting.server.gets.size === 1);
    updated(setting, 'x:1');
    await until(() => a.heard.length + b.heard.length === 2);
    a.close();
    b.close();
    await until(() => setting.server.count('legacy resources/unsubscribe') === 2);
    expect(subscribed(setting)).toEqual([]);
    expect(gauge(setting)).toBe(0);
  });

  it('opens no stream for nothing', async () => {
    const quiet = await legacy();
    const announcing = await legacy({ capabilities: { tools: { listChanged: true } } });
    await until(() => announcing.server.gets.size === 1);
    expect(quiet.server.gets.size).toBe(0);
  });

  it('may name a sub-resource', async () => {
    const setting = await legacy();
    const uris = ['file:///a', 'file:///a/b/', 'file:///ab', 'file:///a/b/c'];
    const each = uris.map((uri) => follow(setting, { uris: [uri] }));
    const twice = follow(setting, { uris: ['file:///a', 'file:///a/b/c'] });
    await Promise.all([...each, twice].map(({ honoured }) => honoured));
    await until(() => setting.server.gets.size === 1);
    updated(setting, 'file:///a/b/c');
    updated(setting, 'file:///a');
    await until(() => twice.heard.length === 2);
    expect(each.map((one) => one.about())).toEqual([['file:///a/b/c', 'file:///a'], ['file:///a/b/c'], [], ['file:///a/b/c']]);
  });

  it('that refuses a resource does not honour it', async () => {
    const setting = await legacy({ refused: new Set(['x:2']) });
    const interest = { uris: ['x:1', 'x:2'], taskIds: ['t'] };
    expect(await follow(setting, interest).honoured).toEqual({ uris: ['x:1'], taskIds: [] });
  });

  it('without sessions honours nothing, and is not asked', async () => {
    const setting = await legacy({ sessionless: true });
    expect(await follow(setting, { uris: ['x:1'] }).honoured).toEqual({ uris: [], taskIds: [] });
    expect(setting.server.seen).not.toContain('legacy resources/subscribe');
  });

  it('that forgets its sessions, or is connected to anew, is subscribed to again', async () => {
    const setting = await legacy();
    const one = follow(setting, { uris: ['x:1', 'x:2'] });
    await one.honoured;
    setting.server.sessions.clear();
    expect(await setting.one.text('one', 'any')).toBe('legacy any');
    await until(() => subscribed(setting).join() === 'x:1,x:2');
    await setting.one.manager.restart('one');
    await until(() => subscribed(setting).join() === 'x:1,x:2' && setting.server.gets.size === 1);
    updated(setting, 'x:2');
    await until(() => one.heard.length === 1);
  });

  it('whose resource is left and followed again in a moment stays subscribed to', async () => {
    const setting = await legacy();
    const first = follow(setting, { uris: ['x:1'] });
    await first.honoured;
    for (let i = 0; i < 20; i++) follow(setting, { uris: ['x:1'] }).close();
    first.close();
    const last = follow(setting, { uris: ['x:1'] });
    expect(await last.honoured).toEqual({ uris: ['x:1'], taskIds: [] });
    expect(subscribed(setting)).toEqual(['x:1']);
  });
});

describe('a session whose calls have connections of their own', () => {
  const legacy = (limits: Partial<Limits> = {}): Promise<Setup> => setup({ eras: 'legacy' }, limits);
  const callerOf = (session: TestSession): Caller => ({ ...CALLER, session });
  const offers = jsonText({ elicitation: {} });
  const ask = (setting: Setup, session: TestSession): Promise<string> =>
    setting.one.text('one', 'any', {}, { call: { caller: callerOf(session), offers } });
  /** The server's sessions other than the first, which is that of the connection that all share. */
  const leased = ({ server }: Setup): string[][] => [...server.sessions.values()].slice(1).map((uris) => [...uris]);
  /** Says it in one session of the server only. */
  function tellIn({ server }: Setup, name: string, uri: string): void {
    const res = server.gets.get(name);
    if (res === undefined) throw new Error(`${name} has no stream`);
    sendEvent(res, { jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri } });
  }

  it.each(['follows', 'calls'])('hears there what the server says, once, and nobody else does (it %s first)', async (first) => {
    const setting = await legacy();
    const session = new TestSession();
    const other = follow(setting, { uris: ['x:1'] });
    if (first === 'calls') await ask(setting, session);
    const own = follow(setting, { uris: ['x:1', 'x:2'], era: 'legacy' }, callerOf(session));
    expect(await own.honoured).toEqual({ uris: ['x:1', 'x:2'], taskIds: [] });
    if (first === 'follows') await ask(setting, session);
    await until(() => leased(setting)[0]?.length === 2 && setting.server.gets.size === 2);
    tellIn(setting, 'session-2', 'x:2');
    tellIn(setting, 'session-2', 'x:1');
    await until(() => own.heard.length === 2);
    updated(setting, 'x:1/part');
    updated(setting, 'x:1');
    await until(() => own.heard.length >= 4 && other.heard.length >= 2);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect([own.about(), other.about()]).toEqual([
      ['x:2', 'x:1', 'x:1/part', 'x:1'],
      ['x:1/part', 'x:1'],
    ]);
    expect(await ask(setting, session)).toBe('legacy any');
    expect(leased(setting)).toHaveLength(1);
    own.close();
    await until(() => leased(setting)[0]?.length === 0);
    other.close();
    expect(gauge(setting)).toBe(0);
  });

  it('is told over the shared one where its own is gone, and over a new one after that', async () => {
    const setting = await legacy({ leaseIdleMs: 30 });
    const session = new TestSession();
    await ask(setting, session);
    await until(() => leased(setting).length === 0);
    const own = follow(setting, { uris: ['x:1'], era: 'legacy' }, callerOf(session));
    await own.honoured;
    await ask(setting, session);
    await until(() => leased(setting)[0]?.length === 1 && setting.server.gets.size === 2);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(leased(setting)).toEqual([['x:1']]);
    await setting.one.manager.restart('one');
    await until(() => setting.server.sessions.size === 1 && setting.server.gets.size === 1);
    await until(() => [...setting.server.sessions.values()][0]?.size === 1);
    updated(setting, 'x:1');
    await until(() => own.heard.length === 1);
    await ask(setting, session);
    await until(() => leased(setting)[0]?.length === 1);
    session.end();
    await until(() => setting.server.sessions.size === 1);
    expect(session.watchers.size).toBe(0);
  });

  it('of another session of the same principal are not its own', async () => {
    const setting = await legacy();
    const [a, b] = [new TestSession(), new TestSession()];
    const own = follow(setting, { uris: ['x:1'], era: 'legacy' }, callerOf(a));
    await ask(setting, a);
    await ask(setting, b);
    await until(() => JSON.stringify(leased(setting)) === '[["x:1"],[]]');
    await ask(setting, a);
    own.close();
    expect(leased(setting)).toHaveLength(2);
  });
});

describe('of both eras', () => {
  it('tells each client in its own, and in the other one when that is gone', async () => {
    const setting = await setup({ eras: 'dual' }, { renewMs: 3_600_000, waitMs: 500 });
    const { server } = setting;
    const [modern, legacy] = [follow(setting, { uris: ['x:1'] }), follow(setting, { uris: ['x:2'], era: 'legacy' })];
    await Promise.all([modern.honoured, legacy.honoured]);
    expect(filters(setting)).toEqual([{ resourceSubscriptions: ['x:1'] }]);
    expect([...server.sessions.values()].map((uris) => [...uris])).toEqual([['x:2']]);
    server.options.eras = 'modern';
    server.sessions.clear();
    for (const get of server.gets.values()) get.destroy();
    const client = { revision: '2025-11-25', info: undefined, capabilities: {} } as const;
    await setting.one.text('one', 'any', {}, { call: { client } });
    await until(() => JSON.stringify(filters(setting)) === '[{"resourceSubscriptions":["x:1","x:2"]}]');
    updated(setting, 'x:2');
    await until(() => legacy.heard.length === 1);
    expect(modern.heard).toEqual([]);
    expect(gauge(setting)).toBe(2);
    legacy.close();
    modern.close();
    expect(gauge(setting)).toBe(0);
  });
});

describe('whatever the era', () => {
  it.each(['modern', 'legacy'] as const)('no more is followed than the cap (%s)', async (eras) => {
    const setting = await setup({ eras }, { maxFollowed: 3 });
    const one = follow(setting, { uris: ['x:1', 'x:2', 'x:3', 'x:4', 'x:5'] });
    expect(await one.honoured).toEqual({ uris: ['x:1', 'x:2', 'x:3'], taskIds: [] });
    expect(gauge(setting)).toBe(3);
    one.close();
    expect(await follow(setting, { uris: ['x:4'] }).honoured).toEqual({ uris: ['x:4'], taskIds: [] });
  });

  it.each(['modern', 'legacy'] as const)('a server that is not there yet is asked when it is (%s)', async (eras) => {
    const server = await ChangingServer.start({ eras, capabilities: RESOURCES });
    const one = await kit([httpConfig('one', server.url)], QUIET);
    ends.push(
      () => server.close(),
      () => one.end(),
    );
    const early = follow({ one, server }, { uris: ['x:1'] });
    await one.manager.start();
    expect(await early.honoured).toEqual({ uris: ['x:1'], taskIds: [] });
  });

  it.each(['modern', 'legacy'] as const)('nothing is left when the manager stops (%s)', async (eras) => {
    const setting = await setup({ eras });
    const one = follow(setting, { uris: ['x:1'] });
    await one.honoured;
    await setting.one.manager.stop();
    await until(() => setting.server.streams.length + setting.server.gets.size === 0);
    expect(setting.one.caps.list()).toEqual([]);
    one.close();
    expect(await follow(setting, { uris: ['x:2'] }).honoured).toEqual({ uris: [], taskIds: [] });
  });
});
