import { afterEach, describe, expect, it } from 'vitest';
import type { Call, CallEvent, Revision } from '../protocol/index.ts';
import { ChangingServer, tool, type ChangingOptions, type Instead } from './changing-server.ts';
import type { Limits } from './index.ts';
import { httpConfig, kit, textOf, until, type Kit } from './test-kit.ts';

/** Servers that change their era behind a connection that is up (PROTOCOL A9): by what they say it is noticed, and what becomes of calls. */

let ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ends.toReversed()) await end();
  ends = [];
});

type Eras = ChangingOptions['eras'];

interface Setting {
  readonly one: Kit;
  readonly server: ChangingServer;
  readonly eras: () => string;
  /** The server speaks this era from now on, and refuses everything in the other one so. */
  readonly turn: (eras: 'modern' | 'legacy', refusal: Instead) => void;
  /** The text of a call's result, and the connections that it went over. */
  readonly went: (call?: Partial<Call>) => Promise<string>;
}

async function setting(eras: Eras, limits: Partial<Limits> = {}, legacyClients = false): Promise<Setting> {
  const server = await ChangingServer.start({ eras, lists: { tools: [tool('x')] }, capabilities: { tools: {}, resources: {} } });
  const one = await kit([httpConfig('one', server.url)], limits, undefined, legacyClients);
  ends.push(
    () => server.close(),
    () => one.end(),
  );
  await one.manager.start();
  return {
    one,
    server,
    eras: () => one.registry.get('one')?.eras.join() ?? '',
    turn: (to, refusal) => {
      server.options.eras = 'dual';
      server.options.instead = (_method, _params, modern) => (modern === (to === 'modern') ? undefined : refusal);
    },
    went: async (call = {}) => {
      const via: string[] = [];
      const onEvent = (event: CallEvent): void => void (event.kind === 'attempt' && via.push(event.attempt.via));
      return `${textOf(await one.call('one', 'x', {}, { call, onEvent }))} via ${via.join()}`;
    },
  };
}

interface WsFixture {
  readonly url: string;
  set(options: object): void;
  close(): Promise<void>;
}

