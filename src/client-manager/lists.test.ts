import { afterEach, describe, expect, it } from 'vitest';
import type { RegistryChange, ServerEntry } from '../registry/index.ts';
import { ChangingServer, tool, type ChangingOptions } from './changing-server.ts';
import type { Limits } from './index.ts';
import { httpConfig, kit, until, type Kit } from './test-kit.ts';

/** Prompts, resources and templates beside the tools: what of them is read, kept, and told to the registry. */

let ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ends.toReversed()) await end();
  ends = [];
});

const QUIET = { toolsTtlMs: 3_600_000, refreshMinMs: 3_600_000, refreshDelayMs: 1 };
const ALL = { tools: { listChanged: true }, prompts: { listChanged: true }, resources: { listChanged: true } };
const FULL = {
  tools: [tool('a')],
  prompts: [{ name: 'greet', arguments: [] }],
  resources: [{ uri: 'file:///a', name: 'a', size: 3 }],
  resourceTemplates: [{ uriTemplate: 'file:///{x}', name: 't' }],
};

interface Setup {
  readonly one: Kit;
  readonly server: ChangingServer;
  readonly changes: RegistryChange[];
  readonly entry: () => ServerEntry;
}

async function setup(options: Partial<ChangingOptions>, limits: Partial<Limits> = QUIET): Promise<Setup> {
  const server = await ChangingServer.start({ eras: 'modern', capabilities: ALL, lists: { ...FULL }, ...options });
  ends.push(() => server.close());
  const one = await kit([httpConfig('one', server.url)], limits);
  ends.push(() => one.end());
  const changes: RegistryChange[] = [];
  one.registry.onChange((change) => changes.push(change));
  await one.manager.start();
  return { one, server, changes, entry: () => one.registry.get('one') as ServerEntry };
}

const ids = (list: { readonly items: readonly { readonly id: string }[] }): string[] => list.items.map(({ id }) => id);
const announced = (changes: readonly RegistryChange[]): readonly (readonly string[])[] =>
  changes.map(({ lists }) => lists).filter((lists) => lists.length > 0);

describe('at connect', () => {
  it.each(['modern', 'legacy'] as const)('all lists of a %s server are read, the items as the bytes they were', async (eras) => {
    const { entry, changes } = await setup({ eras });
    expect(ids(entry().prompts)).toEqual(['greet']);
    expect(ids(entry().resources)).toEqual(['file:///a']);
    expect(ids(entry().templates)).toEqual(['file:///{x}']);
    expect(entry().resources.items[0]).toEqual({
      id: 'file:///a',
      text: '{"uri":"file:///a","name":"a","size":3}',
      value: FULL.resources[0],
    });
    expect(entry().resources.cache).toEqual({ ttlMs: 3_600_000, cacheScope: 'private' });
    expect(entry().resources.readAt).toBeGreaterThan(Date.now() - 60_000);
    expect(entry().toolsReadAt).toBe(entry().resources.readAt);
    expect(announced(changes)).toEqual([['tools', 'prompts', 'resources']]);
  });

  it('what is not declared is not asked for, but for the tools', async () => {
    const { server, entry } = await setup({ capabilities: {} });
    expect(server.seen.filter((one) => one.endsWith('/list'))).toEqual(['modern tools/list']);
    expect(entry()).toMatchObject({ tools: [{}], prompts: { items: [] }, resources: { items: [] }, templates: { items: [] } });
  });

  it('hints are each list’s own', async () => {
    const hint = { ttlMs: 5_000, cacheScope: 'public' };
    const { entry } = await setup({
      instead: (method) => (method === 'prompts/list' ? { result: { prompts: FULL.prompts, ...hint } } : undefined),
    });
    expect(entry().prompts.cache).toEqual(hint);
    expect(entry().toolsCache).toEqual({ ttlMs: 3_600_000, cacheScope: 'private' });
  });

  it('a list of prompts or resources that fails is a warning, and templates are optional', async () => {
    const { entry } = await setup({
      instead: (method) => {
        if (method === 'prompts/list') return { error: { code: -32603, message: 'broken' } };
        return method === 'resources/templates/list' ? { error: { code: -32601, message: 'what?' } } : undefined;
      },
    });
    expect(entry().state.state).toBe('ready');
    expect(entry().warnings).toEqual(['its prompts are not shown: it did not list its prompts: error -32603: broken']);
    expect(ids(entry().resources)).toEqual(['file:///a']);
    expect(ids(entry().templates)).toEqual([]);
  });

  it('items that clients could not read are left out, each with the reason', async () => {
    const resources = [
      { uri: 'x:1', name: 'one', title: null },
      { uri: 'x:1', name: 'again' },
      { name: 'no uri' },
      { uri: 'x:2' },
      { uri: 'x:3', name: 'size', size: 'large' },
      'nothing',
    ];
    const { entry } = await setup({ lists: { ...FULL, resources } });
    expect(entry().resources.items).toEqual([{ id: 'x:1', text: '{"uri":"x:1","name":"one"}', value: { uri: 'x:1', name: 'one' } }]);
    expect(entry().warnings).toEqual([
      'one of the resources is left out: x:1 is listed twice',
      'one of the resources is left out: it has no uri',
      'one of the resources is left out: x:2 has no name',
      'one of the resources is left out: x:3 has a size that is not of type number',
      'one of the resources is left out: it is not an object',
    ]);
  });

  it('no more than the cap is taken, and no more warnings than a person reads', async () => {
    const prompts = Array.from({ length: 500 }, (_, i) => ({ name: `p${i}` }));
    const { entry } = await setup({ lists: { ...FULL, prompts } }, { ...QUIET, maxItems: 10 });
    expect(entry().prompts.items).toHaveLength(10);
    expect(entry().warnings).toHaveLength(101);
    expect(entry().warnings.at(-1)).toBe('390 more prompts are left out');
  });

  it('pages are read through, the empty cursor and one that comes again included', async () => {
    const pages: Record<string, unknown> = {
      undefined: { prompts: [{ name: 'a' }], nextCursor: '' },
      '': { prompts: [{ name: 'b' }], nextCursor: 'x' },
      x: { prompts: [{ name: 'c' }], nextCursor: '' },
    };
    const { entry } = await setup({
      instead: (method, { cursor }) => (method === 'prompts/list' ? { result: pages[String(cursor)] } : undefined),
    });
    expect(ids(entry().prompts)).toEqual(['a', 'b', 'c']);
  });
});

