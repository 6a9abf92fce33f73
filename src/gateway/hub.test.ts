import { afterEach, describe, expect, it } from 'vitest';
import { jsonText, type Announcement, type Caller, type Interest, type JsonText, type Listening } from '../protocol/index.ts';
import { Registry } from '../registry/index.ts';
import { createSealer } from '../security/index.ts';
import { Caps } from '../shared/index.ts';
import type { Hub, Watch, WatchFilter, WatchRequest } from './client-port.ts';
import { resolveEndpoint, type Endpoint } from './endpoints.ts';
import { createHub, type HubLimits } from './hub.ts';
import { sealTaskId } from './task-ids.ts';
import { agent, entryOf, type TestServer } from './testing.ts';

const sealer = createSealer(Buffer.alloc(32, 7));
const other = { ...agent, id: 'key:2' };
const tick = (ms = 30): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const until = async (done: () => boolean): Promise<void> => {
  while (!done()) await tick(5);
};

interface Listener {
  readonly server: string;
  readonly interest: Interest;
  readonly caller: Caller;
  readonly say: (announcement: Announcement) => void;
  open: boolean;
}

interface Bench {
  readonly hub: Hub;
  readonly registry: Registry;
  readonly caps: Caps;
  readonly listeners: Listener[];
  readonly errors: unknown[];
  readonly watch: (
    filter: Partial<WatchFilter>,
    more?: Partial<WatchRequest> & { path?: string },
  ) => { watch: Watch; heard: [string, unknown][] };
}

const benches: Bench[] = [];
afterEach(() => {
  for (const { hub } of benches.splice(0)) hub.close();
});

/** `honours`: what the servers' targets agree to; undefined for targets that never say. */
function bench(
  servers: readonly TestServer[],
  {
    honours = (interest) => interest,
    limits,
  }: { honours?: (interest: Interest) => Interest | undefined; limits?: Partial<HubLimits> } = {},
): Bench {
  const registry = new Registry();
  for (const server of servers) registry.put(entryOf(server));
  const [caps, listeners, errors]: [Caps, Listener[], unknown[]] = [new Caps(), [], []];
  const listen = (server: string, interest: Interest, caller: Caller, say: Listener['say']): Listening => {
    const listener = { server, interest, caller, say, open: true };
    listeners.push(listener);
    const honoured = honours(interest);
    return {
      honoured: honoured === undefined ? new Promise(() => undefined) : Promise.resolve(honoured),
      close: () => void (listener.open = false),
    };
  };
  const hub = createHub({
    registry,
    targets: (server) => ({
      handle: () => Promise.reject(new Error('not called')),
      ...(server === 'mute' ? {} : { listen: (interest, caller, say) => listen(server, interest, caller, say) }),
    }),
    policyOf: (name) => servers.find((server) => server.name === name)?.policy,
    sealer,
    caps,
    onError: (error) => errors.push(error),
    ...(limits === undefined ? {} : { limits }),
  });
  const made: Bench = {
    hub,
    registry,
    caps,
    listeners,
    errors,
    watch(filter, { path, ...more } = {}) {
      const heard: [string, unknown][] = [];
      const watch = hub.watch({
        endpoint: resolveEndpoint(path, registry) as Endpoint,
        principal: agent,
        client: { revision: '2026-07-28', info: undefined, capabilities: {} },
        filter: { tools: false, prompts: false, resources: false, uris: [], taskIds: [], ...filter },
        onNotice: (method: string, params: JsonText | undefined) => heard.push([method, params && (JSON.parse(params.text) as unknown)]),
        ...more,
      });
      if (watch === undefined) throw new Error('no room');
      return { watch, heard };
    },
  };
  benches.push(made);
  return made;
}

const updated = (uri: unknown): Announcement => ({ method: 'notifications/resources/updated', params: jsonText({ uri }) });
const everything = { tools: true, prompts: true, resources: true };
const listed = (name: string): [string, undefined] => [`notifications/${name}/list_changed`, undefined];

