import { afterEach, describe, expect, it } from 'vitest';
import type { Call, CallEvent, Revision } from '../protocol/index.ts';
import { catalogueOf, type ServerEntry } from '../registry/index.ts';
import { ChangingServer, tool, type ChangingOptions } from './changing-server.ts';
import type { Limits } from './index.ts';
import { httpConfig, httpUpstream, kit, stdioConfig, textOf, until, type Kit } from './test-kit.ts';
import type { UpstreamConfig } from './types.ts';

/** Servers that speak both eras: which calls go where (PROTOCOL A1), and what becomes of them when the eras change. */

let ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ends.toReversed()) await end();
  ends = [];
});

async function started(config: UpstreamConfig, limits: Partial<Limits> = {}): Promise<Kit> {
  const one = await kit([config], limits);
  ends.push(() => one.end());
  await one.manager.start();
  return one;
}

async function changing(options: Partial<ChangingOptions> = {}): Promise<ChangingServer> {
  const server = await ChangingServer.start({
    lists: { tools: (modern) => (modern ? [tool('new')] : [tool('old'), tool('older')]) },
    ...options,
  });
  ends.push(() => server.close());
  return server;
}

const entryOf = (one: Kit): ServerEntry => one.registry.get('one') as ServerEntry;
const toolsOf = (one: Kit, era: 'modern' | 'legacy'): string[] =>
  catalogueOf(entryOf(one), era).tools.map(({ definition }) => definition.name);
const by = (revision: Revision, more: Partial<Call> = {}): Partial<Call> => ({
  client: { revision, info: { name: 'c', version: '1' }, capabilities: {} },
  ...more,
});
const LEGACY = by('2025-06-18');
const MODERN = by('2026-07-28');

/** The text of a call's result, and the connections that it went over. */
async function went(one: Kit, call: Partial<Call>, name = 'echo'): Promise<string> {
  const via: string[] = [];
  const onEvent = (event: CallEvent): void => void (event.kind === 'attempt' && via.push(event.attempt.via));
  const text = textOf(await one.call('one', name, { text: 'hi' }, { call, onEvent }));
  return `${text} via ${via.join()}`;
}

