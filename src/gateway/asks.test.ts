import { describe, expect, it, vi } from 'vitest';
import {
  inputRequiredResult,
  jsonText,
  META,
  TASKS_EXTENSION,
  type AskClient,
  type Call,
  type CallContext,
  type JsonObject,
  type LegacyRevision,
  type Outcome,
} from '../protocol/index.ts';
import type { Incoming } from './frame.ts';
import { STATE_LIFETIME_MS } from './states.ts';
import { agent, itemsOf, requestOf, testGateway, TestPort, type TestGateway, type TestServer } from './testing.ts';

const elicit = (message: string): string =>
  JSON.stringify({ method: 'elicitation/create', params: { mode: 'form', message, requestedSchema: { type: 'object', properties: {} } } });
const sample = '{"method":"sampling/createMessage","params":{"messages":[],"maxTokens":1}}';
const roots = '{"method":"roots/list"}';
const visit = JSON.stringify({ method: 'elicitation/create', params: { mode: 'url', message: 'go', url: 'https://x.example' } });

const asking = (asks: Record<string, string>, state?: string): Outcome => ({
  kind: 'input_required',
  result: inputRequiredResult(new Map(Object.entries(asks)), state),
});
const done: Outcome = { kind: 'complete', result: jsonText({ content: [{ type: 'text', text: 'done' }] }) };
const everything: JsonObject = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} };

interface Leg {
  readonly state: string | undefined;
  readonly answers: string | undefined;
  readonly offers: string;
}

/** A server that goes through `outcomes`, one per leg, and stays at the last. */
function scripted(name: string, outcomes: readonly Outcome[], via = 'http-modern'): TestServer & { legs: Leg[] } {
  const legs: Leg[] = [];
  const handle = (call: Call, { onEvent }: CallContext): Outcome => {
    const outcome = outcomes[Math.min(legs.length, outcomes.length - 1)] as Outcome;
    legs.push({ state: call.state, answers: call.answers?.text, offers: call.offers.text });
    onEvent({ kind: 'attempt', attempt: { server: name, via, durationMs: 1, outcome: 'ok' } });
    return outcome;
  };
  return { name, handle, legs };
}

const NAMES: Readonly<Record<string, string>> = { '/mcp': 's__echo', '/mcp/s': 'echo' };
const echo = (path: string): JsonObject => ({ name: NAMES[path], arguments: { text: 'x' } });

/** A request of a modern client that declared these capabilities. */
const modern = (gateway: TestGateway, path: string, params: JsonObject, capabilities = everything, more: Partial<Incoming> = {}) => {
  const request = requestOf('tools/call', { ...params, _meta: { [META.clientCapabilities]: capabilities } });
  return gateway.ask(path, 'tools/call', {}, { request, client: { revision: '2026-07-28', info: undefined, capabilities }, ...more });
};

const resultOf = (body: JsonObject): JsonObject => body.result as JsonObject;

