import { describe, expect, it, vi } from 'vitest';
import { jsonText, type JsonObject } from '../protocol/index.ts';
import { ECHO, entryOf, itemsOf, testGateway } from './testing.ts';

const named = (name: string): JsonObject => ({ ...ECHO, name });
const names = (body: JsonObject): string[] => (body.result as { tools: { name: string }[] }).tools.map(({ name }) => name);

describe('tools/list', () => {
  it('shows our own tools first under their names, then the others in config order', async () => {
    const gateway = testGateway([
      { name: 'b' },
      { name: 'a', tools: [named('z'), named('y')] },
      { name: 'stockpulse', kind: 'stockpulse', tools: [named('get_price')] },
    ]);
    expect(names((await gateway.ask('/mcp', 'tools/list', {})).body)).toEqual(['get_price', 'b__echo', 'a__z', 'a__y']);
    expect(names((await gateway.ask('/mcp/a', 'tools/list', {})).body)).toEqual(['z', 'y']);
  });

  it('walks all pages once, in order', async () => {
    const all = Array.from({ length: 7 }, (_, i) => `t${i}`);
    const gateway = testGateway([{ name: 's', tools: all.map(named) }], { pageSize: 3 });
    const seen: string[] = [];
    let params: JsonObject = {};
    for (let page = 0; page < 5; page++) {
      const { body } = await gateway.ask('/mcp/s', 'tools/list', params);
      seen.push(...names(body));
      const { nextCursor } = body.result as { nextCursor?: string };
      if (nextCursor === undefined) break;
      params = { cursor: nextCursor };
    }
    expect(seen).toEqual(all);
  });

  it('refuses cursors that it did not give out, and those of another endpoint', async () => {
    const tools = Array.from({ length: 4 }, (_, i) => named(`t${i}`));
    const gateway = testGateway(
      [
        { name: 's', tools },
        { name: 'o', tools },
      ],
      { pageSize: 2 },
    );
    const { body } = await gateway.ask('/mcp/s', 'tools/list', {});
    const { nextCursor } = body.result as { nextCursor: string };
    for (const cursor of ['x', '', 7, `${nextCursor}x`]) {
      expect((await gateway.ask('/mcp/s', 'tools/list', { cursor })).body).toMatchObject({ error: { code: -32602 } });
    }
    expect((await gateway.ask('/mcp/o', 'tools/list', { cursor: nextCursor })).body).toMatchObject({ error: { code: -32602 } });
  });

  it('carries cache hints on modern, none on legacy, and ttlMs 0 while a server is missing', async () => {
    verifies('cache-hints', 'cache-ttl');
    const gateway = testGateway([{ name: 's' }]);
    expect((await gateway.ask('/mcp', 'tools/list', {})).body).toMatchObject({
      result: { resultType: 'complete', ttlMs: 5000, cacheScope: 'public' },
    });
    const legacy = await gateway.ask('/mcp', 'tools/list', {}, { client: { revision: '2025-06-18', info: undefined, capabilities: {} } });
    expect(Object.keys(legacy.body.result as object)).toEqual(['tools']);
    gateway.registry.put(entryOf({ name: 'late', state: { state: 'connecting' }, eras: [], tools: [] }));
    const partial = await gateway.ask('/mcp', 'tools/list', {});
    expect(partial.body).toMatchObject({ result: { ttlMs: 0, cacheScope: 'private' } });
    expect(gateway.records.at(-1)?.notValidated).toEqual(['list: server late is connecting and has no catalogue yet']);
  });

  it('waits for a server that is connecting for the first time, and not for one that failed', async () => {
    const connecting = { name: 'late', state: { state: 'connecting' } as const, eras: [] as const, tools: [] };
    const gateway = testGateway([connecting], { listWaitMs: 30_000 });
    const waiting = gateway.ask('/mcp', 'tools/list', {});
    gateway.registry.put(entryOf({ name: 'late' }));
    expect(names((await waiting).body)).toEqual(['late__echo']);
    gateway.registry.put(entryOf({ ...connecting, state: { state: 'backing_off', reason: 'no', retryAt: 1 } }));
    expect(names((await gateway.ask('/mcp', 'tools/list', {})).body)).toEqual([]);
  });

  it('waits for a slow server once: later lists of all servers go on without it, those of that server wait for it', async () => {
    const gateway = testGateway([{ name: 'a' }, { name: 'late', state: { state: 'connecting' }, eras: [], tools: [] }], {
      listWaitMs: 200,
    });
    vi.useFakeTimers();
    try {
      const answered: string[] = [];
      const ask = (path: string, label: string): Promise<unknown> => gateway.ask(path, 'tools/list', {}).then(() => answered.push(label));
      const first = ask('/mcp', 'first');
      await vi.advanceTimersByTimeAsync(199);
      expect(answered).toEqual([]);
      await vi.advanceTimersByTimeAsync(1);
      await first;
      await ask('/mcp', 'again');
      const alone = ask('/mcp/late', 'alone');
      await vi.advanceTimersByTimeAsync(199);
      expect(answered).toEqual(['first', 'again']);
      await vi.advanceTimersByTimeAsync(1);
      await alone;
    } finally {
      vi.useRealTimers();
    }
  });

  it('shows what the caller may use, and is private where another may see something else', async () => {
    verifies('cache-public', 'cache-access');
    const gateway = testGateway([{ name: 'open' }, { name: 'news', scopes: ['news:read'] }, { name: 'market', scopes: ['market:read'] }]);
    const { body } = await gateway.ask('/mcp', 'tools/list', {});
    expect(names(body)).toEqual(['open__echo', 'market__echo']);
    expect(body).toMatchObject({ result: { cacheScope: 'private' } });
    expect((await gateway.ask('/mcp/open', 'tools/list', {})).body).toMatchObject({ result: { cacheScope: 'public' } });
    expect((await gateway.ask('/mcp/market', 'tools/list', {})).body).toMatchObject({ result: { cacheScope: 'private' } });
  });

  it('counts lifetimes down, and says the least of them', async () => {
    verifies('cache-ttl');
    // The clock of these gateways stands at 1,000,000.
    const young = { entry: { toolsReadAt: 999_000 } };
    const old = { entry: { toolsReadAt: 1_000, toolsCache: { ttlMs: 5000, cacheScope: 'public' as const } } };
    const gateway = testGateway([
      { name: 'a' },
      { name: 'young', ...young },
      { name: 'tool-less', tools: [], entry: { toolsCache: { ttlMs: 1, cacheScope: 'private' } } },
    ]);
    expect((await gateway.ask('/mcp', 'tools/list', {})).body).toMatchObject({ result: { ttlMs: 4000, cacheScope: 'public' } });
    gateway.registry.put(entryOf({ name: 'old', ...old }));
    expect((await gateway.ask('/mcp', 'tools/list', {})).body).toMatchObject({ result: { ttlMs: 0 } });
  });

  it('goes on behind an item that moved, and starts again behind one that is gone', async () => {
    const list = (...all: string[]) => entryOf({ name: 's', tools: all.map(named) });
    const gateway = testGateway([{ name: 's', tools: ['a', 'b', 'c'].map(named) }], { pageSize: 2 });
    const { body } = await gateway.ask('/mcp/s', 'tools/list', {});
    const { nextCursor: cursor } = body.result as { nextCursor: string };
    gateway.registry.put(list('new', 'a', 'b', 'c'));
    expect(names((await gateway.ask('/mcp/s', 'tools/list', { cursor })).body)).toEqual(['c']);
    gateway.registry.put(list('a', 'c'));
    expect((await gateway.ask('/mcp/s', 'tools/list', { cursor })).body).toMatchObject({ error: { code: -32602 } });
  });

  it('wraps an outputSchema whose root is no object for legacy clients, and what a call returns under it', async () => {
    const tool = { ...ECHO, outputSchema: { anyOf: [{ type: 'array' }, { type: 'object' }] } };
    const result = jsonText({ content: [], structuredContent: { n: 1 } });
    const gateway = testGateway([{ name: 's', tools: [tool], handle: () => ({ kind: 'complete', result }) }]);
    expect((await gateway.ask('/mcp/s', 'tools/list', {})).body).toHaveProperty('result.tools.0.outputSchema');
    const client = { revision: '2025-11-25', info: undefined, capabilities: {} } as const;
    const legacy = await gateway.ask('/mcp/s', 'tools/list', {}, { client });
    const wrapped = { type: 'object', properties: { result: tool.outputSchema }, required: ['result'] };
    expect(legacy.body).toHaveProperty('result.tools.0.outputSchema', wrapped);
    const params = { name: 'echo', arguments: { text: 'x' } };
    expect((await gateway.ask('/mcp/s', 'tools/call', params)).body).toHaveProperty('result.structuredContent', { n: 1 });
    const called = await gateway.ask('/mcp/s', 'tools/call', params, { client });
    expect(called.body).toHaveProperty('result.structuredContent', { result: { n: 1 } });
  });
});