describe('list changes', () => {
  it('reach the endpoints that show the server, as far as they are wanted, a burst as one', async () => {
    verifies('listen-requested');
    const { registry, watch } = bench([
      { name: 'a', entry: { facts: { info: undefined, capabilities: { prompts: {} }, instructions: undefined } } },
      { name: 'b' },
    ]);
    const joined = watch(everything);
    const a = watch(everything, { path: 'a' });
    const b = watch(everything, { path: 'b' });
    const prompts = watch({ prompts: true });
    for (let i = 0; i < 100; i++) registry.put(entryOf({ name: 'a' }), ['prompts']);
    registry.put(entryOf({ name: 'a' }), ['tools']);
    registry.setState('b', { state: 'backing_off', reason: 'no', retryAt: 1 });
    await until(() => joined.heard.length > 0);
    await tick(100);
    expect(joined.heard).toEqual([listed('tools'), listed('prompts')]);
    expect(a.heard).toEqual([listed('tools'), listed('prompts')]);
    expect(prompts.heard).toEqual([listed('prompts')]);
    expect(b.heard).toEqual([]);
  });

  it('are honoured for lists that there are, or that a server which was never reached may bring', async () => {
    const { registry, watch } = bench([{ name: 'a' }]);
    expect(await watch(everything).watch.honoured).toEqual({ tools: true, prompts: false, resources: false, uris: [], taskIds: [] });
    registry.put(entryOf({ name: 'late', state: { state: 'connecting' }, eras: [], tools: [] }));
    const late = watch(everything);
    expect(await late.watch.honoured).toMatchObject(everything);
    registry.put(entryOf({ name: 'late' }));
    await until(() => late.heard.length > 0);
    expect(late.heard).toEqual([listed('tools'), listed('prompts'), listed('resources')]);
  });

  it('include a server that is gone', async () => {
    const { registry, watch } = bench([{ name: 'a' }]);
    const { heard } = watch({ tools: true });
    registry.remove('a');
    await until(() => heard.length > 0);
    expect(heard).toEqual([listed('tools')]);
  });
});

describe('resource updates', () => {
  it('are listened to at their servers, under their own URIs, and come back wrapped', async () => {
    const { listeners, watch } = bench([{ name: 'first' }, { name: 'second' }]);
    const { heard, watch: one } = watch({ uris: ['file:///x', 'mcp.second+file:///y', 'mcp.nobody+file:///z', 'file:///x'] });
    expect(listeners.map(({ server, interest, caller }) => [server, interest.uris, caller.principal])).toEqual([
      ['first', ['file:///x'], 'key:1'],
      ['second', ['file:///y'], 'key:1'],
    ]);
    expect(await one.honoured).toMatchObject({ uris: ['file:///x', 'mcp.second+file:///y'] });
    listeners[1]?.say(updated('file:///y/part'));
    listeners[1]?.say(updated('file:///y/part'));
    listeners[0]?.say(updated('file:///x'));
    await until(() => heard.length > 1);
    expect(heard.map(([, params]) => params)).toEqual([{ uri: 'mcp.second+file:///y/part' }, { uri: 'file:///x' }]);
  });

  it('are honoured as far as the servers say so in time; those that say nothing are still heard', async () => {
    const { listeners, watch } = bench([{ name: 'a' }], { honours: () => undefined, limits: { acknowledgeMs: 20 } });
    const { heard, watch: one } = watch({ uris: ['x:1'] });
    expect(await one.honoured).toMatchObject({ uris: [] });
    listeners[0]?.say(updated('x:1'));
    await until(() => heard.length > 0);
    const partly = bench([{ name: 'a' }, { name: 'mute' }], { honours: () => ({ uris: ['x:2', 'x:9'], taskIds: ['t'] }) });
    expect(await partly.watch({ uris: ['x:1', 'x:2', 'mcp.mute+x:1'] }).watch.honoured).toMatchObject({ uris: ['x:2'], taskIds: [] });
  });

  it('of servers that the caller may not use are not his', async () => {
    const policy = { scopes: ['news:read'], unlisted: 'refuse', tools: {} } as const;
    const { listeners, watch } = bench([{ name: 'a', policy }]);
    expect(await watch({ uris: ['x:1'] }).watch.honoured).toMatchObject({ uris: [] });
    expect(listeners).toEqual([]);
  });

  it('that come in floods are collected by URI, and never kept beyond a cap', async () => {
    const { listeners, watch } = bench([{ name: 'a' }]);
    const { heard } = watch({ uris: ['x:1'] });
    for (let i = 0; i < 100_000; i++) listeners[0]?.say(updated('x:1'));
    expect(heard).toEqual([]);
    for (let i = 0; i < 1500; i++) listeners[0]?.say(updated(`x:1/${i}`));
    expect(heard).toHaveLength(1000);
    await until(() => heard.length > 1000);
    expect(heard).toHaveLength(1501);
  });

  it('that are nonsense are dropped', async () => {
    const { listeners, watch, errors } = bench([{ name: 'a' }]);
    const { heard } = watch({ uris: ['x:1'] });
    for (const uri of [undefined, 7, null]) listeners[0]?.say(updated(uri));
    listeners[0]?.say({ method: 'notifications/resources/updated', params: { text: '{', value: null as never } });
    listeners[0]?.say(updated('x:1'));
    await until(() => heard.length > 0);
    expect(heard).toHaveLength(1);
    expect(errors).toHaveLength(1);
  });
});