describe('input_required for a modern client', () => {
  it('shows the asks with a sealed state, and gives the server its own state back with the answers', async () => {
    verifies('mrtr-client-echo', 'mrtr-kinds');
    const server = scripted('s', [asking({ a: elicit('Who?') }, 'st"ate\u2028'), asking({ b: sample }, 'two'), done]);
    const gateway = testGateway([server]);
    const first = await modern(gateway, '/mcp/s', echo('/mcp/s'));
    const asked = resultOf(first.body);
    expect(asked).toMatchObject({ resultType: 'input_required', inputRequests: { a: JSON.parse(elicit('Who?')) as JsonObject } });
    expect(asked.requestState).not.toContain('ate');
    expect(gateway.records[0]).toMatchObject({ outcome: 'input_required', tool: 'echo' });
    const inputResponses = { a: { action: 'accept', content: {} } };
    const second = await modern(gateway, '/mcp/s', { ...echo('/mcp/s'), inputResponses, requestState: asked.requestState });
    expect(server.legs[1]).toEqual({ state: 'st"ate\u2028', answers: JSON.stringify(inputResponses), offers: JSON.stringify(everything) });
    const { requestState } = resultOf(second.body);
    expect(requestState).not.toBe(asked.requestState);
    const third = await modern(gateway, '/mcp/s', { requestState, inputResponses: {}, arguments: { text: 'x' }, name: 'echo' });
    expect(third.body).toMatchObject({ result: { content: [{ text: 'done' }] } });
    expect(server.legs[2]?.state).toBe('two');
  });

  it('keeps the server’s bytes on its own endpoint', async () => {
    verifies('basic-meta-reserved');
    const odd = '{"method":"roots/list","params":{"n":12345678901234567890},"extra":1.0}';
    const { answer } = await modern(testGateway([scripted('s', [asking({ a: odd })])]), '/mcp/s', echo('/mcp/s'));
    expect(answer.text).toContain(`"inputRequests":{"a":${odd}}`);
  });

  it('names the server on the joined endpoint only', async () => {
    const gateway = testGateway([scripted('s', [asking({ a: elicit('Who?'), r: roots })])]);
    const message = async (path: string): Promise<unknown> => {
      const { inputRequests } = resultOf((await modern(gateway, path, echo(path))).body) as { inputRequests: JsonObject };
      expect(inputRequests.r).toEqual(JSON.parse(roots));
      return (inputRequests.a as { params: JsonObject }).params.message;
    };
    expect([await message('/mcp'), await message('/mcp/s')]).toEqual(['[s] Who?', 'Who?']);
  });

  it('has no state where the server gave none, and passes answers without one', async () => {
    verifies('mrtr-client-no-state', 'mrtr-something');
    const server = scripted('s', [asking({ a: elicit('Who?') }), done]);
    const gateway = testGateway([server]);
    const { body } = await modern(gateway, '/mcp/s', echo('/mcp/s'));
    expect(resultOf(body)).not.toHaveProperty('requestState');
    await modern(gateway, '/mcp/s', { ...echo('/mcp/s'), inputResponses: { a: { action: 'cancel' } } });
    expect(server.legs[1]).toMatchObject({ state: undefined, answers: '{"a":{"action":"cancel"}}' });
  });

  it('refuses a state that is foreign, changed, expired or not given out, before the server sees it', async () => {
    verifies('mrtr-untrusted', 'mrtr-integrity', 'mrtr-rejected', 'mrtr-validated');
    const server = scripted('s', [asking({ a: elicit('Who?') }, 'state')]);
    let now = 1_000_000;
    const gateway = testGateway([server, { ...scripted('o', [done]) }]);
    const clock = { now: () => now };
    const services = { ...gateway.services, clock };
    Object.assign(gateway.services, services);
    const { requestState } = resultOf((await modern(gateway, '/mcp/s', echo('/mcp/s'))).body) as { requestState: string };
    const retry = { ...echo('/mcp/s'), requestState };
    const attempts: readonly (readonly [string, JsonObject, Partial<Incoming>?])[] = [
      ['/mcp/s', retry, { principal: { ...agent, id: 'key:2' } }],
      ['/mcp/s', { ...retry, arguments: { text: 'y' } }],
      ['/mcp/s', { ...retry, requestState: `${requestState}A` }],
      ['/mcp/s', { ...retry, requestState: 'state' }],
      ['/mcp/s', { ...retry, requestState: 7 }],
      ['/mcp/s', { ...retry, inputResponses: [] }],
      ['/mcp', { ...retry, name: 's__echo' }],
      ['/mcp/o', retry],
    ];
    for (const [path, params, more] of attempts)
      expect((await modern(gateway, path, params, everything, more)).body).toMatchObject({ error: { code: -32602 } });
    now += STATE_LIFETIME_MS;
    expect((await modern(gateway, '/mcp/s', retry)).body).toMatchObject({ error: { code: -32602 } });
    expect(server.legs).toHaveLength(1);
    now -= 1;
    expect((await modern(gateway, '/mcp/s', retry)).body).toHaveProperty('result');
  });

  it('is -32021 with the capability where an ask was not declared', async () => {
    verifies('mrtr-declared', 'basic-capability-error', 'basic-capabilities');
    for (const [ask, capabilities, required] of [
      [elicit('?'), { sampling: {} }, { elicitation: {} }],
      [visit, { elicitation: {} }, { elicitation: { url: {} } }],
      [sample, { elicitation: {} }, { sampling: {} }],
      [roots, {}, { roots: {} }],
    ] as const) {
      const { answer, body } = await modern(
        testGateway([scripted('s', [asking({ a: ask }, 'x')])]),
        '/mcp/s',
        echo('/mcp/s'),
        capabilities,
      );
      expect(body).toMatchObject({ error: { code: -32021, data: { requiredCapabilities: required } } });
      expect(answer.status).toBe(400);
    }
  });

  it('is an error of the server where it is malformed, or for a method that cannot ask', async () => {
    verifies('mrtr-methods');
    const malformed: Outcome = {
      kind: 'input_required',
      result: jsonText({ resultType: 'input_required', inputRequests: { a: { method: 'x' } } }),
    };
    const nothing: Outcome = { kind: 'input_required', result: jsonText({ resultType: 'input_required' }) };
    for (const outcome of [malformed, nothing])
      expect((await modern(testGateway([scripted('s', [outcome])]), '/mcp/s', echo('/mcp/s'))).body).toMatchObject({
        result: { isError: true },
      });
    const gateway = testGateway([scripted('s', [asking({ a: elicit('?') })])]);
    expect((await gateway.ask('/mcp/s', 'acme/do', {})).body).toMatchObject({ error: { code: -32603 } });
  });

  it('asks for the URLs that a legacy server wants visited first', async () => {
    const error = {
      code: -32042,
      message: 'Log in',
      data: { elicitations: [{ mode: 'url', elicitationId: 'e1', url: 'https://x.example', message: 'Log in' }] },
    };
    const server = scripted('s', [{ kind: 'error', error }, done], 'http-legacy');
    const gateway = testGateway([server]);
    const { body } = await modern(gateway, '/mcp', echo('/mcp'));
    const params = { mode: 'url', url: 'https://x.example', message: '[s] Log in' };
    expect(resultOf(body)).toMatchObject({ resultType: 'input_required', inputRequests: { e1: { method: 'elicitation/create', params } } });
    expect(resultOf(body)).not.toHaveProperty('requestState');
    const retry = { ...echo('/mcp'), inputResponses: { e1: { action: 'accept' } } };
    expect((await modern(gateway, '/mcp', retry)).body).toMatchObject({ result: { content: [{ text: 'done' }] } });
    const poor = await modern(testGateway([scripted('s', [{ kind: 'error', error }], 'http-legacy')]), '/mcp', echo('/mcp'), {
      elicitation: {},
    });
    expect(poor.body).toMatchObject({ error: { code: -32021 } });
    const modernServer = testGateway([scripted('s', [{ kind: 'error', error }])]);
    expect((await modern(modernServer, '/mcp', echo('/mcp'))).body).toMatchObject({ error: { code: -32603 } });
  });

  it('leaves the error to a legacy client, with the server’s name on the joined endpoint', async () => {
    const data = { elicitations: [{ mode: 'url', elicitationId: 'e1', url: 'https://x.example', message: 'Log in' }, 7] };
    const gateway = testGateway([scripted('s', [{ kind: 'error', error: { code: -32042, message: 'Log in', data } }], 'http-legacy')]);
    const client = { revision: '2025-11-25' as const, info: undefined, capabilities: everything };
    expect((await gateway.ask('/mcp/s', 'tools/call', echo('/mcp/s'), { client })).body).toMatchObject({ error: { code: -32042, data } });
    expect((await gateway.ask('/mcp', 'tools/call', echo('/mcp'), { client })).body).toMatchObject({
      error: { code: -32042, data: { elicitations: [{ elicitationId: 'e1', message: '[s] Log in' }, 7] } },
    });
  });

  it('concerns neither legacy requests nor methods that cannot ask: a state of theirs is not ours', async () => {
    const server = scripted('s', [done]);
    const gateway = testGateway([server]);
    const client = { revision: '2025-11-25' as const, info: undefined, capabilities: {} };
    const params = { ...echo('/mcp/s'), requestState: 'x', inputResponses: 7 };
    expect((await gateway.ask('/mcp/s', 'tools/call', params, { client })).body).toHaveProperty('result');
    expect((await gateway.ask('/mcp/s', 'acme/do', { requestState: 'x' })).body).toHaveProperty('result');
    expect(server.legs).toMatchObject([
      { state: undefined, answers: undefined },
      { state: undefined, answers: undefined },
    ]);
  });

  it('works for prompts and resources', async () => {
    const server = scripted('s', [asking({ a: elicit('?') }, 'x'), done]);
    const gateway = testGateway([{ ...server, entry: { prompts: itemsOf('name', [{ name: 'p' }]) } }]);
    const client = { revision: '2026-07-28' as const, info: undefined, capabilities: everything };
    for (const [method, params] of [
      ['prompts/get', { name: 'p' }],
      ['resources/read', { uri: 'file:///a' }],
    ] as const) {
      server.legs.length = 0;
      const { body } = await gateway.ask('/mcp/s', method, params, { client });
      const retry = { ...params, requestState: resultOf(body).requestState, inputResponses: {} };
      expect((await gateway.ask('/mcp/s', method, retry, { client })).body).toHaveProperty('result.content');
      expect(server.legs[1]?.state).toBe('x');
    }
  });
});

