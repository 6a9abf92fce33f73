import { describe, expect, it } from 'vitest';
import { jsonText, type Call, type ClientFacts, type JsonObject, type Outcome } from '../protocol/index.ts';
import type { CatalogueTool, ServerEntry } from '../registry/index.ts';
import { ECHO, entryOf, itemsOf, testGateway, TestPort, type TestGateway, type TestServer } from './testing.ts';

const DONE: Outcome = { kind: 'complete', result: jsonText({ content: [{ type: 'text', text: 'done' }] }) };
const handle = (): Outcome => DONE;
const named = (name: string): JsonObject => ({ ...ECHO, name, inputSchema: { type: 'object' } });
const names = (body: JsonObject): string[] => (body.result as { tools: { name: string }[] }).tools.map(({ name }) => name);
const modern = (capabilities: JsonObject): { client: ClientFacts } => ({
  client: { revision: '2026-07-28', info: undefined, capabilities },
});
const legacy = (capabilities: JsonObject, revision: '2025-11-25' | '2025-06-18' | '2025-03-26' = '2025-11-25') => ({
  client: { revision, info: undefined, capabilities } satisfies ClientFacts,
  port: new TestPort({ answer: () => Promise.resolve({ result: jsonText({}) }) }),
});

/** A server whose tools need what their names say. */
function choosy(more: Partial<TestServer> = {}): TestServer {
  const plain = entryOf({ name: 's', tools: ['all', 'form', 'url', 'either'].map(named) }).tools;
  const needs: Readonly<Record<string, CatalogueTool['needs']>> = {
    form: [{ elicitation: {} }],
    url: [{ elicitation: { url: {} } }],
    either: [{ sampling: {} }, { roots: {} }],
  };
  const tools = plain.map((tool): CatalogueTool => ({ ...tool, needs: needs[tool.definition.name] }));
  return { name: 's', handle, entry: { tools }, ...more };
}

describe('tools that a server shows only to clients that can be asked', () => {
  it.each([
    ['nothing', {}, ['all']],
    ['forms', { elicitation: {} }, ['all', 'form']],
    ['URLs', { elicitation: { url: {} } }, ['all', 'url']],
    ['sampling', { sampling: {} }, ['all', 'either']],
    ['roots and forms', { roots: {}, elicitation: { form: {} } }, ['all', 'form', 'either']],
  ])('are listed by what the client declares (%s)', async (_name, capabilities, expected) => {
    const gateway = testGateway([choosy()]);
    for (const client of [modern(capabilities), legacy(capabilities)]) {
      const { body } = await gateway.ask('/mcp/s', 'tools/list', {}, client);
      expect(names(body)).toEqual(expected);
      const joined = await gateway.ask('/mcp', 'tools/list', {}, client);
      expect(names(joined.body)).toEqual(expected.map((name) => `s__${name}`));
    }
  });

  it('are hidden from a client whose revision has no words for them, or that cannot be asked', async () => {
    const gateway = testGateway([choosy()]);
    const listed = async (client: object): Promise<string[]> => names((await gateway.ask('/mcp/s', 'tools/list', {}, client)).body);
    expect(await listed(legacy({ elicitation: { url: {} }, sampling: {} }, '2025-03-26'))).toEqual(['all', 'either']);
    expect(await listed({ ...legacy({ sampling: {} }), port: new TestPort() })).toEqual(['all']);
  });

  it('make a list private: others may see something else', async () => {
    const gateway = testGateway([choosy()]);
    expect((await gateway.ask('/mcp/s', 'tools/list', {})).body).toMatchObject({ result: { cacheScope: 'private' } });
  });

  it('are called by clients that see them, and refused to the others before the server hears of it', async () => {
    const calls: Call[] = [];
    const gateway = testGateway([choosy({ handle: (call) => (calls.push(call), DONE) })]);
    const call = async (client: object): Promise<JsonObject> =>
      (await gateway.ask('/mcp/s', 'tools/call', { name: 'url', arguments: {} }, client)).body;
    const { answer, body } = await gateway.ask('/mcp/s', 'tools/call', { name: 'url', arguments: {} }, modern({ elicitation: {} }));
    expect(answer.status).toBe(400);
    expect(body).toMatchObject({ error: { code: -32021, data: { requiredCapabilities: { elicitation: { url: {} } } } } });
    expect(await call(legacy({}))).toMatchObject({ result: { isError: true } });
    expect(await call(legacy({ elicitation: { url: {} } }, '2025-06-18'))).toMatchObject({ result: { isError: true } });
    expect(calls).toEqual([]);
    expect(await call(modern({ elicitation: { url: {} } }))).toMatchObject({ result: { content: [{ text: 'done' }] } });
    expect(await call(legacy({ elicitation: { url: {} } }))).toMatchObject({ result: { content: [{ text: 'done' }] } });
    expect(calls.map(({ offers }) => offers.value)).toEqual([{ elicitation: { url: {} } }, { elicitation: { url: {} } }]);
  });
});