const rpc = (code: number, status?: number): Instead => ({ error: { code, message: 'no' }, ...(status === undefined ? {} : { status }) });
const by = (revision: Revision, more: Partial<Call> = {}): Partial<Call> => ({
  client: { revision, info: { name: 'c', version: '1' }, capabilities: {} },
  ...more,
});
const elicit = { text: '{"elicitation":{}}', value: { elicitation: {} } };
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('a modern server that turns legacy', () => {
  it.each<[string, Instead]>([
    ['400 with -32600', rpc(-32600, 400)],
    ['400 with -32000', rpc(-32000, 400)],
    ['400 with text', { text: 'Missing session', status: 400 }],
    ['404 with -32001', rpc(-32001, 404)],
    ['405', { text: '', status: 405 }],
    ['406', { text: '', status: 406 }],
    ['415', { text: '', status: 415 }],
    ['422', { text: '{"detail":1}', status: 422 }],
  ])('is noticed by %s, and the call that noticed it is carried out, once', async (_name, refusal) => {
    const { server, turn, went, eras } = await setting('modern');
    turn('legacy', refusal);
    const calls = await Promise.all([went(), went(), went()]);
    expect(calls).toEqual(Array.from({ length: 3 }, () => 'legacy x via http-modern,http-legacy'));
    expect(eras()).toBe('legacy');
    expect(server.count('legacy tools/call')).toBe(3);
    expect(await went()).toBe('legacy x via http-legacy');
  });

  it('is noticed by 400 with -32602, which wrong calls get too, if it says nothing else', async () => {
    const { turn, went } = await setting('modern');
    turn('legacy', rpc(-32602, 400));
    for (let i = 0; i < 2; i++) expect(await went()).toBe('error -32602 no via http-modern');
    expect(await went()).toBe('legacy x via http-modern,http-legacy');
  });

  it.each([-32600, -32602, -32000])('is noticed by 200 with %d, after which nothing is repeated', async (code) => {
    const { turn, went, eras, server } = await setting('modern');
    turn('legacy', rpc(code));
    for (let i = 0; i < 3; i++) expect(await went()).toBe(`error ${code} no via http-modern`);
    await until(() => eras() === 'legacy');
    expect(server.count('legacy tools/call')).toBe(0);
    expect(await went()).toBe('legacy x via http-legacy');
  });

  it('is noticed in time though nobody calls it, and a call under way is not cut by it', async () => {
    const { server, one, went, eras } = await setting('modern', { verdictMs: 30 });
    const held = Promise.withResolvers<Instead>();
    server.options.instead = (method) => (method === 'tools/call' ? held.promise : undefined);
    const slow = went();
    await until(() => server.count('modern tools/call') === 1);
    server.options.instead = () => undefined;
    server.options.eras = 'legacy';
    await until(() => eras() === 'legacy');
    held.resolve({ result: { content: [{ type: 'text', text: 'done' }] } });
    expect(await slow).toBe('done via http-modern');
    expect(one.manager.stats().byServer[0]).toMatchObject({ state: 'ready', restarts: 1 });
  });

  it('says so to calls for which it is not there soon enough', async () => {
    const { server, one, turn } = await setting('modern', { waitMs: 100 });
    turn('legacy', rpc(-32600, 400));
    const refuse = server.options.instead;
    server.options.instead = (method, params, modern) =>
      !modern && method === 'tools/list' ? new Promise(() => undefined) : refuse(method, params, modern);
    const outcome = await one.call('one', 'x');
    expect(outcome).toMatchObject({ kind: 'failed', failure: { code: 'upstream_unavailable', executed: 'no', retryAfterMs: 1_000 } });
    expect(outcome.kind === 'failed' && outcome.failure.message).toMatch(
      /"one".*has changed the protocol revision that it speaks.*Try again/,
    );
    expect(server.count('legacy tools/call')).toBe(0);
  });

  it('gives a client that can be asked a connection to itself', async () => {
    const { server, turn, went } = await setting('modern');
    turn('legacy', rpc(-32600, 400));
    const asking = by('2026-07-28', { offers: elicit });
    expect(await went(asking)).toMatch(/^legacy x via http-modern/);
    // One is the shared one, one the client's.
    expect(server.sessions.size).toBe(2);
  });

  it('does not carry out again what goes on with a state of the modern era', async () => {
    const { server, turn, went } = await setting('modern');
    turn('legacy', rpc(-32600, 400));
    expect(await went(by('2026-07-28', { state: 'from the modern era' }))).toMatch(
      /^error -32602 The server does not know this requestState/,
    );
    expect(server.count('legacy tools/call')).toBe(0);
  });

  it('goes on telling those who follow its resources', async () => {
    const server = await ChangingServer.start({
      eras: 'modern',
      capabilities: { tools: { listChanged: true }, resources: { subscribe: true } },
      lists: { tools: (modern) => [tool(modern ? 'new' : 'old')] },
    });
    const one = await kit([httpConfig('one', server.url)], { backoffFirstMs: 5 }, undefined, false);
    ends.push(
      () => server.close(),
      () => one.end(),
    );
    const lists: string[] = [];
    await one.manager.start();
    one.registry.onChange((change) => void lists.push(...change.lists));
    const told: unknown[] = [];
    const caller = { principal: 'key:test', scopes: new Set<string>() };
    const onAnnouncement = ({ params }: { readonly params: { readonly value: unknown } }): void => void told.push(params.value);
    one.manager.target('one')?.listen?.({ uris: ['r:1'], taskIds: [] }, caller, onAnnouncement);
    await until(() => server.streams.some(({ filter }) => JSON.stringify(filter).includes('r:1')));
    server.options.eras = 'dual';
    server.options.instead = (_method, _params, modern) => (modern ? rpc(-32600, 400) : undefined);
    for (const { res } of server.streams) res.end();
    await until(() => server.gets.size > 0 && [...server.sessions.values()].some((uris) => uris.has('r:1')));
    server.tell('notifications/resources/updated', { uri: 'r:1' });
    await until(() => told.length > 0);
    expect(told).toEqual([{ uri: 'r:1' }]);
    expect(lists).toContain('tools');
  });
});

describe('a legacy server that turns modern', () => {
  it.each<[string, Instead]>([
    ['400 with -32602', rpc(-32602, 400)],
    ['400 with -32600', rpc(-32600, 400)],
    ['400 with -32000', rpc(-32000, 400)],
    ['400 with -32020', rpc(-32020, 400)],
    ['400 with -32022', rpc(-32022, 400)],
    ['404 with -32601', rpc(-32601, 404)],
    ['400 with text', { text: 'bad', status: 400 }],
    ['405', { text: '', status: 405 }],
    ['406', { text: '', status: 406 }],
  ])('is noticed by %s, and the call that noticed it is carried out, once', async (_name, refusal) => {
    const { server, turn, went, eras } = await setting('legacy');
    turn('modern', refusal);
    expect(await went()).toBe('modern x via http-legacy,http-modern');
    expect(eras()).toContain('modern');
    expect(server.count('modern tools/call')).toBe(1);
  });

  it('is noticed by 200 with -32602, after which nothing is repeated', async () => {
    const { turn, went, eras } = await setting('legacy');
    turn('modern', rpc(-32602));
    for (let i = 0; i < 3; i++) expect(await went()).toBe('error -32602 no via http-legacy');
    await until(() => eras().includes('modern'));
    expect(await went()).toBe('modern x via http-modern');
  });

  it.each([0, 1])('takes the call of a client that can be asked, which has had %d before', async (before) => {
    const { turn, went, one } = await setting('legacy');
    const asking = by('2026-07-28', { offers: elicit });
    for (let i = 0; i < before; i++) expect(await went(asking)).toMatch(/^legacy x/);
    turn('modern', rpc(-32602, 400));
    expect(await went(asking)).toMatch(/^modern x via .*http-modern$/);
    expect(one.caps.list().find(({ name }) => name === 'upstream_calls:one')?.size).toBe(0);
  });
});