describe('asks of a modern server for a legacy client', () => {
  const yes: AskClient = () => Promise.resolve({ result: jsonText({ action: 'accept', content: { n: 1 } }) });
  const inSession = (
    server: TestServer,
    { answer = yes, capabilities = everything, revision = '2025-11-25' as LegacyRevision, path = '/mcp/s' },
  ) => {
    const port = new TestPort({ answer });
    const gateway = testGateway([server]);
    const client = { revision, info: undefined, capabilities };
    const asked = gateway.ask(path, 'tools/call', echo(path), { client, port });
    return { port, gateway, asked };
  };

  it('go to its session, all of a round side by side, and the call is sent again with answers and state', async () => {
    verifies('mrtr-client-inputs', 'mrtr-client-echo', 'mrtr-client-own');
    const server = scripted('s', [asking({ a: elicit('A?'), b: sample }, 'one'), asking({ c: roots }), done]);
    const waiting: (() => void)[] = [];
    const answer: AskClient = ({ method }) =>
      new Promise((resolve) => {
        waiting.push(() => resolve({ result: jsonText({ method }) }));
        // Both asks of the first round must be open before either is answered.
        if (waiting.length >= 2) for (const resume of waiting) resume();
      });
    const { port, gateway, asked } = inSession(server, { answer, path: '/mcp' });
    expect((await asked).body).toEqual({ jsonrpc: '2.0', id: 1, result: { content: [{ type: 'text', text: 'done' }] } });
    expect(port.asked.map(({ method, params }) => [method, params?.value.message])).toEqual([
      ['elicitation/create', '[s] A?'],
      ['sampling/createMessage', undefined],
      ['roots/list', undefined],
    ]);
    expect(server.legs.slice(1)).toMatchObject([
      { state: 'one', answers: '{"a":{"method":"elicitation/create"},"b":{"method":"sampling/createMessage"}}' },
      { state: undefined, answers: '{"c":{"method":"roots/list"}}' },
    ]);
    expect(gateway.records).toHaveLength(1);
    expect(gateway.records[0]).toMatchObject({ inputRounds: 2, outcome: 'ok' });
    expect(gateway.records[0]?.attempts).toHaveLength(3);
  });

  it('give a URL elicitation an id of its own', async () => {
    const { port, asked } = inSession(scripted('s', [asking({ a: visit, b: visit }), done]), {});
    await asked;
    const ids = port.asked.map(({ params }) => params?.value.elicitationId);
    expect(new Set(ids).size).toBe(2);
    for (const id of ids) expect(typeof id).toBe('string');
  });

  it('end with a result that the model sees where the client lacks the capability or its revision the words', async () => {
    for (const options of [{ capabilities: { sampling: {} } }, { revision: '2025-03-26' as const }, { capabilities: {} }]) {
      const server = scripted('s', [asking({ a: elicit('?') })]);
      const { port, asked } = inSession(server, options);
      const { body } = await asked;
      expect(body).toMatchObject({ result: { isError: true } });
      expect(JSON.stringify(body)).toContain('elicitation');
      expect(port.asked).toEqual([]);
      expect(server.legs).toHaveLength(1);
    }
  });

  it('end the call with the first error in place of an answer, and its reason; "decline" and "cancel" are answers', async () => {
    const refuse: AskClient = () => Promise.resolve({ error: { code: -1, message: 'User rejected' } });
    const server = scripted('s', [asking({ a: elicit('?') }, 'x')]);
    const { port, asked } = inSession(server, { answer: refuse });
    const refused = JSON.stringify((await asked).body);
    expect([port.asked.length, server.legs.length]).toEqual([1, 1]);
    expect(refused).toContain('User rejected');
    expect(refused).toContain('"isError":true');
    for (const action of ['decline', 'cancel']) {
      const goesOn = scripted('s', [asking({ a: elicit('?') }), done]);
      await inSession(goesOn, { answer: () => Promise.resolve({ result: jsonText({ action }) }) }).asked;
      expect(goesOn.legs[1]?.answers).toBe(`{"a":{"action":"${action}"}}`);
    }
  });

  it('are an error of the protocol for a method that has no results of errors', async () => {
    const server = scripted('s', [asking({ a: elicit('?') })]);
    const gateway = testGateway([{ ...server, entry: { prompts: itemsOf('name', [{ name: 'p' }]) } }]);
    const client = { revision: '2025-11-25' as const, info: undefined, capabilities: everything };
    const port = new TestPort({ answer: () => Promise.resolve({ error: { code: -1, message: 'User rejected' } }) });
    const { body } = await gateway.ask('/mcp/s', 'prompts/get', { name: 'p' }, { client, port });
    expect(body).toMatchObject({ error: { code: -32603, message: expect.stringContaining('User rejected') as string } });
  });

  it('are taken back from the client when another one ends the call', async () => {
    const refuse: AskClient = () => Promise.resolve({ error: { code: -1, message: 'User rejected' } });
    const sampling = scripted('s', [asking({ a: elicit('?'), b: sample })]);
    let aborted = false;
    const answer: AskClient = (ask, signal) =>
      ask.method === 'sampling/createMessage'
        ? refuse(ask, signal)
        : new Promise((resolve) => {
            signal.addEventListener('abort', () => {
              aborted = true;
              resolve({ error: { code: -1, message: 'aborted' } });
            });
          });
    const { body } = await inSession(sampling, { answer }).asked;
    expect(body).toMatchObject({ result: { isError: true } });
    expect([aborted, sampling.legs.length]).toEqual([true, 1]);
  });

  it('end after eight rounds', async () => {
    const server = scripted('s', [asking({ a: elicit('?') }, 'x')]);
    const { port, asked } = inSession(server, {});
    const { body } = await asked;
    expect(body).toMatchObject({ result: { isError: true } });
    expect(JSON.stringify(body)).toContain('asked for input 8 times and came to no result');
    expect([port.asked.length, server.legs.length]).toEqual([8, 9]);
  });

  it('are paced where a server only wants to be called again', async () => {
    vi.useFakeTimers();
    try {
      const server = scripted('s', [asking({}, 'a'), asking({}, 'b'), done]);
      const { asked } = inSession(server, {});
      await vi.advanceTimersByTimeAsync(249);
      expect(server.legs).toHaveLength(1);
      await vi.advanceTimersByTimeAsync(1);
      expect(server.legs).toHaveLength(2);
      await vi.advanceTimersByTimeAsync(499);
      expect(server.legs).toHaveLength(2);
      await vi.advanceTimersByTimeAsync(1);
      expect((await asked).body).toHaveProperty('result.content');
      expect(server.legs.map(({ state }) => state)).toEqual([undefined, 'a', 'b']);
    } finally {
      vi.useRealTimers();
    }
  });

  it('are not repeated for a client that canceled meanwhile', async () => {
    const server = scripted('s', [asking({ a: elicit('?') }), done]);
    const controller = new AbortController();
    const gateway = testGateway([server]);
    const answer: AskClient = () => {
      controller.abort();
      return Promise.resolve({ error: { code: -1, message: 'canceled' } });
    };
    const client = { revision: '2025-11-25' as const, info: undefined, capabilities: everything };
    await gateway.ask('/mcp/s', 'tools/call', echo('/mcp/s'), { client, port: new TestPort({ answer }), signal: controller.signal });
    expect(server.legs).toHaveLength(1);
    expect(gateway.records[0]?.outcome).toBe('canceled');
  });

  it('reach it directly from a target that asks while the call is open, in its own words', async () => {
    const answers: unknown[] = [];
    const handle = async (_call: Call, { ask, signal }: CallContext): Promise<Outcome> => {
      const { params } = JSON.parse(elicit('Who?')) as { params: JsonObject };
      answers.push(await ask?.({ method: 'elicitation/create', params: jsonText(params) }, signal));
      const url = (JSON.parse(visit) as { params: JsonObject }).params;
      answers.push(await ask?.({ method: 'elicitation/create', params: jsonText(url) }, signal));
      return done;
    };
    const { port, asked } = inSession({ name: 's', handle }, { revision: '2025-06-18', path: '/mcp' });
    await asked;
    expect(port.asked.map(({ params }) => params?.value.message)).toEqual(['[s] Who?']);
    expect(answers).toEqual([
      { result: jsonText({ action: 'accept', content: { n: 1 } }) },
      { error: expect.objectContaining({ code: -32602 }) as unknown },
    ]);
  });
});