describe('servers are told what kind of client comes', () => {
  const told: string[] = [];
  const prepare: TestServer['prepare'] = (era, asks) => Promise.resolve(told.push(`${era} ${asks === true}`) > 0);

  it.each([
    ['server/discover', modern({}), []],
    ['server/discover', modern({ sampling: {} }), ['modern true']],
    ['tools/list', modern({ elicitation: {} }), ['modern true']],
    ['prompts/list', modern({ elicitation: {} }), []],
    ['initialize', legacy({}), ['legacy false']],
    ['initialize', legacy({ roots: {} }), ['legacy true']],
    ['initialize', legacy({ elicitation: {} }, '2025-03-26'), ['legacy false']],
  ] as const)('by %s (%o)', async (method, client, expected) => {
    told.length = 0;
    await testGateway([{ name: 's', handle, prepare }]).ask('/mcp/s', method, {}, client);
    expect(told).toEqual(expected);
  });

  it('and a list that lacks what it may still show is stale at once', async () => {
    verifies('cache-hints');
    const gateway = testGateway([{ name: 's', handle, prepare: () => Promise.resolve(false) }]);
    const { body } = await gateway.ask('/mcp/s', 'tools/list', {}, modern({ sampling: {} }));
    expect(body).toMatchObject({ result: { ttlMs: 0, cacheScope: 'private' } });
    expect(gateway.records.at(-1)?.notValidated).toEqual(['list: server s may have more tools for clients that can be asked']);
    expect((await gateway.ask('/mcp/s', 'tools/list', {}, modern({}))).body).toMatchObject({ result: { ttlMs: 5000 } });
  });

  it('by the call of a tool that is not known yet', async () => {
    const gateway: TestGateway = testGateway([
      {
        name: 's',
        handle,
        prepare() {
          gateway.registry.put(entryOf(choosy()));
          return Promise.resolve(true);
        },
      },
    ]);
    const { body } = await gateway.ask('/mcp', 'tools/call', { name: 's__form', arguments: {} }, modern({ elicitation: {} }));
    expect(body).toMatchObject({ result: { content: [{ text: 'done' }] } });
  });
});

describe('a list whose lifetime is over', () => {
  // The clock of these gateways stands at 1,000,000.
  const stale: Partial<ServerEntry> = {
    facts: { info: undefined, capabilities: { tools: {}, resources: {} }, instructions: undefined },
    toolsCache: { ttlMs: 0, cacheScope: 'private' },
    toolsReadAt: 1_000_000,
    resources: { ...itemsOf('uri', [{ uri: 'x:1', name: 'one' }]), readAt: 990_000 },
  };
  const asked: string[] = [];
  const server = (more: Partial<TestServer> = {}): TestServer => ({
    name: 's',
    handle,
    entry: stale,
    refresh: (...parameters) => Promise.resolve(void asked.push(parameters.join(' '))),
    ...more,
  });
  const lists = async (gateway: TestGateway, method: string, params: JsonObject = {}, client: object = {}): Promise<string[]> => {
    asked.length = 0;
    await gateway.ask('/mcp', method, params, client);
    return [...asked];
  };

  it('is read again before it is shown, in the era of the client, and no other', async () => {
    verifies('cache-ttl');
    const gateway = testGateway([server(), { name: 'fresh', handle, refresh: server().refresh }], { listWaitMs: 77 });
    expect(await lists(gateway, 'tools/list')).toEqual(['tools modern 77']);
    expect(await lists(gateway, 'tools/list', {}, legacy({}))).toEqual(['tools legacy 77']);
    expect(await lists(gateway, 'resources/list')).toEqual(['resources modern 77']);
    expect(await lists(gateway, 'resources/templates/list')).toEqual([]);
    expect(await lists(gateway, 'prompts/list')).toEqual([]);
  });

  it('is not read for its further pages, nor where its server is not ready', async () => {
    const gateway = testGateway([server({ tools: [named('a'), named('b')] })], { listWaitMs: 77, pageSize: 1 });
    const { body } = await gateway.ask('/mcp', 'tools/list', {});
    expect(await lists(gateway, 'tools/list', { cursor: (body.result as { nextCursor: string }).nextCursor })).toEqual([]);
    const lost = testGateway([server({ state: { state: 'backing_off', reason: 'no', retryAt: 1 } })], { listWaitMs: 77 });
    expect(await lists(lost, 'tools/list')).toEqual([]);
  });

  it('is read before a tool that is not in it is unknown', async () => {
    const gateway: TestGateway = testGateway(
      [
        server({
          refresh() {
            gateway.registry.put(entryOf(server({ tools: [named('late')] })));
            return Promise.resolve();
          },
        }),
        server({ name: 'other' }),
      ],
      { listWaitMs: 77 },
    );
    const call = async (name: string): Promise<JsonObject> => (await gateway.ask('/mcp', 'tools/call', { name, arguments: {} })).body;
    expect(await lists(gateway, 'tools/call', { name: 'other__none' })).toEqual(['tools modern 77']);
    expect(await call('s__late')).toMatchObject({ result: { content: [{ text: 'done' }] } });
    expect(await call('s__none')).toMatchObject({ error: { code: -32602 } });
  });

  it('is read before a prompt that is not in it is unknown', async () => {
    const facts = { info: undefined, capabilities: { prompts: {} }, instructions: undefined };
    const prompts = (...all: string[]): Partial<ServerEntry> => ({
      facts,
      prompts: {
        ...itemsOf(
          'name',
          all.map((name) => ({ name })),
          { ttlMs: 0, cacheScope: 'private' },
        ),
        readAt: 1_000_000,
      },
    });
    const gateway: TestGateway = testGateway(
      [
        {
          name: 's',
          handle,
          entry: prompts('old'),
          refresh() {
            gateway.registry.put(entryOf({ name: 's', entry: prompts('old', 'late') }));
            return Promise.resolve();
          },
        },
      ],
      { listWaitMs: 77 },
    );
    for (const path of ['/mcp', '/mcp/s']) {
      const name = (own: string): string => (path === '/mcp' ? `s__${own}` : own);
      expect((await gateway.ask(path, 'prompts/get', { name: name('late') })).body).toHaveProperty('result');
      expect((await gateway.ask(path, 'prompts/get', { name: name('none') })).body).toMatchObject({ error: { code: -32602 } });
    }
  });
});
