import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../protocol/index.ts';
import { joinedName, MAX_TOOL_NAME, serverOfName } from './naming.ts';
import { ECHO, entryOf, testGateway } from './testing.ts';

const named = (name: string): JsonObject => ({ ...ECHO, name });
const names = (body: JsonObject): string[] => (body.result as { tools: { name: string }[] }).tools.map(({ name }) => name);

describe('names on the joined endpoint', () => {
  it('carry the server, stay within 64 characters and stay distinct when cut', () => {
    expect(joinedName('files', 'read_file')).toBe('files__read_file');
    const long = 'a_very_long_tool_name_that_goes_on_and_on_until_it_does_not_fit';
    const first = joinedName('some-server', `${long}_one`);
    expect(first).toHaveLength(MAX_TOOL_NAME);
    expect(first).not.toBe(joinedName('some-server', `${long}_two`));
    expect(first).toBe(joinedName('some-server', `${long}_one`));
    expect(serverOfName(first)).toBe('some-server');
    expect(joinedName('a', '_b')).not.toBe(joinedName('a_', 'b').replace('a_', 'a'));
  });
});

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

  it('carries private cache hints on modern, none on legacy, and ttlMs 0 while a server is missing', async () => {
    const gateway = testGateway([{ name: 's' }]);
    expect((await gateway.ask('/mcp', 'tools/list', {})).body).toMatchObject({
      result: { resultType: 'complete', ttlMs: 5000, cacheScope: 'private' },
    });
    const legacy = await gateway.ask('/mcp', 'tools/list', {}, { client: { revision: '2025-06-18', info: undefined, capabilities: {} } });
    expect(Object.keys(legacy.body.result as object)).toEqual(['tools']);
    gateway.registry.put(entryOf({ name: 'late', state: { state: 'connecting' }, eras: [], tools: [] }));
    const partial = await gateway.ask('/mcp', 'tools/list', {});
    expect(partial.body).toMatchObject({ result: { ttlMs: 0 } });
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

  it('hides an outputSchema whose root is no object from legacy clients', async () => {
    const tool = { ...ECHO, outputSchema: { type: 'array' } };
    const gateway = testGateway([{ name: 's', tools: [tool] }]);
    expect((await gateway.ask('/mcp/s', 'tools/list', {})).body).toHaveProperty('result.tools.0.outputSchema');
    const legacy = await gateway.ask('/mcp/s', 'tools/list', {}, { client: { revision: '2025-11-25', info: undefined, capabilities: {} } });
    expect(legacy.body).not.toHaveProperty('result.tools.0.outputSchema');
  });
});

describe('describing a server', () => {
  it('answers discover with what is implemented', async () => {
    const gateway = testGateway([{ name: 's' }]);
    const { body } = await gateway.ask('/mcp/s', 'server/discover', {});
    expect(body).toMatchObject({
      result: {
        resultType: 'complete',
        supportedVersions: ['2026-07-28'],
        capabilities: { tools: {} },
        instructions: 'about s',
        cacheScope: 'private',
      },
    });
  });

  it('answers ping with exactly an empty object', async () => {
    const gateway = testGateway([{ name: 's' }]);
    const { body } = await gateway.ask('/mcp', 'ping', {}, { client: { revision: '2025-06-18', info: undefined, capabilities: {} } });
    expect(body).toEqual({ jsonrpc: '2.0', id: 1, result: {} });
  });
});