describe('afterwards', () => {
  it.each(['modern', 'legacy'] as const)('a list that a %s server announces is read again, and no other', async (eras) => {
    const { server, changes, entry } = await setup({ eras });
    await until(() => server.streams.length + server.gets.size === 1);
    const before = server.seen.length;
    changes.length = 0;
    server.options.lists.prompts = [{ name: 'greet' }, { name: 'leave' }];
    server.tell('notifications/prompts/list_changed');
    await until(() => entry().prompts.items.length === 2);
    expect(announced(changes)).toEqual([['prompts']]);
    expect(server.seen.slice(before)).toEqual([`${eras} prompts/list`]);
  });

  it('an announcement is passed on even if nothing is different', async () => {
    const { server, changes, entry } = await setup({});
    await until(() => server.streams.length === 1);
    changes.length = 0;
    const { resources, tools } = entry();
    server.tell('notifications/resources/list_changed');
    await until(() => announced(changes).length === 1);
    expect(announced(changes)).toEqual([['resources']]);
    expect(entry().resources.items).toBe(resources.items);
    expect(entry().tools).toBe(tools);
  });

  it('an announcement is passed on before a list that takes long, and the list when it is there', async () => {
    const held = Promise.withResolvers<undefined>();
    const { server, changes, entry } = await setup({});
    await until(() => server.streams.length === 1);
    changes.length = 0;
    server.options.instead = (method) => (method === 'prompts/list' ? held.promise : undefined);
    server.options.lists.prompts = [{ name: 'new' }];
    server.tell('notifications/prompts/list_changed');
    await until(() => announced(changes).length === 1);
    expect(ids(entry().prompts)).toEqual(['greet']);
    held.resolve(undefined);
    await until(() => announced(changes).length === 2);
    expect(ids(entry().prompts)).toEqual(['new']);
  });

  it('an announcement is passed on though the list cannot be read', async () => {
    const { one, server, changes, entry } = await setup({});
    await until(() => server.streams.length === 1);
    changes.length = 0;
    server.options.instead = (method) => (method === 'prompts/list' ? { error: { code: -32603, message: 'no' } } : undefined);
    server.tell('notifications/prompts/list_changed');
    await until(() => announced(changes).length === 1);
    expect(ids(entry().prompts)).toEqual(['greet']);
    expect(one.events.filter(({ kind }) => kind === 'refresh_failed')).toHaveLength(1);
  });

  it('a list that did not change is only younger', async () => {
    const { one, server, entry } = await setup({}, { toolsTtlMs: 1, refreshMinMs: 20, refreshDelayMs: 1 });
    const { version } = one.registry;
    const { readAt, items } = entry().prompts;
    await until(() => (entry().prompts.readAt ?? 0) > (readAt ?? 0));
    expect(entry().prompts.items).toBe(items);
    expect(one.registry.version).toBe(version);
    expect(server.count('modern prompts/list')).toBeGreaterThan(1);
  });

  it('a thousand announcements cost a few readings', async () => {
    const { server } = await setup({}, { ...QUIET, refreshDelayMs: 20 });
    await until(() => server.streams.length === 1);
    const before = server.count('modern tools/list');
    for (let i = 0; i < 1_000; i++) server.tell('notifications/tools/list_changed');
    await until(() => server.count('modern tools/list') > before);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(server.count('modern tools/list') - before).toBeLessThan(10);
  });

  it('a server that comes back with the same lists announces nothing', async () => {
    const { one, server, changes, entry } = await setup({});
    changes.length = 0;
    const { tools } = entry();
    await one.manager.restart('one');
    expect(entry().state.state).toBe('ready');
    expect(announced(changes)).toEqual([]);
    expect(entry().tools).toBe(tools);
    expect(server.count('modern tools/list')).toBe(2);
    server.options.lists.tools = [tool('b')];
    await one.manager.restart('one');
    expect(announced(changes)).toEqual([['tools']]);
  });
});
