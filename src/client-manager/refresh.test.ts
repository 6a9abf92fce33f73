import { afterEach, describe, expect, it } from 'vitest';
import type { Limits } from './index.ts';
import {
  httpConfig,
  httpUpstream,
  kit,
  scriptedUpstream,
  stdioConfig,
  until,
  type Answer,
  type Kit,
  type ScriptedUpstream,
} from './test-kit.ts';
import type { UpstreamConfig } from './types.ts';

/** When a tool list is read again, and when the registry hears of it. */

let ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ends.toReversed()) await end();
  ends = [];
});

async function started(config: UpstreamConfig, limits: Partial<Limits>): Promise<Kit> {
  const one = await kit([config], limits);
  ends.push(() => one.end());
  await one.manager.start();
  return one;
}

const namesOf = (one: Kit): string[] => one.registry.get('one')?.tools.map(({ definition }) => definition.name) ?? [];
const refreshes = (one: Kit): number => one.events.filter(({ kind }) => kind === 'catalogue_refreshed').length;
const lists = ({ methods }: ScriptedUpstream): number => methods.filter((method) => method === 'tools/list').length;
const tool = (name: string): unknown => ({ name, inputSchema: { type: 'object' } });

interface Listing {
  tools: string[];
  ttlMs?: number | undefined;
  /** Instead of the list. */
  answer?: Answer | undefined;
}

async function listing(list: Listing, limits: Partial<Limits>): Promise<{ one: Kit; upstream: ScriptedUpstream }> {
  const upstream = await scriptedUpstream((method) => {
    if (method === 'tools/call') return { error: { code: -32602, message: 'Unknown tool: x' }, status: 400 };
    return method === 'tools/list' ? (list.answer ?? { result: { tools: list.tools.map(tool), ttlMs: list.ttlMs } }) : undefined;
  });
  ends.push(() => upstream.close());
  return { upstream, one: await started(httpConfig('one', upstream.url), limits) };
}

/** No reading that is not asked for. */
const QUIET = { toolsTtlMs: 3_600_000, refreshMinMs: 3_600_000, refreshDelayMs: 1 };

describe('a tool list', () => {
  it.each([
    ['a hint', 5, { toolsTtlMs: 3_600_000, refreshMinMs: 10 }],
    ['no hint', undefined, { toolsTtlMs: 10, refreshMinMs: 5 }],
  ])('of a modern server is read again when its lifetime is over (%s)', async (_name, ttlMs, limits) => {
    const list: Listing = { tools: ['a'], ttlMs };
    const { one } = await listing(list, limits);
    expect(namesOf(one)).toEqual(['a']);
    list.tools = ['a', 'b'];
    await until(() => namesOf(one).length === 2);
    list.tools = ['b'];
    await until(() => namesOf(one).length === 1);
    expect(namesOf(one)).toEqual(['b']);
  });

  it.each(['http', 'stdio'] as const)('of a legacy server over %s is read again too', async (transport) => {
    const http = await httpUpstream({ era: 'legacy' });
    ends.push(() => http.close());
    const config = transport === 'http' ? httpConfig('one', http.url) : stdioConfig('one', ['--era', 'legacy']);
    // Announcements are not heard in time here.
    const one = await started(config, { toolsTtlMs: 10, refreshMinMs: 10, refreshDelayMs: 3_600_000 });
    await one.text('one', 'change_tools');
    await until(() => namesOf(one).includes('added_later'));
  });

  it('is not read sooner than the least time, whatever the server hints', async () => {
    const { upstream } = await listing({ tools: ['a'], ttlMs: 0 }, { refreshMinMs: 3_600_000 });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(lists(upstream)).toBe(1);
  });

  it('that did not change changes nothing in the registry, a shorter lifetime included', async () => {
    const list: Listing = { tools: ['a'], ttlMs: 9 };
    const { one, upstream } = await listing(list, { refreshMinMs: 5 });
    const { version } = one.registry;
    list.ttlMs = 8;
    await until(() => lists(upstream) >= 5);
    expect(one.registry.version).toBe(version);
    expect(refreshes(one)).toBe(0);
  });

  it('stays when it cannot be read, and is read again later', async () => {
    const list: Listing = { tools: ['a'], ttlMs: 5 };
    const { one } = await listing(list, { refreshMinMs: 5 });
    list.answer = { error: { code: -32603, message: 'not now' } };
    await until(() => one.events.filter(({ kind }) => kind === 'refresh_failed').length >= 2);
    expect(namesOf(one)).toEqual(['a']);
    expect(one.registry.get('one')?.state.state).toBe('ready');
    list.answer = undefined;
    list.tools = ['c'];
    await until(() => namesOf(one)[0] === 'c');
  });

  it('is read no more once the manager stopped', async () => {
    const { one, upstream } = await listing({ tools: ['a'], ttlMs: 5 }, { refreshMinMs: 5 });
    await until(() => lists(upstream) > 2);
    await one.manager.stop();
    const before = lists(upstream);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(lists(upstream)).toBe(before);
    expect(one.events.filter(({ kind }) => kind === 'refresh_failed')).toEqual([]);
  });

  it('is read once when a call shows that it is out of date, not for each such call', async () => {
    const list: Listing = { tools: ['a'] };
    const { one, upstream } = await listing(list, QUIET);
    list.tools = ['b'];
    for (let i = 0; i < 5; i++) expect(await one.text('one', 'a')).toBe('error -32602 Unknown tool: x');
    await until(() => namesOf(one)[0] === 'b');
    for (let i = 0; i < 5; i++) await one.text('one', 'a');
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(lists(upstream)).toBe(2);
  });
});