describe('the lists of prompts, resources and templates', () => {
  const prompts = itemsOf('name', [{ name: 'p1' }, { name: 'p2' }]);
  const resources = itemsOf('uri', [
    { uri: 'x:1', name: 'one' },
    { uri: 'x:1', name: 'again' },
    { uri: 'x:2', name: 'two' },
  ]);
  const templates = itemsOf('uriTemplate', [{ uriTemplate: 'x:{id}', name: 't' }], { ttlMs: 70, cacheScope: 'private' });
  const servers = [
    { name: 'a', entry: { prompts, resources, templates } },
    { name: 'b', entry: { prompts, resources, templates } },
  ];

  it('join the servers in config order', async () => {
    const gateway = testGateway(servers);
    const all = async (method: string): Promise<unknown> => (await gateway.ask('/mcp', method, {})).body.result;
    expect(await all('prompts/list')).toMatchObject({
      prompts: ['a__p1', 'a__p2', 'b__p1', 'b__p2'].map((name) => ({ name })),
      ttlMs: 5000,
      cacheScope: 'public',
    });
    expect(await all('resources/list')).toMatchObject({
      resources: ['x:1', 'x:1', 'x:2', 'mcp.b+x:1', 'mcp.b+x:1', 'mcp.b+x:2'].map((uri) => ({ uri })),
    });
    expect(await all('resources/templates/list')).toMatchObject({
      resourceTemplates: ['x:{id}', 'mcp.b+x:{id}'].map((uriTemplate) => ({ uriTemplate })),
      ttlMs: 70,
      cacheScope: 'private',
    });
  });

  it('page to their end, over items that stand twice too', async () => {
    const gateway = testGateway(servers, { pageSize: 1 });
    const seen: unknown[] = [];
    let cursor: unknown;
    do {
      const { body } = await gateway.ask('/mcp/a', 'resources/list', cursor === undefined ? {} : { cursor });
      const result = body.result as { resources: JsonObject[]; nextCursor?: string };
      seen.push(...result.resources.map(({ name }) => name));
      cursor = result.nextCursor;
    } while (cursor !== undefined && seen.length < 10);
    expect(seen).toEqual(['one', 'again', 'two']);
  });

  it('take no cursor of another list, not even where both have an item of that name', async () => {
    const both = { prompts: itemsOf('name', [{ name: 'echo' }, { name: 'p2' }]), resources };
    const gateway = testGateway([{ name: 'a', tools: [ECHO, named('t2')], entry: both }], { pageSize: 1 });
    const { body } = await gateway.ask('/mcp/a', 'prompts/list', {});
    const { nextCursor: cursor } = body.result as { nextCursor: string };
    expect((await gateway.ask('/mcp/a', 'prompts/list', { cursor })).body).toHaveProperty('result');
    for (const method of ['resources/list', 'resources/templates/list', 'tools/list'])
      expect((await gateway.ask('/mcp/a', method, { cursor })).body).toMatchObject({ error: { code: -32602 } });
  });

  it('show nothing of a server that the caller may not use', async () => {
    const policy = { scopes: ['news:read'], unlisted: 'refuse', tools: {} } as const;
    const gateway = testGateway([
      { name: 'a', entry: { prompts }, policy },
      { name: 'b', entry: { prompts } },
    ]);
    const { body } = await gateway.ask('/mcp', 'prompts/list', {});
    expect(body).toMatchObject({ result: { prompts: [{ name: 'b__p1' }, { name: 'b__p2' }], cacheScope: 'private' } });
  });

  it('are empty, not errors, where a server has none', async () => {
    const gateway = testGateway([{ name: 'a' }]);
    expect((await gateway.ask('/mcp/a', 'resources/list', {})).body).toMatchObject({
      result: { resources: [], ttlMs: 0, cacheScope: 'private' },
    });
  });
});
