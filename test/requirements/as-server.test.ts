import { Agent, request as httpRequest } from 'node:http';
import { PassThrough } from 'node:stream';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GatewayHere } from '../support/gateway-here.ts';
import { endGateways } from '../support/gateway-process.ts';
import { bearer, errorOf, JSON_HEADERS, META_CAPABILITIES, modernMeta, modernRequest, textOf } from '../support/mcp-wire.ts';
import { startLocalServer, type LocalServer } from '../support/relay.ts';
import { PATIENCE_MS } from '../support/until.ts';
import { fixtureStdio } from '../support/upstreams.ts';
import { ask, type Reply } from '../support/wire.ts';

/** What clients see of us, byte for byte. */

interface Message {
  readonly jsonrpc?: string;
  readonly id?: unknown;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly code: number; readonly message: string };
}

const ASKING = {
  name: 'converse',
  arguments: {
    steps: [{ progress: 1 }, { ask: [{ method: 'elicitation/create', params: { message: '?', requestedSchema: { type: 'object' } } }] }],
  },
};
const ELICITATION = { [META_CAPABILITIES]: { elicitation: {} } };

let gateway: GatewayHere;
let server: LocalServer;
/** Params and ids of the tools/call requests that the modern server got. */
const asked: Message[] = [];

/** A modern server whose one tool asks once. */
function startAsking(): Promise<LocalServer> {
  return startLocalServer((req, res) => {
    let body = '';
    req.on('data', (chunk) => (body += String(chunk)));
    req.on('end', () => {
      const message = JSON.parse(body) as Message;
      const say = (result: object): void =>
        void res
          .writeHead(200, { 'content-type': 'application/json' })
          .end(JSON.stringify({ jsonrpc: '2.0', id: message.id, result: { resultType: 'complete', ...result } }));
      if (message.method === 'server/discover') return say({ supportedVersions: ['2026-07-28'], capabilities: { tools: {} } });
      if (message.method === 'tools/list') return say({ tools: [{ name: 'asks', inputSchema: { type: 'object' } }] });
      asked.push(message);
      if (message.params?.requestState !== undefined) return say({ content: [{ type: 'text', text: 'thanks' }] });
      const form = { mode: 'form', message: 'name?', requestedSchema: { type: 'object', properties: {} } };
      return say({
        resultType: 'input_required',
        requestState: 'opaque "state"\n',
        inputRequests: { q: { method: 'elicitation/create', params: form } },
      });
    });
  });
}

beforeAll(async () => {
  server = await startAsking();
  gateway = await GatewayHere.start({
    asking: { url: server.url, era: 'modern' },
    legacy: { ...fixtureStdio({ era: 'legacy' }), era: 'legacy', tools: { converse: { requires: { elicitation: {} } } } },
    many: { ...fixtureStdio({ era: 'modern', tools: 450 }), era: 'modern', scopes: ['account:read'] },
  });
}, PATIENCE_MS * 2);

afterAll(async () => {
  await gateway.close();
  await Promise.all([server.close(), endGateways()]);
}, PATIENCE_MS);

/** Messages of an event stream. */
const eventsOf = (reply: Reply): Message[] =>
  reply.text.split('\n').flatMap((line) => (line.startsWith('data: {') ? [JSON.parse(line.slice(6)) as Message] : []));

