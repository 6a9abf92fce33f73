import { describe, expect, it } from 'vitest';
import { jsonText, type Call, type JsonObject, type Outcome } from '../protocol/index.ts';
import { NO_LISTS, type ServerEntry } from '../registry/index.ts';
import { itemsOf, testGateway, type TestServer } from './testing.ts';

const done = (result: JsonObject): Outcome => ({ kind: 'complete', result: jsonText(result) });
const legacy = { client: { revision: '2025-06-18' as const, info: undefined, capabilities: {} } };
const facts = (capabilities: JsonObject): Partial<ServerEntry> => ({
  facts: { info: undefined, capabilities, instructions: undefined },
});

/** A server that keeps its calls and answers them all alike. */
function server(name: string, result: JsonObject, more: Partial<TestServer> = {}): TestServer & { calls: Call[] } {
  const calls: Call[] = [];
  const entry = {
    ...NO_LISTS,
    ...facts({ prompts: {}, resources: {}, completions: {} }),
    prompts: itemsOf('name', [{ name: 'greet' }]),
    resources: itemsOf('uri', [{ uri: 'file:///a', name: 'a' }]),
    templates: itemsOf('uriTemplate', [{ uriTemplate: 'file:///{path}', name: 't' }]),
  };
  return { name, calls, entry, handle: (call) => (calls.push(call), done(result)), ...more };
}

describe('prompts/get', () => {
  it('goes to the server of the name, in its own words', async () => {
    const files = server('files', { messages: [] });
    const gateway = testGateway([server('news', {}), files]);
    const { body } = await gateway.ask('/mcp', 'prompts/get', { name: 'files__greet', arguments: { a: 'b' } });
    expect(body).toMatchObject({ result: { messages: [], resultType: 'complete' } });
    expect(files.calls[0]).toMatchObject({ method: 'prompts/get', subject: { member: 'name', value: 'greet' } });
    expect(gateway.records[0]).toMatchObject({ server: 'files', method: 'prompts/get', outcome: 'ok', tool: undefined });
    expect((await gateway.ask('/mcp/files', 'prompts/get', { name: 'greet' })).body).toHaveProperty('result');
  });

  it('is -32602 for an unknown prompt, unless the server forgot to say that it has prompts', async () => {
    const silent = server('silent', { messages: [] }, { entry: facts({}) });
    const gateway = testGateway([server('files', {}), silent]);
    for (const [path, name] of [
      ['/mcp', 'greet'],
      ['/mcp', 'files__nope'],
      ['/mcp', 'silent__any'],
      ['/mcp/files', 'nope'],
    ] as const)
      expect((await gateway.ask(path, 'prompts/get', { name })).body).toMatchObject({ error: { code: -32602 } });
    expect((await gateway.ask('/mcp/silent', 'prompts/get', { name: 'any' })).body).toHaveProperty('result');
    expect((await gateway.ask('/mcp', 'prompts/get', {})).body).toMatchObject({ error: { code: -32602 } });
  });
});

describe('a server that was not reached yet', () => {
  it('says why it cannot be asked', async () => {
    const state = { state: 'backing_off', reason: 'it refused the connection', retryAt: 1 } as const;
    const gateway = testGateway([{ ...server('down', {}), state, eras: [], entry: NO_LISTS }]);
    for (const [path, method, params] of [
      ['/mcp', 'prompts/get', { name: 'down__greet' }],
      ['/mcp/down', 'prompts/get', { name: 'greet' }],
      ['/mcp/down', 'resources/read', { uri: 'file:///a' }],
      ['/mcp/down', 'completion/complete', { ref: { type: 'ref/prompt', name: 'greet' }, argument: {} }],
      ['/mcp/down', 'acme/do', {}],
    ] as const) {
      const { body } = await gateway.ask(path, method, params);
      expect(body).toMatchObject({ error: { code: 5020, message: expect.stringContaining('refused the connection') as string } });
    }
    expect(gateway.records.every((record) => record.server === 'down')).toBe(true);
  });
});