describe('a server of both eras over HTTP', () => {
  it('is not spoken to in the legacy one before a legacy client comes', async () => {
    const server = await changing();
    const one = await kit([httpConfig('one', server.url)], {}, undefined, false);
    ends.push(() => one.end());
    await one.manager.start();
    expect(entryOf(one).eras).toEqual(['modern']);
    expect(server.count('legacy initialize')).toBe(0);
    await one.manager.target('one')?.prepare?.('legacy');
    expect(entryOf(one).eras).toEqual(['modern', 'legacy']);
    expect(await went(one, LEGACY, 'old')).toBe('legacy old via http-legacy');
  });

  it('is called in the client’s own, and shows in each what it has there', async () => {
    const server = await changing();
    const one = await started(httpConfig('one', server.url));
    expect(entryOf(one).eras).toEqual(['modern', 'legacy']);
    expect(toolsOf(one, 'modern')).toEqual(['new']);
    expect(toolsOf(one, 'legacy')).toEqual(['old', 'older']);
    expect(await went(one, MODERN, 'new')).toBe('modern new via http-modern');
    expect(await went(one, LEGACY, 'old')).toBe('legacy old via http-legacy');
    expect(one.manager.stats().byServer[0]).toMatchObject({ state: 'ready', restarts: 0, inFlight: 0 });
  });

  it('is called in the modern one only if its legacy one keeps no session', async () => {
    const server = await changing({ sessionless: true });
    const one = await started(httpConfig('one', server.url));
    expect(entryOf(one).eras).toEqual(['modern']);
    expect(toolsOf(one, 'legacy')).toEqual(['new']);
    expect(await went(one, LEGACY, 'new')).toBe('modern new via http-modern');
    expect(one.events.map(({ kind }) => kind)).toEqual(['connected']);
  });

  it.each([
    ['modern', 'modern', 'modern x via http-modern'],
    ['legacy', 'legacy', 'legacy x via http-legacy'],
  ] as const)('is asked nothing that its configuration says (%s)', async (era, only, expected) => {
    const server = await changing();
    const one = await started(httpConfig('one', server.url, { era }));
    expect(entryOf(one).eras).toEqual([only]);
    expect(await went(one, LEGACY, 'x')).toBe(expected);
    expect(await went(one, MODERN, 'x')).toBe(expected);
    expect(new Set(server.seen.map((seen) => seen.split(' ')[0]))).toEqual(new Set([only]));
  });

  it('is shown, and called, though it never answers initialize', async () => {
    const server = await changing({ instead: (method) => (method === 'initialize' ? new Promise(() => undefined) : undefined) });
    const one = await started(httpConfig('one', server.url), { secondMs: 50 });
    expect(entryOf(one)).toMatchObject({ eras: ['modern'], state: { state: 'ready' } });
    expect(await went(one, LEGACY, 'new')).toBe('modern new via http-modern');
    await one.manager.stop();
    expect(one.events.filter(({ kind }) => kind === 'connect_failed')).toEqual([]);
  });

  it('gains its legacy era when it is tried again', async () => {
    const server = await changing({ eras: 'modern' });
    const one = await started(httpConfig('one', server.url), { renewMs: 20, verdictMs: 40 });
    expect(entryOf(one).eras).toEqual(['modern']);
    server.options.eras = 'dual';
    await until(() => entryOf(one).eras.length === 2);
    expect(toolsOf(one, 'legacy')).toEqual(['old', 'older']);
    expect(await went(one, LEGACY, 'old')).toBe('legacy old via http-legacy');
  });

  it('that loses its legacy era is called in the other one, without a call lost', async () => {
    const server = await changing();
    const one = await started(httpConfig('one', server.url), { renewMs: 3_600_000 });
    const lists: (readonly string[])[] = [];
    one.registry.onChange((change) => void (change.lists.length > 0 && lists.push(change.lists)));
    server.options.eras = 'modern';
    server.sessions.clear();
    expect(await went(one, LEGACY, 'new')).toContain('via http-legacy,http-modern');
    await until(() => entryOf(one).eras.length === 1);
    expect(toolsOf(one, 'legacy')).toEqual(['new']);
    expect(lists).toEqual([['tools']]);
    expect(await went(one, LEGACY, 'new')).toBe('modern new via http-modern');
    expect(await went(one, MODERN, 'new')).toBe('modern new via http-modern');
  });

  it('that turns legacy behind our back is noticed, and called as such', async () => {
    const server = await changing();
    const one = await started(httpConfig('one', server.url), { refreshMinMs: 20 });
    server.options.eras = 'legacy';
    await until(() => {
      void one.call('one', 'new', {}, { call: MODERN });
      return entryOf(one).eras.join() === 'legacy';
    });
    expect(await went(one, MODERN, 'old')).toBe('legacy old via http-legacy');
    expect(await went(one, LEGACY, 'old')).toBe('legacy old via http-legacy');
    expect(toolsOf(one, 'modern')).toEqual(['old', 'older']);
  });

  it('that turns modern is called in both then', async () => {
    const server = await changing({ eras: 'legacy' });
    const one = await started(httpConfig('one', server.url), { verdictMs: 30 });
    expect(entryOf(one).eras).toEqual(['legacy']);
    server.options.eras = 'dual';
    await until(() => entryOf(one).eras.length === 2);
    expect(await went(one, MODERN, 'new')).toBe('modern new via http-modern');
    expect(await went(one, LEGACY, 'old')).toBe('legacy old via http-legacy');
  });

  it('comes back in both after a restart, with its tools changed', async () => {
    const server = await changing();
    const one = await started(httpConfig('one', server.url));
    server.options.lists.tools = (modern) => [tool(modern ? 'newest' : 'oldest')];
    await one.manager.restart('one');
    expect(entryOf(one).eras).toEqual(['modern', 'legacy']);
    expect([toolsOf(one, 'modern'), toolsOf(one, 'legacy')]).toEqual([['newest'], ['oldest']]);
    await one.manager.stop();
    expect(server.sessions.size).toBe(0);
    expect(server.streams).toEqual([]);
    expect(one.caps.list()).toEqual([]);
  });

  it('comes back in both when its server was away, without waiting for the next try', async () => {
    const server = await changing();
    const one = await started(httpConfig('one', server.url), { renewMs: 3_600_000 });
    await server.close();
    await until(() => {
      for (const call of [LEGACY, MODERN]) void one.call('one', 'new', {}, { call });
      return entryOf(one).state.state === 'backing_off';
    });
    const again = await ChangingServer.start({ lists: { tools: [tool('back')] } }, Number(new URL(server.url).port));
    ends.push(() => again.close());
    await until(() => entryOf(one).state.state === 'ready');
    expect(entryOf(one).eras).toEqual(['modern', 'legacy']);
    expect(await went(one, LEGACY, 'back')).toBe('legacy back via http-legacy');
    expect(await went(one, MODERN, 'back')).toBe('modern back via http-modern');
  });

  it('does not carry out a call in the legacy era whose state it gave in the modern one', async () => {
    const server = await changing({ eras: 'legacy' });
    const one = await started(httpConfig('one', server.url));
    expect(await one.call('one', 'old', {}, { call: by('2026-07-28', { state: 'from the modern era' }) })).toMatchObject({
      kind: 'error',
      error: { code: -32602 },
    });
    expect(server.count('legacy tools/call')).toBe(0);
  });
});