describe('a list that somebody wants when its lifetime is over', () => {
  const fresh = async (one: Kit, ms = 5_000): Promise<void> => one.manager.target('one')?.refresh?.('tools', 'modern', ms);

  it('is read then, and is as the server has it after what the client did before', async () => {
    const list: Listing = { tools: ['a'], ttlMs: 0 };
    const { one } = await listing(list, { ...QUIET, rereadMinMs: 20 });
    for (const name of ['b', 'c', 'd']) {
      list.tools = [name];
      await fresh(one);
      expect(namesOf(one)).toEqual([name]);
    }
  });

  it('is read once for all who want it, and not more often than it may be', async () => {
    const { one, upstream } = await listing({ tools: ['a'], ttlMs: 0 }, { ...QUIET, rereadMinMs: 200 });
    const begun = performance.now();
    await Promise.all(Array.from({ length: 100 }, () => fresh(one)));
    await Promise.all(Array.from({ length: 100 }, () => fresh(one)));
    // The first one began at once, the 99 behind it had the next, and so on.
    const most = Math.ceil((performance.now() - begun) / 200) + 1;
    expect(lists(upstream) - 1).toBeLessThanOrEqual(most);
    expect(lists(upstream) - 1).toBeGreaterThanOrEqual(2);
  });

  it('is as it was if it does not come in time, and nobody else waits for that reading', async () => {
    const list: { answer?: Promise<Answer> } = {};
    const upstream = await scriptedUpstream((method) =>
      method === 'tools/list' ? (list.answer ?? { result: { tools: [tool('a')], ttlMs: 0 } }) : undefined,
    );
    ends.push(() => upstream.close());
    const one = await started(httpConfig('one', upstream.url), QUIET);
    const late = Promise.withResolvers<Answer>();
    list.answer = late.promise;
    const begun = performance.now();
    await fresh(one, 50);
    await until(() => performance.now() - begun > 80);
    let answered = false;
    void fresh(one, 50).then(() => (answered = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(answered).toBe(true);
    expect(namesOf(one)).toEqual(['a']);
    late.resolve({ result: { tools: [tool('b')] } });
    await until(() => namesOf(one)[0] === 'b');
    expect(lists(upstream)).toBe(2);
  });

  it('is left alone for a while when it could not be read', async () => {
    const list: Listing = { tools: ['a'], ttlMs: 0 };
    const { one, upstream } = await listing(list, { ...QUIET, rereadMinMs: 1 });
    list.answer = { error: { code: -32603, message: 'not now' } };
    for (let i = 0; i < 5; i++) await fresh(one);
    expect(namesOf(one)).toEqual(['a']);
    expect(lists(upstream)).toBe(2);
  });
});

describe('a server that refuses the headers of every call', () => {
  it('is not asked for its list each time', async () => {
    const upstream = await scriptedUpstream((method) =>
      method === 'tools/call' ? { error: { code: -32020, message: 'no' }, status: 400 } : undefined,
    );
    ends.push(() => upstream.close());
    const one = await started(httpConfig('one', upstream.url), QUIET);
    for (let i = 0; i < 5; i++) expect(await one.text('one', 'x')).toBe('error -32020 no');
    expect(lists(upstream)).toBe(2);
    expect(upstream.methods.filter((method) => method === 'tools/call')).toHaveLength(6);
  });
});
