import { describe, expect, it } from 'vitest';
import { META, missingCapability, TASKS_EXTENSION, type JsonObject, type Outcome } from '../protocol/index.ts';
import type { ServerPolicy, ToolPolicy } from './frame.ts';
import { requestOf, testGateway, type TestGateway } from './testing.ts';

/** What clients see of servers whose tools we call as tasks (PROTOCOL A3). */

const TASKS = { extensions: { [TASKS_EXTENSION]: {} } };
const policyOf = (tasks: ToolPolicy['tasks'], requires: JsonObject = {}): ServerPolicy => ({
  scopes: [],
  unlisted: 'refuse',
  tools: { echo: { tasks, requires } },
});
const legacy = { client: { revision: '2025-11-25', info: undefined, capabilities: {} } } as const;

async function extensions(gateway: TestGateway, path: string, era: 'modern' | 'legacy' = 'modern'): Promise<unknown> {
  const asked = era === 'modern' ? gateway.ask(path, 'server/discover', {}) : gateway.ask(path, 'initialize', {}, legacy);
  return ((await asked).body.result as { capabilities: JsonObject }).capabilities.extensions;
}

function callEcho(gateway: TestGateway, capabilities: JsonObject): ReturnType<TestGateway['ask']> {
  const params = { name: 'echo', arguments: { text: 'x' }, _meta: { [META.clientCapabilities]: capabilities } };
  const client = { revision: '2026-07-28', info: undefined, capabilities } as const;
  return gateway.ask('/mcp/s', 'tools/call', {}, { request: requestOf('tools/call', params), client });
}

describe('a server whose tools we call as tasks', () => {
  it.each(['always', 'after_input', 'required'] as const)('has the extension where the policy is %s, for modern clients', async (tasks) => {
    const gateway = testGateway([{ name: 'plain' }, { name: 's', policy: policyOf(tasks) }]);
    for (const path of ['/mcp', '/mcp/s']) expect(await extensions(gateway, path)).toEqual({ [TASKS_EXTENSION]: {} });
    expect(await extensions(gateway, '/mcp/plain')).toBeUndefined();
    for (const path of ['/mcp', '/mcp/s']) expect(await extensions(gateway, path, 'legacy')).toBeUndefined();
  });

  it.each(['never', undefined] as const)('has not where the policy is %s', async (tasks) => {
    const gateway = testGateway([{ name: 's', policy: policyOf(tasks) }]);
    for (const path of ['/mcp', '/mcp/s']) expect(await extensions(gateway, path)).toBeUndefined();
  });

  it('needs the extension, and what else its policy says, before it sees a required call', async () => {
    let calls = 0;
    const handle = (): Outcome => (calls++, { kind: 'error', error: { code: 1, message: 'seen' } });
    const gateway = testGateway([{ name: 's', policy: policyOf('required', { sampling: {} }), handle }]);
    const poor = await callEcho(gateway, {});
    expect(poor.answer.status).toBe(400);
    expect(poor.body).toMatchObject({ error: { code: -32021, data: { requiredCapabilities: { ...TASKS, sampling: {} } } } });
    expect((await callEcho(gateway, { sampling: {} })).body).toMatchObject({ error: { data: { requiredCapabilities: TASKS } } });
    const old = await gateway.ask('/mcp/s', 'tools/call', { name: 'echo', arguments: { text: 'x' } }, legacy);
    expect(old.body).toMatchObject({ result: { isError: true } });
    expect(calls).toBe(0);
    expect((await callEcho(gateway, { ...TASKS, sampling: {} })).body).toMatchObject({ error: { message: 'seen' } });
  });
});

describe('a legacy server that asks for what was not declared', () => {
  it('is refused with the capability that is missing', async () => {
    const error = missingCapability({ sampling: {} });
    const gateway = testGateway([
      {
        name: 's',
        handle(_call, { onEvent }) {
          onEvent({ kind: 'attempt', attempt: { server: 's', via: 'http-legacy', durationMs: 1, outcome: '-32021' } });
          return { kind: 'error', error };
        },
      },
    ]);
    const { answer, body } = await callEcho(gateway, { elicitation: {} });
    expect([answer.status, body.error]).toEqual([400, error]);
  });
});
