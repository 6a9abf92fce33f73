import { describe, expect, it } from 'vitest';
import { jsonText, META, TASKS_EXTENSION, type Call, type JsonObject, type Outcome } from '../protocol/index.ts';
import { createSealer, type Principal } from '../security/index.ts';
import { openTaskId, sealTaskId } from './task-ids.ts';
import { agent, requestOf, testGateway, type TestGateway, type TestServer } from './testing.ts';

const TASKS = { extensions: { [TASKS_EXTENSION]: {} } };

interface As {
  readonly capabilities?: JsonObject;
  readonly principal?: Principal;
}

const ask = (
  gateway: TestGateway,
  path: string,
  method: string,
  params: JsonObject,
  { capabilities = TASKS, principal = agent }: As = {},
) => {
  const request = requestOf(method, { ...params, _meta: { [META.clientCapabilities]: capabilities } });
  return gateway.ask(path, method, {}, { request, principal, client: { revision: '2026-07-28', info: undefined, capabilities } });
};

function server(name: string, answers: Readonly<Record<string, Outcome>>): TestServer & { calls: Call[] } {
  const calls: Call[] = [];
  return { name, calls, handle: (call) => (calls.push(call), answers[call.method] ?? { kind: 'complete', result: jsonText({}) }) };
}

const created: Outcome = { kind: 'task', result: jsonText({ resultType: 'task', taskId: 'T 1', status: 'working', ttlMs: null }) };
const finished: Outcome = {
  kind: 'complete',
  result: jsonText({
    resultType: 'complete',
    taskId: 'T 1',
    status: 'completed',
    result: { content: [{ type: 'resource_link', uri: 'file:///a', name: 'a' }] },
  }),
};
const asking: Outcome = {
  kind: 'complete',
  result: jsonText({
    taskId: 'T 1',
    status: 'input_required',
    inputRequests: { k: { method: 'elicitation/create', params: { mode: 'form', message: 'Who?', requestedSchema: {} } } },
  }),
};

describe('a task', () => {
  it('has one sealed id, through which its owner reaches it', async () => {
    const second = server('second', { 'tools/call': created, 'tasks/get': finished });
    const gateway = testGateway([server('first', {}), second]);
    const { body } = await ask(gateway, '/mcp', 'tools/call', { name: 'second__echo', arguments: { text: 'x' } });
    const { taskId } = body.result as { taskId: string };
    expect(body).toMatchObject({ result: { resultType: 'task', status: 'working', ttlMs: null } });
    expect(taskId).not.toContain('T 1');
    expect(gateway.records[0]).toMatchObject({ outcome: 'task' });
    const got = await ask(gateway, '/mcp', 'tasks/get', { taskId });
    expect(got.body).toMatchObject({
      result: { taskId, resultType: 'complete', result: { content: [{ uri: 'mcp.second+file:///a' }] } },
    });
    await ask(gateway, '/mcp', 'tasks/update', { taskId, inputResponses: { k: {} } });
    await ask(gateway, '/mcp/second', 'tasks/cancel', { taskId });
    expect(second.calls.slice(1).map(({ method, subject }) => [method, subject?.member, subject?.value])).toEqual([
      ['tasks/get', 'taskId', 'T 1'],
      ['tasks/update', 'taskId', 'T 1'],
      ['tasks/cancel', 'taskId', 'T 1'],
    ]);
    const plain = await ask(gateway, '/mcp/second', 'tasks/get', { taskId });
    expect(plain.body).toMatchObject({ result: { taskId, result: { content: [{ uri: 'file:///a' }] } } });
  });

  it('names its server in what it asks, on the joined endpoint', async () => {
    const gateway = testGateway([server('s', { 'tools/call': created, 'tasks/get': asking })]);
    const { body } = await ask(gateway, '/mcp/s', 'tools/call', { name: 'echo', arguments: { text: 'x' } });
    const { taskId } = body.result as { taskId: string };
    const message = async (path: string): Promise<unknown> =>
      ((await ask(gateway, path, 'tasks/get', { taskId })).body as { result: { inputRequests: { k: { params: JsonObject } } } }).result
        .inputRequests.k.params.message;
    expect([await message('/mcp'), await message('/mcp/s')]).toEqual(['[s] Who?', 'Who?']);
  });

  it('is not there for others, on other endpoints, or under the server’s own id', async () => {
    const one = server('one', { 'tools/call': created });
    const gateway = testGateway([one, server('two', {})]);
    const { body } = await ask(gateway, '/mcp/one', 'tools/call', { name: 'echo', arguments: { text: 'x' } });
    const { taskId } = body.result as { taskId: string };
    const other = { principal: { ...agent, id: 'key:2' } };
    for (const [path, id, more] of [
      ['/mcp/one', taskId, other],
      ['/mcp/two', taskId, {}],
      ['/mcp/one', 'T 1', {}],
      ['/mcp/one', `${taskId}A`, {}],
      ['/mcp/one', 'x'.repeat(100_000), {}],
      ['/mcp/one', 7, {}],
    ] as const)
      expect((await ask(gateway, path, 'tasks/get', { taskId: id }, more)).body).toMatchObject({ error: { code: -32602 } });
    expect(one.calls).toHaveLength(1);
  });

  it('needs the extension, before anything is looked up', async () => {
    verifies('basic-capability-error');
    const gateway = testGateway([server('s', {})]);
    for (const method of ['tasks/get', 'tasks/update', 'tasks/cancel']) {
      const { answer, body } = await ask(gateway, '/mcp', method, { taskId: 'nothing' }, { capabilities: {} });
      expect(body).toMatchObject({ error: { code: -32021, data: { requiredCapabilities: TASKS } } });
      expect(answer.status).toBe(400);
    }
  });

  it('is an error of the server where the client did not declare the extension, or it has no id', async () => {
    verifies('version-extension-fallback', 'basic-result-types');
    const call = { name: 'echo', arguments: { text: 'x' } };
    const undeclared = await ask(testGateway([server('s', { 'tools/call': created })]), '/mcp/s', 'tools/call', call, { capabilities: {} });
    expect(undeclared.body).toMatchObject({ result: { isError: true } });
    expect(undeclared.body).not.toHaveProperty('result.taskId');
    const nameless: Outcome = { kind: 'task', result: jsonText({ resultType: 'task', status: 'working' }) };
    const { body } = await ask(testGateway([server('s', { 'tools/call': nameless })]), '/mcp/s', 'tools/call', call);
    expect(body).toMatchObject({ result: { isError: true } });
    const read = testGateway([server('s', { 'acme/do': created })]);
    expect((await ask(read, '/mcp/s', 'acme/do', {})).body).toMatchObject({ error: { code: -32603 } });
  });
});

describe('a sealed task id', () => {
  it('is the same each time, and opens for its principal only', () => {
    const sealer = createSealer(Buffer.alloc(32, 3));
    const ref = { server: 's', era: 'modern', id: 'id"\n', principal: 'p' } as const;
    const sealed = sealTaskId(sealer, ref);
    expect(sealTaskId(sealer, ref)).toBe(sealed);
    expect(openTaskId(sealer, sealed, 'p')).toEqual({ server: 's', era: 'modern', id: 'id"\n' });
    expect(openTaskId(sealer, sealed, 'q')).toBeUndefined();
    expect(openTaskId(sealer, sealer.seal('state', '["s","modern","p","x"]'), 'p')).toBeUndefined();
    // Header values carry it: Mcp-Name.
    expect(sealed).toMatch(/^[\w.-]+$/);
  });
});
