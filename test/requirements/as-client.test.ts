import { afterAll, beforeAll, expect, it } from 'vitest';
import { startHttpUpstream, type HttpUpstream } from '../fixtures/upstreams/index.ts';
import { callLeg, converse } from '../isolation/caller.ts';
import { GatewayHere } from '../support/gateway-here.ts';
import { endGateways } from '../support/gateway-process.ts';
import { META_CAPABILITIES, META_VERSION, MODERN, textOf } from '../support/mcp-wire.ts';
import { PATIENCE_MS } from '../support/until.ts';

/** What servers see of us, over the real wire. */

interface Message {
  readonly id?: unknown;
  readonly method?: string;
  readonly params?: { readonly _meta?: Readonly<Record<string, unknown>>; readonly name?: string };
}

let modern: HttpUpstream;
let legacy: HttpUpstream;
let gateway: GatewayHere;

const messagesOf = (upstream: HttpUpstream): Message[] =>
  upstream.requests.filter(({ method }) => method === 'POST').map(({ body }) => JSON.parse(body) as Message);

beforeAll(async () => {
  [modern, legacy] = await Promise.all([startHttpUpstream({ era: 'modern' }), startHttpUpstream({ era: 'legacy' })]);
  gateway = await GatewayHere.start({ modern: { url: modern.url, era: 'modern' }, legacy: { url: legacy.url } });
  const calls = ['modern', 'legacy'].flatMap((server) =>
    Array.from({ length: 20 }, (_, i) => gateway.wire(server).call('echo', { text: `${server} ${i}` })),
  );
  expect((await Promise.all(calls)).map(textOf)).toHaveLength(40);
  // A client that can be asked makes us listen by GET.
  const asked = await callLeg(gateway.wire('legacy'), converse({ ask: [{ method: 'roots/list' }] }));
  expect(asked.last.result?.resultType).toBe('input_required');
}, PATIENCE_MS * 2);

afterAll(async () => {
  await gateway.close();
  await Promise.all([modern.close(), legacy.close(), endGateways()]);
}, PATIENCE_MS);

it('each message is a POST with both types accepted, and one message only', () => {
  verifies('http-client-post', 'http-client-accept', 'http-client-single', 's25-client-post', 's25-client-accept', 's25-client-single');
  for (const upstream of [modern, legacy]) {
    expect(upstream.requests.length).toBeGreaterThan(20);
    for (const { method, headers, body } of upstream.requests.filter((request) => request.method === 'POST')) {
      expect(method).toBe('POST');
      expect(headers.accept).toMatch(/application\/json.*text\/event-stream/);
      expect(Array.isArray(JSON.parse(body))).toBe(false);
    }
  }
});

it('a GET accepts an event stream', () => {
  verifies('s25-client-get-accept');
  const gets = legacy.requests.filter(({ method }) => method === 'GET');
  expect(gets.length).toBeGreaterThan(0);
  for (const { headers } of gets) expect(headers.accept).toMatch(/text\/event-stream/);
});

it('modern requests carry their metadata in headers and body, and nothing is answered to a modern server', () => {
  verifies('http-client-metadata', 'http-version-header', 'http-standard-headers', 'http-client-no-response', 'basic-client-meta');
  for (const { method, headers, body } of modern.requests) {
    expect(method).toBe('POST');
    const message = JSON.parse(body) as Message;
    expect(message.method).toEqual(expect.any(String));
    expect(message.params?._meta).toMatchObject({ [META_VERSION]: MODERN, [META_CAPABILITIES]: expect.any(Object) as object });
    expect(headers['mcp-protocol-version']).toBe(MODERN);
    expect(headers['mcp-method']).toBe(message.method);
    expect(headers['mcp-name']).toBe(message.method === 'tools/call' ? message.params?.name : undefined);
  }
});

it('no id comes twice', () => {
  verifies('basic-client-id-unique');
  for (const upstream of [modern, legacy]) {
    const bySession = new Map<string, unknown[]>();
    for (const { method, headers, body } of upstream.requests) {
      const { id, method: called } = (method === 'POST' ? JSON.parse(body) : {}) as Message;
      // Each connection begins with its own initialize, which is in no session yet.
      if (id === undefined || called === undefined || called === 'initialize') continue;
      const session = String(headers['mcp-session-id']);
      bySession.set(session, [...(bySession.get(session) ?? []), id]);
    }
    for (const ids of bySession.values()) expect(new Set(ids).size).toBe(ids.length);
    expect([...bySession.values()].flat().length).toBeGreaterThan(20);
  }
});

it('the id of a session goes to its server only', async () => {
  verifies('s25-client-session-secret', 's25-client-session', 's25-client-version');
  expect(legacy.sessions.size).toBeGreaterThan(0);
  const sent = legacy.requests.filter(({ body }) => body !== '' && !/"(initialize|server\/discover)"/.test(body));
  for (const { headers } of sent) {
    expect(legacy.sessions).toContain(headers['mcp-session-id']);
    expect(headers['mcp-protocol-version']).toBe('2025-11-25');
  }
  const texts = [JSON.stringify(modern.requests), await gateway.metrics(), (await gateway.wire('legacy').modern('server/discover')).text];
  for (const id of legacy.sessions) for (const text of texts) expect(text).not.toContain(id);
});

it('messages to a legacy server have no modern metadata', () => {
  verifies('http-mirrors');
  const calls = messagesOf(legacy).filter(({ method }) => method === 'tools/call');
  expect(calls.length).toBeGreaterThan(20);
  for (const { params } of calls) expect(Object.keys(params?._meta ?? {}).filter((key) => key.includes('/'))).toEqual([]);
});
