import { describe, expect, it } from 'vitest';
import { jsonText, type Outcome } from '../protocol/index.ts';
import { PIPELINE } from './pipeline.ts';
import { agent, ECHO, testGateway } from './testing.ts';

const ok = (text: string): Outcome => ({ kind: 'complete', result: jsonText({ content: [{ type: 'text', text }] }) });
const legacy = (revision: '2025-03-26' | '2025-06-18' | '2025-11-25') => ({ client: { revision, info: undefined, capabilities: {} } });

describe('the pipeline table', () => {
  it('is pinned, step by step', () => {
    expect(PIPELINE.map(({ name, kinds }) => `${name}: ${kinds.join(' ')}`)).toEqual([
      'admit: call read list session server',
      'resolve_target: call',
      'resolve_subject: read session',
      'authorize: call read session',
      'check_headers: call',
      'open_state: call read',
      'validate_arguments: call',
      'execute: call read',
      'validate_result: call',
      'show_result: call read',
      'list_items: list',
      'change_session: session',
      'describe_server: server',
      'open_watch: listen',
    ]);
  });
});

describe('a call', () => {
  it('reaches the server under its own name and is recorded once with every step', async () => {
    const seen: unknown[] = [];
    const gateway = testGateway([{ name: 'files', handle: (call) => (seen.push(call.subject?.value, call.params?.value.name), ok('hi')) }]);
    const { body } = await gateway.ask('/mcp', 'tools/call', { name: 'files__echo', arguments: { text: 'x' } });
    expect(body).toMatchObject({
      id: 1,
      result: { content: [{ text: 'hi' }], resultType: 'complete', _meta: { 'io.modelcontextprotocol/serverInfo': { name: 'gw' } } },
    });
    expect(seen).toEqual(['echo', 'files__echo']);
    expect(gateway.records).toHaveLength(1);
    expect(gateway.records[0]).toMatchObject({ server: 'files', tool: 'echo', outcome: 'ok', sideEffect: 'write', endpoint: '/mcp' });
    expect(gateway.records[0]?.stepMs).toHaveLength(9);
    expect(gateway.records[0]?.stepNames).toEqual([
      'admit',
      'resolve_target',
      'authorize',
      'check_headers',
      'open_state',
      'validate_arguments',
      'execute',
      'validate_result',
      'show_result',
    ]);
    expect(gateway.services.inFlight.size).toBe(0);
  });

  it('keeps names untouched on the server’s own endpoint and answers with the server’s identity', async () => {
    const gateway = testGateway([{ name: 'files', handle: () => ok('hi') }]);
    const { body } = await gateway.ask('/mcp/files', 'tools/call', { name: 'echo', arguments: { text: 'x' } });
    expect(body).toMatchObject({ result: { _meta: { 'io.modelcontextprotocol/serverInfo': { name: 'files-impl' } } } });
  });

  it('says -32602 for an unknown tool, and why where its server was not reached yet', async () => {
    const down = { state: 'backing_off', reason: 'it refused the connection', retryAt: 1 } as const;
    const gateway = testGateway([{ name: 'files' }, { name: 'news', state: down, eras: [], tools: [] }]);
    expect((await gateway.ask('/mcp', 'tools/call', { name: 'nope' })).body).toMatchObject({
      error: { code: -32602, message: expect.stringContaining('Unknown tool: nope') as string },
    });
    const { body } = await gateway.ask('/mcp', 'tools/call', { name: 'news__latest' });
    expect(JSON.stringify(body)).toContain('it refused the connection');
    expect(body).toMatchObject({ result: { isError: true } });
  });

  it('refuses a tool whose scope the key lacks, and does not list it', async () => {
    const gateway = testGateway([{ name: 'files', scopes: ['trade:write'], handle: () => ok('never') }]);
    const { body } = await gateway.ask('/mcp', 'tools/call', { name: 'files__echo', arguments: { text: 'x' } });
    expect(body).toMatchObject({ result: { isError: true, content: [{ text: expect.stringContaining('trade:write') as string }] } });
    expect(gateway.records[0]).toMatchObject({ outcome: 'refused', errorCode: 'forbidden' });
    expect((await gateway.ask('/mcp', 'tools/list', {})).body).toMatchObject({ result: { tools: [] } });
    const wide = { principal: { ...agent, scopes: new Set(['trade:write']) } };
    expect((await gateway.ask('/mcp', 'tools/list', {}, wide)).body).toMatchObject({ result: { tools: [{ name: 'files__echo' }] } });
  });

  it('answers invalid arguments as a result from 2025-11-25 on and as -32602 before', async () => {
    const gateway = testGateway([{ name: 'files', handle: () => ok('never') }]);
    const call = { name: 'echo', arguments: { text: 1 } };
    expect((await gateway.ask('/mcp/files', 'tools/call', call)).body).toMatchObject({ result: { isError: true } });
    expect((await gateway.ask('/mcp/files', 'tools/call', call, legacy('2025-11-25'))).body).toMatchObject({ result: { isError: true } });
    expect((await gateway.ask('/mcp/files', 'tools/call', call, legacy('2025-06-18'))).body).toMatchObject({ error: { code: -32602 } });
    expect((await gateway.ask('/mcp/files', 'tools/call', call, legacy('2025-03-26'))).body).toMatchObject({ error: { code: -32602 } });
  });

  it('checks mirrored arguments where the transport has headers', async () => {
    verifies('http-value-compared', 'http-value-400');
    const tool = { name: 'q', inputSchema: { type: 'object', properties: { region: { type: 'string', 'x-mcp-header': 'Region' } } } };
    const gateway = testGateway([{ name: 'db', tools: [tool], handle: () => ok('rows') }]);
    const call = { name: 'q', arguments: { region: 'eu' } };
    const missing = await gateway.ask('/mcp/db', 'tools/call', call, { headers: {} });
    expect(missing.answer.status).toBe(400);
    expect(missing.body).toMatchObject({ error: { code: -32020 } });
    expect((await gateway.ask('/mcp/db', 'tools/call', call, { headers: { 'mcp-param-region': 'eu' } })).body).toMatchObject({
      result: { content: [{ text: 'rows' }] },
    });
    expect((await gateway.ask('/mcp/db', 'tools/call', call)).body).toMatchObject({ result: { content: [{ text: 'rows' }] } });
  });

  it('keeps the content of a result that breaks its outputSchema and says so', async () => {
    const tool = { ...ECHO, outputSchema: { type: 'object', properties: { n: { type: 'number' } }, required: ['n'] } };
    const result = jsonText({ content: [{ type: 'text', text: 'the answer' }], structuredContent: { n: 'x' } });
    const gateway = testGateway([{ name: 'files', tools: [tool], handle: () => ({ kind: 'complete', result }) }]);
    const { body } = await gateway.ask('/mcp/files', 'tools/call', { name: 'echo', arguments: { text: 'x' } });
    const content = [{ text: expect.stringContaining('does not match its outputSchema') as string }, { text: 'the answer' }];
    expect(body).toMatchObject({ result: { isError: true, content } });
    expect(body).not.toHaveProperty('result.structuredContent');
    expect(gateway.records[0]).toMatchObject({ outcome: 'tool_error', errorCode: 'result_invalid' });
  });

  it('reports an unknown outcome as a result that says so', async () => {
    const failure = { code: 'outcome_unknown', message: 'Server files ended in mid-call.', executed: 'unknown' } as const;
    const gateway = testGateway([{ name: 'files', handle: () => ({ kind: 'failed', failure }) }]);
    const { body } = await gateway.ask('/mcp', 'tools/call', { name: 'files__echo', arguments: { text: 'x' } });
    expect(body).toMatchObject({ result: { isError: true } });
    const [{ text }] = (body.result as { content: [{ text: string }] }).content;
    expect(JSON.parse(text)).toEqual({ code: 'outcome_unknown', message: failure.message, retryable: false, executed: 'unknown' });
  });

  it('turns a target that throws into an internal error without its message', async () => {
    const gateway = testGateway([
      {
        name: 'files',
        handle: () => {
          throw new Error('secret detail');
        },
      },
    ]);
    const { body } = await gateway.ask('/mcp', 'tools/call', { name: 'files__echo', arguments: { text: 'x' } });
    expect(body).toMatchObject({ error: { code: -32603 } });
    expect(JSON.stringify(body)).not.toContain('secret detail');
    expect(gateway.services.inFlight.size).toBe(0);
  });

  it('answers 429 beyond its cap and works again after', async () => {
    let release: (outcome: Outcome) => void = () => undefined;
    const gateway = testGateway([{ name: 'files', handle: () => new Promise((resolve) => (release = resolve)) }], { inFlight: 1 });
    const first = gateway.ask('/mcp/files', 'tools/call', { name: 'echo', arguments: { text: 'x' } });
    await Promise.resolve();
    const second = await gateway.ask('/mcp/files', 'tools/list', {});
    expect(second.answer).toMatchObject({ status: 429, retryAfterMs: 1000 });
    release(ok('done'));
    expect((await first).body).toMatchObject({ result: { content: [{ text: 'done' }] } });
    expect((await gateway.ask('/mcp/files', 'tools/list', {})).answer.status).toBe(200);
  });

  it('translates an upstream’s error codes for each era', async () => {
    verifies('basic-client-legacy-range', 'basic-error-reserved');
    const error = (code: number): Outcome => ({ kind: 'error', error: { code, message: 'no' } });
    let code = -32020;
    const gateway = testGateway([
      {
        name: 'files',
        handle(_call, { onEvent }) {
          onEvent({ kind: 'attempt', attempt: { server: 'files', via: 'http-modern', durationMs: 1, outcome: 'ok' } });
          return error(code);
        },
      },
    ]);
    const call = { name: 'echo', arguments: { text: 'x' } };
    const { answer, body } = await gateway.ask('/mcp/files', 'tools/call', call);
    expect(body).toMatchObject({ error: { code: -32603, data: { upstreamCode: -32020 } } });
    expect(answer.status).toBe(200);
    code = -32021;
    expect((await gateway.ask('/mcp/files', 'tools/call', call)).answer.status).toBe(400);
    expect((await gateway.ask('/mcp/files', 'tools/call', call, legacy('2025-11-25'))).body).not.toHaveProperty('error.code', -32021);
  });
});