describe('a server of both eras over stdio', () => {
  it('is one process per era', async () => {
    const one = await started(stdioConfig('one', ['--era', 'dual']));
    expect(entryOf(one).eras).toEqual(['modern', 'legacy']);
    expect(one.manager.stats().children).toBe(2);
    expect(await went(one, MODERN)).toBe('hi via stdio-modern');
    expect(await went(one, LEGACY)).toBe('hi via stdio-legacy');
    await one.manager.stop();
    expect(one.manager.stats().children).toBe(0);
  });

  it('whose legacy process ends gets a new one', async () => {
    const one = await started(stdioConfig('one', ['--era', 'dual']));
    expect(await went(one, LEGACY, 'crash')).toBe('failed outcome_unknown unknown via stdio-legacy');
    expect(await went(one, LEGACY)).toBe('hi via stdio-legacy');
    expect(one.manager.stats()).toMatchObject({ children: 2, byServer: [{ restarts: 0 }] });
  });

  it('is not started twice if it names no legacy revision', async () => {
    const one = await started(stdioConfig('one', ['--era', 'modern']));
    expect(one.manager.stats().children).toBe(1);
    expect(await went(one, LEGACY)).toBe('hi via stdio-modern');
    expect(one.events.filter(({ kind }) => kind === 'child_started')).toHaveLength(1);
  });
});

describe('a client that can be asked', () => {
  const elicit = { text: '{"elicitation":{}}', value: { elicitation: {} } };

  it('has a connection to itself in the legacy era, and shares one in the modern', async () => {
    const upstream = await httpUpstream({ era: 'dual' });
    ends.push(() => upstream.close());
    const one = await started(httpConfig('one', upstream.url));
    const sessions = upstream.sessions.size;
    expect(await went(one, by('2026-07-28', { offers: elicit }))).toBe('hi via http-modern');
    expect(upstream.sessions.size).toBe(sessions);
    expect(await went(one, by('2025-11-25', { offers: elicit }))).toBe('hi via http-legacy');
    expect(upstream.sessions.size).toBe(sessions + 1);
    expect(await went(one, by('2025-11-25', { offers: elicit, method: 'tools/list' }), 'echo')).toContain('via http-legacy');
    expect(upstream.sessions.size).toBe(sessions + 1);
    await one.manager.stop();
    expect(upstream.sessions.size).toBe(0);
    expect(one.caps.list()).toEqual([]);
  });

  it('shares one where the server keeps no session, as it could not ask', async () => {
    const upstream = await httpUpstream({ era: 'legacy', sessionless: true });
    ends.push(() => upstream.close());
    const one = await started(httpConfig('one', upstream.url));
    const posts = (): number => upstream.requests.filter(({ method }) => method === 'POST').length;
    const before = posts();
    expect(await went(one, by('2026-07-28', { offers: elicit }))).toBe('hi via http-legacy');
    expect(posts() - before).toBe(1);
  });

  it('gets -32602 for the state of a parked call that nobody knows', async () => {
    const upstream = await httpUpstream({ era: 'legacy' });
    ends.push(() => upstream.close());
    const one = await started(httpConfig('one', upstream.url));
    const asks = {
      ask: [{ method: 'elicitation/create', params: { message: 'who?', requestedSchema: { type: 'object', properties: {} } } }],
    };
    const first = await one.call('one', 'converse', { steps: [asks] }, { call: by('2026-07-28', { offers: elicit }) });
    expect(first.kind).toBe('input_required');
    const state = first.kind === 'input_required' ? String(first.result.value.requestState) : '';
    const other = await started(httpConfig('one', upstream.url));
    const calls = upstream.calls.length;
    const retry = await other.call('one', 'converse', { steps: [asks] }, { call: by('2026-07-28', { offers: elicit, state }) });
    expect(retry).toMatchObject({ kind: 'error', error: { code: -32602 } });
    expect(upstream.calls).toHaveLength(calls);
  });
});