describe('capabilities that a tool requires', () => {
  const policy = { scopes: [], unlisted: 'refuse', tools: { echo: { requires: { sampling: {} } } } } as const;

  it('are checked before the server sees the call', async () => {
    const server = { ...scripted('s', [done]), policy };
    const gateway = testGateway([server]);
    const { answer, body } = await modern(gateway, '/mcp/s', echo('/mcp/s'), { elicitation: {} });
    expect([answer.status, body.error]).toMatchObject([400, { code: -32021, data: { requiredCapabilities: { sampling: {} } } }]);
    const client = { revision: '2025-11-25' as const, info: undefined, capabilities: {} };
    expect((await gateway.ask('/mcp/s', 'tools/call', echo('/mcp/s'), { client })).body).toMatchObject({ result: { isError: true } });
    expect(server.legs).toHaveLength(0);
    expect((await modern(gateway, '/mcp/s', echo('/mcp/s'), { sampling: {} })).body).toHaveProperty('result.content');
  });
});

describe('what is offered to a server', () => {
  const offered = async (path: string, capabilities: JsonObject): Promise<string | undefined> => {
    const server = scripted('s', [done]);
    await modern(testGateway([server]), path, echo(path), capabilities);
    return server.legs[0]?.offers;
  };

  it('is what the client declared, cut on the joined endpoint to what that can relay', async () => {
    const odd = { elicitation: {}, extensions: { 'acme/x': {}, [TASKS_EXTENSION]: {} }, odd: 1 };
    expect(await offered('/mcp/s', odd)).toBe(JSON.stringify(odd));
    expect(await offered('/mcp', odd)).toBe(JSON.stringify({ elicitation: {}, extensions: { [TASKS_EXTENSION]: {} } }));
    expect(await offered('/mcp', {})).toBe('{}');
  });

  it('is nothing for a legacy client that cannot be asked, else what its revision knows', async () => {
    const client = { revision: '2025-06-18' as const, info: undefined, capabilities: { ...everything, tasks: {} } };
    const server = scripted('s', [done]);
    const gateway = testGateway([server]);
    await gateway.ask('/mcp/s', 'tools/call', echo('/mcp/s'), { client });
    const port = new TestPort({ answer: () => Promise.reject(new Error('unused')) });
    await gateway.ask('/mcp/s', 'tools/call', echo('/mcp/s'), { client, port });
    expect(server.legs.map(({ offers }) => offers)).toEqual(['{}', '{"elicitation":{},"sampling":{},"roots":{}}']);
  });
});