describe('tasks', () => {
  const sealed = (server: string, id: string, principal = agent.id): string => sealTaskId(sealer, { server, era: 'modern', id, principal });
  const state = (taskId: string, status: string): Announcement => ({ method: 'notifications/tasks', params: jsonText({ taskId, status }) });

  it('are heard by who made them, under the id that he knows, each state in order', async () => {
    const { listeners, watch, errors } = bench([{ name: 'a' }, { name: 'b' }]);
    const mine = sealed('b', 't1');
    const { heard, watch: one } = watch({ taskIds: [mine, sealed('b', 't2', other.id), 'x'] });
    expect(listeners.map(({ server, interest }) => [server, interest.taskIds])).toEqual([['b', ['t1']]]);
    expect(await one.honoured).toMatchObject({ taskIds: [mine] });
    for (const status of ['working', 'completed']) listeners[0]?.say(state('t1', status));
    listeners[0]?.say(state('t2', 'completed'));
    expect(heard).toEqual([
      ['notifications/tasks', { taskId: mine, status: 'working' }],
      ['notifications/tasks', { taskId: mine, status: 'completed' }],
    ]);
    expect(errors).toEqual([]);
  });

  it('belong to the endpoints that show their server', () => {
    const { listeners, watch } = bench([{ name: 'a' }, { name: 'b' }]);
    watch({ taskIds: [sealed('b', 't1')] }, { path: 'a' });
    expect(listeners).toEqual([]);
    watch({ taskIds: [sealed('b', 't1')] }, { path: 'b' });
    expect(listeners).toHaveLength(1);
  });
});

describe('watches', () => {
  it('hear nothing of each other, under 1,000 interleaved notices', async () => {
    const { listeners, watch } = bench([{ name: 'a' }]);
    const watchers = Array.from({ length: 20 }, (_, i) => watch({ uris: [`x:${i}`] }, { principal: i % 2 === 0 ? agent : other }));
    for (let n = 0; n < 1000; n++) listeners[(n * 7) % 20]?.say(updated(`x:${(n * 7) % 20}/${n}`));
    await until(() => watchers.every(({ heard }) => heard.length === 50));
    watchers.forEach(({ heard }, i) => {
      for (const [, params] of heard) expect((params as { uri: string }).uri.startsWith(`x:${i}/`)).toBe(true);
    });
  });

  it('free everything when they close, and hear nothing behind it', async () => {
    const { hub, caps, registry, listeners, watch } = bench([{ name: 'a' }], { honours: () => undefined });
    const { heard, watch: one } = watch({ tools: true, uris: ['x:1', 'x:2'] });
    const sizes = (): number[] => caps.list().map(({ size }) => size);
    expect([hub.size, ...sizes()]).toEqual([1, 1, 2]);
    registry.put(entryOf({ name: 'a' }));
    listeners[0]?.say(updated('x:1'));
    one.close();
    one.close();
    expect(await one.honoured).toMatchObject({ uris: [] });
    listeners[0]?.say(updated('x:2'));
    registry.put(entryOf({ name: 'a' }));
    await tick(80);
    expect(heard).toEqual([]);
    expect(listeners[0]?.open).toBe(false);
    expect([hub.size, ...sizes()]).toEqual([0, 0, 0]);
  });

  it('take over what waits in the one that they replace', async () => {
    const { hub, registry, listeners, watch } = bench([{ name: 'a' }]);
    const old = watch({ tools: true, uris: ['x:1'] });
    registry.put(entryOf({ name: 'a' }));
    listeners[0]?.say(updated('x:1'));
    const { heard } = watch({ tools: true, uris: ['x:1', 'x:2'] }, { replaces: old.watch });
    expect([hub.size, listeners.map(({ open }) => open)]).toEqual([1, [false, true]]);
    await until(() => heard.length > 1);
    expect(heard).toEqual([listed('tools'), ['notifications/resources/updated', { uri: 'x:1' }]]);
    expect(old.heard).toEqual([]);
  });

  it('are refused at the cap, and ids beyond theirs are not honoured', async () => {
    const { hub, watch, listeners } = bench([{ name: 'a' }], { limits: { watches: 3, idsPerWatch: 2, ids: 3 } });
    expect(await watch({ uris: ['x:1', 'x:2', 'x:3'] }).watch.honoured).toMatchObject({ uris: ['x:1', 'x:2'] });
    expect(await watch({ uris: ['x:1', 'x:2'] }).watch.honoured).toMatchObject({ uris: ['x:1'] });
    const { watch: third } = watch({});
    expect(() => watch({})).toThrow('no room');
    third.close();
    watch({}).watch.close();
    hub.close();
    expect(hub.size).toBe(0);
    expect(listeners.map(({ open }) => open)).toEqual([false, false]);
    expect(() => watch({})).toThrow('no room');
  });

  it('do not suffer from one whose client breaks', async () => {
    const { registry, watch, errors } = bench([{ name: 'a' }]);
    const broken = (): void => {
      throw new Error('broken');
    };
    watch({ tools: true }, { onNotice: broken });
    const { heard } = watch({ tools: true });
    registry.put(entryOf({ name: 'a' }));
    await until(() => heard.length > 0);
    expect(errors).toEqual([new Error('broken')]);
  });
});