describe('a modern client', () => {
  it('is answered under its own id, with a result that has a type or an error that has a code', async () => {
    verifies(
      'basic-jsonrpc',
      'basic-result-id',
      'basic-result',
      'basic-result-type',
      'basic-error-id',
      'basic-error',
      'basic-error-integer',
    );
    for (const id of ['a"\n', 0, -7, 9_007_199_254_740_991, ''])
      for (const [method, params] of [
        ['tools/list', {}],
        ['server/discover', {}],
        ['tools/call', { name: 'echo', arguments: { text: 'x' } }],
        ['tools/call', { name: 'nobody' }],
        ['no/such', {}],
        ['tools/list', { cursor: 7 }],
      ] as const) {
        const { headers, body } = modernRequest(method, params, id);
        const { json } = await gateway.wire('legacy').post(JSON.stringify(body), headers);
        const message = json as unknown as Message;
        expect([message.jsonrpc, message.id]).toEqual(['2.0', id]);
        if (message.error === undefined) expect(message.result?.resultType).toBe('complete');
        else expect([Number.isInteger(message.error.code), message.error.message.length > 0]).toEqual([true, true]);
        expect('result' in message).toBe(message.error === undefined);
      }
  });

  it('may spell the names of headers as it likes, but not their values', async () => {
    verifies('http-header-case');
    const { headers, body } = modernRequest('tools/call', { name: 'echo', arguments: { text: 'x' } });
    const odd = Object.fromEntries(Object.entries(headers).map(([name, value], i) => [i % 2 === 0 ? name.toUpperCase() : name, value]));
    const url = `${gateway.url}/mcp/legacy`;
    expect(textOf(await ask(url, { headers: { ...odd, ...bearer(gateway.key) }, body: JSON.stringify(body) }))).toBe('x');
    const shouting = { ...headers, ...bearer(gateway.key), 'mcp-method': 'TOOLS/CALL' };
    expect(errorOf(await ask(url, { headers: shouting, body: JSON.stringify(body) }))?.code).toBe(-32020);
  });

  it('gets no answer to a notification', async () => {
    verifies('http-notification-202', 'basic-notification-silent', 's25-notification-202', 's25-notification-refused');
    const notice = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } });
    const taken = await gateway.wire('legacy').post(notice, { 'mcp-protocol-version': '2026-07-28' });
    expect([taken.status, taken.text]).toEqual([202, '']);
    const session = await gateway.wire('legacy').open('2025-11-25');
    const [first, second] = [await session.post(notice), await session.post('{"jsonrpc":"2.0","id":"nobody","result":{}}')];
    expect([first.status, first.text, second.status, second.text]).toEqual([202, '', 202, '']);
    await session.end();
    expect((await session.post(notice)).status).toBe(404);
  });

  it('is asked in results only, never by a request', async () => {
    verifies('http-no-requests', 'http-related', 'mrtr-only', 'cancel-nothing-else', 'basic-notification-id');
    const params = { ...ASKING, _meta: { ...modernMeta(), ...ELICITATION, progressToken: 'mine' } };
    const reply = await gateway.wire('legacy').modern('tools/call', params);
    const messages = eventsOf(reply);
    expect(messages.filter(({ id, method }) => id !== undefined && method !== undefined)).toEqual([]);
    const [progress, last] = [messages.at(0), messages.at(-1)];
    expect(progress).toMatchObject({ method: 'notifications/progress', params: { progressToken: 'mine' } });
    expect(progress).not.toHaveProperty('id');
    expect(last?.result).toMatchObject({ resultType: 'input_required', inputRequests: expect.any(Object) as object });
    expect(messages.filter(({ method }) => method === 'notifications/cancelled')).toEqual([]);
  });

  it('declares in each request what it can do: a connection remembers nothing', async () => {
    verifies('basic-stateless', 'basic-capability-error', 'basic-capability-400', 'basic-capabilities', 'basic-handles');
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const send = (declared: object): Promise<{ status: number; text: string }> =>
      new Promise((resolve, reject) => {
        const { headers, body } = modernRequest('tools/call', { ...ASKING, _meta: { ...modernMeta(), ...declared } });
        const accept = { ...headers, ...JSON_HEADERS, ...bearer(gateway.key) };
        const sent = httpRequest(`${gateway.url}/mcp/legacy`, { method: 'POST', agent, headers: accept }, (response) => {
          let text = '';
          response.on('data', (chunk) => (text += String(chunk)));
          response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
        });
        sent.on('error', reject).end(JSON.stringify(body));
      });
    expect((await send(ELICITATION)).text).toContain('input_required');
    const { status, text } = await send({});
    expect(status).toBe(400);
    expect(JSON.parse(text)).toMatchObject({ error: { code: -32021, data: { requiredCapabilities: { elicitation: {} } } } });
    agent.destroy();
  });

  it('sees extensions and our members of _meta under prefixed names', async () => {
    verifies('version-extension-ids', 'basic-meta-keys');
    for (const name of [undefined, 'legacy', 'many', 'stockpulse']) {
      const { json } = await gateway.wire(name).modern('server/discover');
      const result = json?.result as unknown as { capabilities: { extensions?: object }; _meta: object };
      const names = [...Object.keys(result.capabilities.extensions ?? {}), ...Object.keys(result._meta)];
      for (const key of names)
        expect(key).toMatch(/^[a-z]([a-z0-9-]*[a-z0-9])?(\.[a-z]([a-z0-9-]*[a-z0-9])?)*\/[a-z0-9]([a-z0-9._-]*[a-z0-9])?$/i);
    }
  });

  it('gets all pages of a list with one scope, private where others see less', async () => {
    verifies('cache-one-scope', 'cache-private-pages', 'cache-hints', 'cache-ttl');
    const scopes = new Set<unknown>();
    let cursor: unknown;
    let pages = 0;
    do {
      const { json } = await gateway.wire().modern('tools/list', cursor === undefined ? {} : { cursor });
      const result = json?.result as unknown as { cacheScope: string; ttlMs: number; nextCursor?: string };
      scopes.add(result.cacheScope);
      expect(result.ttlMs).toBeGreaterThanOrEqual(0);
      cursor = result.nextCursor;
      pages++;
    } while (cursor !== undefined);
    expect(pages).toBeGreaterThan(2);
    expect([...scopes]).toEqual(['private']);
  });
});