describe('a server of both eras that loses its legacy one', () => {
  it.each<[string, Partial<Call>]>([
    ['all share', by('2025-11-25')],
    ['a client has to itself', by('2025-11-25', { offers: elicit })],
  ])('takes the calls over the connection that %s in the other one', async (_name, call) => {
    const { turn, went, eras } = await setting('dual', {}, true);
    expect(await went(call)).toMatch(/^legacy x/);
    turn('modern', rpc(-32602, 400));
    expect(await went(call)).toMatch(/^modern x via .*http-modern$/);
    await until(() => eras() === 'modern');
    expect(await went(call)).toBe('modern x via http-modern');
  });
});

describe('a server on a WebSocket that stays open', () => {
  it.each([
    ['modern', 'legacy'],
    ['legacy', 'modern'],
  ] as const)('that was %s and is %s is noticed by what it refuses', async (before, after) => {
    const module = (await import(new URL('../../test/fixtures/upstreams/ws.ts', import.meta.url).href)) as {
      startWsUpstream: (options: object) => Promise<WsFixture>;
    };
    const server = await module.startWsUpstream({ era: before });
    const one = await kit([httpConfig('one', server.url, { transport: 'ws' })], {}, undefined, false);
    ends.push(
      () => server.close(),
      () => one.end(),
    );
    await one.manager.start();
    expect(await one.text('one', 'echo', { text: 'hi' })).toBe('hi');
    server.set({ era: after });
    for (let i = 0; i < 3; i++) expect(await one.text('one', 'echo', { text: 'hi' })).toMatch(/^error -32601/);
    await until(() => one.registry.get('one')?.eras.includes(after) === true);
    expect(await one.text('one', 'echo', { text: 'hi' })).toBe('hi');
  });
});

describe('a server that refuses wrong calls', () => {
  it.each<[string, Eras, Instead, string]>([
    ['modern', 'modern', rpc(-32602, 400), 'modern server/discover'],
    ['modern, strangely', 'modern', rpc(-32600, 400), 'modern server/discover'],
    ['legacy', 'legacy', rpc(-32602), 'modern server/discover'],
    ['legacy, strangely', 'legacy', rpc(-32600, 400), 'modern server/discover'],
  ])('is asked for its era once, and keeps its connection (%s)', async (_name, eras, refusal, probe) => {
    const { server, one, went } = await setting(eras);
    const before = server.count(probe);
    server.options.instead = (method) => (method === 'tools/call' ? refusal : undefined);
    for (let i = 0; i < 20; i++) await Promise.all([went(), went(), went()]);
    expect(server.count(probe) - before).toBe(1);
    server.options.instead = () => undefined;
    expect(await went()).toBe(`${eras} x via http-${eras}`);
    expect(one.manager.stats().byServer[0]).toMatchObject({ state: 'ready', restarts: 0 });
  });

  it('now and then is not asked at all', async () => {
    const { server, went } = await setting('modern');
    const before = server.count('modern server/discover');
    for (let i = 0; i < 10; i++) {
      server.options.instead = (method) => (method === 'tools/call' && i % 3 > 0 ? rpc(-32602) : undefined);
      await went();
    }
    expect(server.count('modern server/discover')).toBe(before);
  });

  it('is asked again later if there was reason to, and found to have turned though nobody calls any more', async () => {
    const { server, turn, went, eras } = await setting('modern', { renewMs: 1_000 });
    const before = server.count('modern server/discover');
    server.options.instead = (method) => (method === 'tools/call' ? rpc(-32600, 400) : undefined);
    await went();
    expect(server.count('modern server/discover') - before).toBe(1);
    turn('legacy', rpc(-32600, 400));
    expect(await went()).toBe('error -32600 no via http-modern');
    await until(() => eras() === 'legacy');
    expect(await went()).toBe('legacy x via http-legacy');
  });

  it('is not asked where its era is configured', async () => {
    const server = await ChangingServer.start({ eras: 'dual', lists: { tools: [tool('x')] } });
    const one = await kit([httpConfig('one', server.url, { era: 'modern' })], { verdictMs: 5 });
    ends.push(
      () => server.close(),
      () => one.end(),
    );
    await one.manager.start();
    const before = server.count('modern server/discover');
    server.options.instead = (_method, _params, modern) => (modern ? rpc(-32600, 400) : undefined);
    expect(textOf(await one.call('one', 'x'))).toBe('error -32600 no');
    await pause(30);
    expect(server.count('modern server/discover')).toBe(before);
  });
});