describe('resources/read', () => {
  it('goes to the owner of the URI and wraps the URIs of the result', async () => {
    const first = server('first', { contents: [{ uri: 'file:///a', text: 'x' }] });
    const second = server('second', { contents: [{ uri: 'file:///a', text: 'y' }] });
    const gateway = testGateway([first, second]);
    const bare = await gateway.ask('/mcp', 'resources/read', { uri: 'file:///a' });
    expect(bare.body).toMatchObject({ result: { contents: [{ uri: 'file:///a', text: 'x' }], ttlMs: 0, cacheScope: 'private' } });
    const wrapped = await gateway.ask('/mcp', 'resources/read', { uri: 'mcp.second+file:///a' });
    expect(wrapped.body).toMatchObject({ result: { contents: [{ uri: 'mcp.second+file:///a', text: 'y' }] } });
    expect(second.calls[0]?.subject).toEqual({ member: 'uri', value: 'file:///a' });
    const own = await gateway.ask('/mcp/second', 'resources/read', { uri: 'file:///other' });
    expect(own.body).toMatchObject({ result: { contents: [{ uri: 'file:///a' }] } });
  });

  it('says not found in the words of each era, with the URI that the client used', async () => {
    const missing = (error: { code: number; message: string; data?: unknown }): TestServer =>
      server(
        'files',
        {},
        {
          handle(_call, { onEvent }) {
            onEvent({ kind: 'attempt', attempt: { server: 'files', via: 'http-legacy', durationMs: 1, outcome: 'ok' } });
            return { kind: 'error', error };
          },
        },
      );
    const gateway = testGateway([server('other', {}), missing({ code: -32002, message: 'no', data: { uri: 'file:///x' } })]);
    const uri = 'mcp.files+file:///x';
    expect((await gateway.ask('/mcp', 'resources/read', { uri })).body).toMatchObject({ error: { code: -32602, data: { uri } } });
    expect((await gateway.ask('/mcp', 'resources/read', { uri }, legacy)).body).toMatchObject({ error: { code: -32002, data: { uri } } });
    const nobody = 'mcp.nobody+file:///x';
    expect((await gateway.ask('/mcp', 'resources/read', { uri: nobody })).body).toMatchObject({
      error: { code: -32602, data: { uri: nobody } },
    });
    expect((await gateway.ask('/mcp', 'resources/read', { uri: nobody }, legacy)).body).toMatchObject({ error: { code: -32002 } });
  });

  it('is the only method whose refusals are about a resource', async () => {
    const error = { code: -32602, message: 'no' };
    const gateway = testGateway([server('files', {}, { handle: () => ({ kind: 'error', error }) })]);
    expect((await gateway.ask('/mcp/files', 'acme/do', { uri: 'file:///a' })).body.error).toEqual(error);
    expect((await gateway.ask('/mcp/files', 'resources/read', { uri: 'file:///a' })).body.error).toEqual({
      ...error,
      data: { uri: 'file:///a' },
    });
  });

  it('needs the scopes of the server', async () => {
    const policy = { scopes: ['trade:write'], unlisted: 'forward', tools: {} } as const;
    const files = server('files', { contents: [] }, { policy });
    const gateway = testGateway([files]);
    for (const method of ['resources/read', 'x/unknown'])
      expect((await gateway.ask('/mcp/files', method, { uri: 'file:///a' })).body).toMatchObject({ error: { code: 4030 } });
    expect((await gateway.ask('/mcp/files', 'tools/call', { name: 'unlisted' })).body).toMatchObject({ result: { isError: true } });
    expect(files.calls).toEqual([]);
  });
});

describe('completion/complete', () => {
  const argument = { name: 'a', value: 'b' };

  it('maps the reference back to the server’s words', async () => {
    const second = server('second', { completion: { values: ['x'] } });
    const gateway = testGateway([server('first', {}), second]);
    const prompt = { ref: { type: 'ref/prompt', name: 'second__greet' }, argument };
    expect((await gateway.ask('/mcp', 'completion/complete', prompt)).body).toMatchObject({ result: { completion: { values: ['x'] } } });
    const template = { ref: { type: 'ref/resource', uri: 'mcp.second+file:///{path}' }, argument };
    await gateway.ask('/mcp', 'completion/complete', template);
    await gateway.ask('/mcp/second', 'completion/complete', { ref: { type: 'ref/prompt', name: 'unlisted' }, argument });
    expect(second.calls.map(({ edits }) => edits)).toEqual([
      [['ref', '{"type":"ref/prompt","name":"greet"}']],
      [['ref', '{"type":"ref/resource","uri":"file:///{path}"}']],
      [],
    ]);
  });

  it('is -32602 for what cannot be completed', async () => {
    const gateway = testGateway([server('first', {}), { name: 'stockpulse', kind: 'stockpulse', handle: () => done({}) }]);
    const refs = [
      undefined,
      { type: 'ref/prompt', name: 'nope' },
      { type: 'ref/other' },
      { type: 'ref/resource', uri: 7 },
      { type: 'ref/resource', uri: 'stockpulse:x' },
    ];
    for (const ref of refs)
      expect((await gateway.ask('/mcp', 'completion/complete', { ref, argument })).body).toMatchObject({ error: { code: -32602 } });
  });
});