describe('a stdio client', () => {
  it('of the modern era gets lines with answers and notifications only, whatever it cancels', async () => {
    verifies('stdio-lines', 'stdio-only-mcp', 'stdio-no-requests', 'cancel-races', 'basic-notification-silent', 'mrtr-only');
    const [input, output] = [new PassThrough(), new PassThrough()];
    const served = gateway.gateway.serveStdio(input, output, { server: 'legacy' });
    const lines: Message[] = [];
    const read = (async () => {
      for await (const line of createInterface({ input: output })) lines.push(JSON.parse(line) as Message);
    })();
    const write = (message: object): void => void input.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
    const cancel = (requestId: unknown): void => write({ method: 'notifications/cancelled', params: { requestId } });
    const meta = { _meta: { ...modernMeta(), ...ELICITATION } };
    for (const id of ['nobody', 1, null, {}]) cancel(id);
    write({ id: 1, method: 'tools/call', params: { ...ASKING, ...meta } });
    write({ id: 2, method: 'tools/call', params: { name: 'hang', arguments: {}, ...meta } });
    cancel(2);
    cancel(2);
    write({ id: 3, method: 'tools/call', params: { name: 'echo', arguments: { text: 'line\nbreak' }, ...meta } });
    input.end();
    await served;
    cancel(3);
    output.end();
    await read;
    expect(lines.map(({ id }) => Number(id)).toSorted((a, b) => a - b)).toEqual([1, 3]);
    expect(lines.find(({ id }) => id === 1)?.result).toMatchObject({ resultType: 'input_required' });
    expect(lines.find(({ id }) => id === 3)?.result).toMatchObject({ content: [{ text: 'line\nbreak' }] });
  });
});

describe('a legacy client', () => {
  it('has a session id of visible ASCII, and no response on the stream of its GET', async () => {
    verifies('s25-session-id', 's25-get-no-response', 's25-get');
    const session = await gateway.wire('legacy').open('2025-11-25');
    expect(session.id).toMatch(/^[\x21-\x7e]+$/);
    let text = '';
    const got = await new Promise<{ type: string | undefined; drop: () => void }>((resolve, reject) => {
      const headers = { accept: 'text/event-stream', ...bearer(gateway.key), ...session.headers };
      const sent = httpRequest(`${gateway.url}/mcp/legacy`, { method: 'GET', agent: false, headers }, (response) => {
        response.on('data', (chunk) => (text += String(chunk))).on('error', () => undefined);
        resolve({ type: response.headers['content-type'], drop: () => sent.destroy() });
      });
      sent.on('error', reject).end();
    });
    expect(got.type).toBe('text/event-stream');
    const replies = await Promise.all(Array.from({ length: 20 }, (_, i) => session.call('echo', { text: `${i}` })));
    expect(replies.map(textOf)).toEqual(replies.map((_, i) => `${i}`));
    expect(text).not.toContain('"result"');
    got.drop();
    await session.end();
  });

  it('is asked for a modern server, whose call is sent again under another id with all it needs', async () => {
    verifies('mrtr-client-new-id', 'mrtr-client-meta', 'mrtr-client-echo', 'mrtr-client-inputs');
    const session = await gateway.wire('asking').open('2025-11-25', { elicitation: {} });
    const answered = new Promise<Reply>((resolve, reject) => {
      const headers = { ...JSON_HEADERS, ...bearer(gateway.key), ...session.headers };
      const sent = httpRequest(session.wire.url, { method: 'POST', agent: false, headers }, (response) => {
        let text = '';
        response.on('data', (chunk) => {
          text += String(chunk);
          const [question] = eventsOf({ text } as Reply).filter(({ method }) => method === 'elicitation/create');
          if (question === undefined || text.includes('thanks')) return;
          void session.post(JSON.stringify({ jsonrpc: '2.0', id: question.id, result: { action: 'accept', content: {} } }));
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json: undefined }));
      });
      sent
        .on('error', reject)
        .end(JSON.stringify({ jsonrpc: '2.0', id: 5, method: 'tools/call', params: { name: 'asks', arguments: {} } }));
    });
    expect(eventsOf(await answered).at(-1)).toMatchObject({ id: 5, result: { content: [{ text: 'thanks' }] } });
    expect(asked).toHaveLength(2);
    expect(asked[0]?.id).not.toEqual(asked[1]?.id);
    expect(asked[0]?.params).not.toHaveProperty('requestState');
    expect(asked[1]?.params).toMatchObject({ requestState: 'opaque "state"\n', inputResponses: { q: { action: 'accept', content: {} } } });
    for (const { params } of asked) expect(params?._meta).toMatchObject({ 'io.modelcontextprotocol/protocolVersion': '2026-07-28' });
    await session.end();
  });
});
