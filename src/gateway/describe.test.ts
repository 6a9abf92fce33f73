import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../protocol/index.ts';
import { NO_LISTS, type ServerEntry } from '../registry/index.ts';
import { ECHO, entryOf, itemsOf, testGateway, type TestGateway, type TestServer } from './testing.ts';

const facts = (capabilities: JsonObject): ServerEntry['facts'] => ({
  info: { name: 'impl', version: '1' },
  capabilities,
  instructions: 'read me',
});
const server = (name: string, capabilities: JsonObject, more: Partial<TestServer> = {}): TestServer => ({
  name,
  tools: [],
  ...more,
  entry: { facts: facts(capabilities), ...more.entry },
});
const legacy = { client: { revision: '2025-11-25', info: undefined, capabilities: {} } } as const;

async function declared(gateway: TestGateway, path: string, era: 'modern' | 'legacy' = 'modern'): Promise<unknown> {
  const asked = era === 'modern' ? gateway.ask(path, 'server/discover', {}) : gateway.ask(path, 'initialize', {}, legacy);
  return ((await asked).body.result as JsonObject).capabilities;
}

const TASKS = { 'io.modelcontextprotocol/tasks': {} };

describe('describing a server', () => {
  it('answers discover with what is there', async () => {
    verifies('version-discover', 'basic-supported');
    const gateway = testGateway([{ name: 's' }]);
    const { body } = await gateway.ask('/mcp/s', 'server/discover', {});
    expect(body).toMatchObject({
      result: {
        resultType: 'complete',
        supportedVersions: ['2026-07-28'],
        capabilities: { tools: {} },
        instructions: 'about s',
        ttlMs: 60_000,
        cacheScope: 'private',
      },
    });
  });

  it('answers initialize with the revision, the identity and the instructions', async () => {
    const gateway = testGateway([server('s', { logging: {} })]);
    expect((await gateway.ask('/mcp/s', 'initialize', {}, legacy)).body.result).toEqual({
      protocolVersion: '2025-11-25',
      serverInfo: { name: 'impl', version: '1' },
      capabilities: { logging: {} },
      instructions: 'read me',
    });
  });

  it('answers ping with exactly an empty object', async () => {
    const gateway = testGateway([{ name: 's' }]);
    expect((await gateway.ask('/mcp', 'ping', {}, legacy)).body).toEqual({ jsonrpc: '2.0', id: 1, result: {} });
  });

  it('says what a server of both eras shows in the client one', async () => {
    const { tools, toolsCache } = entryOf({ name: 's' });
    const old = {
      tools,
      toolsCache,
      ...NO_LISTS,
      warnings: [],
      facts: { ...facts({ tools: { listChanged: true }, logging: {} }), instructions: 'old' },
    };
    const gateway = testGateway([server('s', { tools: {} }, { entry: { legacy: old } })]);
    expect(await declared(gateway, '/mcp/s')).toEqual({ tools: {} });
    expect(await declared(gateway, '/mcp/s', 'legacy')).toEqual({ tools: { listChanged: true }, logging: {} });
    expect((await gateway.ask('/mcp/s', 'initialize', {}, legacy)).body).toMatchObject({ result: { instructions: 'old' } });
  });
});

describe('capabilities of one server', () => {
  it('are its own, verbatim, without what cannot be relayed', async () => {
    const own = {
      tools: { listChanged: false, 'x/y': 1 },
      experimental: { e: {} },
      completions: {},
      extensions: { 'com.example/x': { a: 1 } },
    };
    const gateway = testGateway([
      server('s', { ...own, tasks: { list: {} }, extensions: { ...own.extensions, ...TASKS } }),
      server('t', { tools: {}, tasks: {}, extensions: TASKS }),
    ]);
    expect(await declared(gateway, '/mcp/s')).toEqual({ ...own, extensions: { ...own.extensions, ...TASKS } });
    expect(await declared(gateway, '/mcp/s', 'legacy')).toEqual(own);
    expect(await declared(gateway, '/mcp/t', 'legacy')).toEqual({ tools: {} });
  });

  it('include the lists that it has and forgot to declare', async () => {
    const gateway = testGateway([
      server('s', {}, { tools: [ECHO], entry: { facts: facts({}), templates: itemsOf('uriTemplate', [{ uriTemplate: 'x:{a}' }]) } }),
    ]);
    expect(await declared(gateway, '/mcp/s')).toEqual({ tools: { listChanged: true }, resources: { listChanged: true } });
  });

  it('wait for one that is just starting, and may be anything while it was never reached', async () => {
    const late = { name: 'late', state: { state: 'connecting' }, eras: [], tools: [] } as const;
    const gateway = testGateway([late], { listWaitMs: 30_000 });
    const waiting = declared(gateway, '/mcp/late');
    gateway.registry.put(entryOf(server('late', { prompts: {} })));
    expect(await waiting).toEqual({ prompts: {} });
    gateway.registry.put(entryOf({ ...late, state: { state: 'backing_off', reason: 'no', retryAt: 1 } }));
    const any = { listChanged: true };
    const { body } = await gateway.ask('/mcp/late', 'server/discover', {});
    expect(body).toMatchObject({ result: { ttlMs: 0, capabilities: { tools: any, prompts: any, resources: any } } });
  });
});

describe('capabilities of all servers', () => {
  it('are merged from those that are there', async () => {
    const gateway = testGateway([server('a', { tools: {} }), server('b', { prompts: {}, logging: {}, experimental: { e: {} } })]);
    expect(await declared(gateway, '/mcp')).toEqual({ tools: { listChanged: true }, prompts: { listChanged: true }, logging: {} });
    gateway.registry.put(
      entryOf(server('c', { resources: { subscribe: true }, completions: {}, extensions: { ...TASKS, 'com.example/x': {} } })),
    );
    const all = {
      tools: { listChanged: true },
      prompts: { listChanged: true },
      resources: { listChanged: true, subscribe: true },
      completions: {},
      logging: {},
    };
    expect(await declared(gateway, '/mcp')).toEqual({ ...all, extensions: TASKS });
    expect(await declared(gateway, '/mcp', 'legacy')).toEqual(all);
  });

  it('name MCP Apps only where a tool keeps its name', async () => {
    const app = { ...ECHO, _meta: { ui: { resourceUri: 'ui://x' } } };
    const gateway = testGateway([server('a', { tools: {} }, { tools: [app] })]);
    expect(await declared(gateway, '/mcp')).not.toHaveProperty('extensions');
    gateway.registry.put(entryOf(server('stockpulse', { tools: {} }, { kind: 'stockpulse', tools: [app] })));
    expect(await declared(gateway, '/mcp')).toMatchObject({ extensions: { 'io.modelcontextprotocol/ui': {} } });
  });

  it('break over nothing that a server may declare', async () => {
    const odd = { tools: null, prompts: 7, resources: [], completions: 'x', logging: null, extensions: [], tasks: 1 };
    const gateway = testGateway([server('a', odd)]);
    expect(await declared(gateway, '/mcp')).toEqual({});
    expect(await declared(gateway, '/mcp/a')).toBeTypeOf('object');
  });
});