describe('unknown methods', () => {
  it('are forwarded verbatim on the endpoint of a server, in either era, and are -32601 elsewhere', async () => {
    const files = server('files', { anything: [1] });
    const gateway = testGateway([files, { name: 'stockpulse', kind: 'stockpulse', handle: () => done({}) }]);
    const { body } = await gateway.ask('/mcp/files', 'acme/do', { x: 1, uri: 'u', name: 'n' });
    expect(body).toMatchObject({ result: { anything: [1], resultType: 'complete' } });
    expect(files.calls[0]).toMatchObject({ method: 'acme/do', subject: undefined, edits: [] });
    expect((await gateway.ask('/mcp/files', 'acme/do', {}, legacy)).body).toEqual({ jsonrpc: '2.0', id: 1, result: { anything: [1] } });
    expect(gateway.records[0]).toMatchObject({ method: 'other', otherMethod: 'acme/do', server: 'files' });
    for (const path of ['/mcp', '/mcp/stockpulse']) {
      const { answer, body: refused } = await gateway.ask(path, 'acme/do', {});
      expect(refused).toMatchObject({ error: { code: -32601 } });
      expect(answer.status).toBe(404);
      expect((await gateway.ask(path, 'acme/do', {}, legacy)).answer.status).toBe(200);
    }
  });

  it('are -32601 for those of the other era and what nobody relays, without asking the server', async () => {
    const files = server('files', {});
    const gateway = testGateway([files]);
    for (const method of ['initialize', 'ping', 'logging/setLevel', 'resources/subscribe', 'tasks/list', 'tasks/result'])
      expect((await gateway.ask('/mcp/files', method, {})).body).toMatchObject({ error: { code: -32601 } });
    for (const method of ['server/discover', 'subscriptions/listen', 'tasks/get', 'tasks/list', 'tasks/result'])
      expect((await gateway.ask('/mcp/files', method, {}, legacy)).body).toMatchObject({ error: { code: -32601 } });
    expect(files.calls).toEqual([]);
  });

  it('pass the server’s own -32601 on, as 404 in the modern era', async () => {
    const error = { code: -32601, message: 'Method not found' };
    const gateway = testGateway([server('files', {}, { handle: () => ({ kind: 'error', error }) })]);
    const { answer, body } = await gateway.ask('/mcp/files', 'acme/do', {});
    expect([answer.status, body.error]).toEqual([404, error]);
  });
});

describe('a tool that its server does not list', () => {
  it('is refused, and forwarded where the operator says so', async () => {
    const policy = { scopes: [], unlisted: 'forward', tools: {} } as const;
    const open = server('open', { content: [] }, { policy });
    const shut = server('shut', { content: [] });
    const gateway = testGateway([open, shut]);
    expect((await gateway.ask('/mcp/shut', 'tools/call', { name: 'hidden' })).body).toMatchObject({ error: { code: -32602 } });
    expect((await gateway.ask('/mcp', 'tools/call', { name: 'open__hidden' })).body).toMatchObject({ error: { code: -32602 } });
    expect((await gateway.ask('/mcp/open', 'tools/call', { name: 'hidden' })).body).toHaveProperty('result.content');
    expect(open.calls[0]?.subject).toEqual({ member: 'name', value: 'hidden' });
    expect(gateway.records.at(-1)).toMatchObject({ tool: '(unlisted)', sideEffect: 'write' });
    expect(shut.calls).toEqual([]);
  });
});
