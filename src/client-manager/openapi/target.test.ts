import type { ServerResponse } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../protocol/index.ts';
import { AppError } from '../../shared/index.ts';
import { apiCatalogue } from './catalogue.ts';
import { apiClient } from './fetch.ts';
import { api, json, stub, targetOf, type Heard, type Stub, type TargetKit } from './openapi-kit.ts';
import { readApi } from './read-api.ts';
import type { ApiTargetOptions } from './target.ts';

const ok = (schema: JsonObject): JsonObject => ({ responses: { 200: { content: { 'application/json': { schema } } } } });
const DOCUMENT = api({
  '/quotes/{symbol}': {
    get: { operationId: 'quote', ...ok({ type: 'object', properties: { price: { type: 'number' } }, required: ['price'] }) },
  },
  '/orders': {
    get: {
      operationId: 'orders',
      parameters: ['limit', 'page', 'page_token'].map((name) => ({ name, in: 'query' })),
      ...ok({ type: 'array', items: {} }),
    },
    post: {
      operationId: 'place',
      requestBody: {
        required: true,
        content: { 'application/json': { schema: { type: 'object', properties: { qty: { type: 'integer' } } } } },
      },
    },
    head: { operationId: 'peek' },
  },
});

const open: (Stub | TargetKit)[] = [];
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close();
});

interface Rig extends TargetKit {
  readonly heard: readonly Heard[];
}

async function rig(answer: (heard: Heard, response: ServerResponse) => void, more: Partial<ApiTargetOptions> = {}): Promise<Rig> {
  const server = await stub(answer);
  const kit = targetOf(readApi(DOCUMENT, { baseUrl: `${server.url}/v1` }), more);
  open.push(server, kit);
  return { ...kit, heard: server.heard };
}

describe('a call', () => {
  it('is one request with the credentials, and its answer a result', async () => {
    const { call, heard, caps } = await rig((_heard, response) => json(response, { price: 1.5 }), {
      auth: () => Promise.resolve({ headers: { authorization: 'Bearer s3cret' }, query: { key: 'k3y' } }),
    });
    const { value, events, texts } = await call('quote', { symbol: 'BRK/A' });
    expect(value).toEqual({ content: [{ type: 'text', text: '{"price":1.5}' }], structuredContent: { price: 1.5 } });
    expect(texts).toHaveLength(1);
    expect(heard).toMatchObject([
      { method: 'GET', url: '/v1/quotes/BRK%2FA?key=k3y', headers: { authorization: 'Bearer s3cret' }, body: '' },
    ]);
    expect(events).toMatchObject([{ kind: 'attempt', attempt: { server: 'api', via: 'openapi', outcome: 'ok' } }]);
    expect(caps.list()).toMatchObject([{ name: 'upstream_calls:api', size: 0, cap: 4 }]);
  });

  it('sends a body, and keeps numbers as they were written', async () => {
    const { call, heard } = await rig((_heard, response) => json(response, '{"id": 12345678901234567890}'));
    const { outcome } = await call('place', '{"qty":12345678901234567890}', { sideEffect: 'write' });
    expect(heard).toMatchObject([
      { method: 'POST', url: '/v1/orders', headers: { 'content-type': 'application/json' }, body: '{"qty":12345678901234567890}' },
    ]);
    expect(outcome.kind === 'complete' && outcome.result.text).toContain('"structuredContent":{"id":12345678901234567890}');
  });

  it('takes the arguments that replace the given ones', async () => {
    const { call, heard } = await rig((_heard, response) => json(response, { price: 1 }));
    await call('quote', { symbol: 'A' }, { edits: [['arguments', '{"symbol":"MSFT"}']] });
    expect(heard[0]?.url).toBe('/v1/quotes/MSFT');
  });

  it('is refused before it leaves where that is possible', async () => {
    const { call, heard } = await rig((_heard, response) => json(response, {}));
    expect((await call('quote', { symbol: '..' })).outcome).toMatchObject({
      kind: 'failed',
      failure: { code: 'invalid_arguments', executed: 'no', message: expect.stringContaining('Invalid arguments for quote') as string },
    });
    expect((await call('nobody')).outcome).toMatchObject({ kind: 'error', error: { code: -32602 } });
    expect((await call('quote', {}, { method: 'resources/read' })).outcome).toMatchObject({ kind: 'error', error: { code: -32601 } });
    const gone = { signal: AbortSignal.abort() };
    const { outcome, events } = await call('quote', { symbol: 'A' }, gone);
    expect(outcome).toMatchObject({ failure: { code: 'canceled', executed: 'no' } });
    expect(events).toEqual([]);
    expect(heard).toEqual([]);
  });

  it('does not leave without credentials, and says nothing of them', async () => {
    const { call, heard } = await rig((_heard, response) => json(response, {}), { auth: () => Promise.reject(new Error('s3cret')) });
    const { outcome } = await call('quote', { symbol: 'A' });
    expect(outcome).toMatchObject({ failure: { code: 'upstream_unavailable', executed: 'no' } });
    expect(JSON.stringify(outcome)).not.toContain('s3cret');
    expect(heard).toEqual([]);
  });

  it('waits for nobody beyond the limit', async () => {
    const waiting: ServerResponse[] = [];
    const arrived = Promise.withResolvers<void>();
    const { call, target } = await rig(
      (_heard, response) => {
        waiting.push(response);
        if (waiting.length === 2) arrived.resolve();
      },
      { maxInFlight: 2 },
    );
    const running = [call('quote', { symbol: 'A' }), call('quote', { symbol: 'B' })];
    await arrived.promise;
    expect((await call('quote', { symbol: 'C' })).outcome).toMatchObject({ failure: { code: 'busy', executed: 'no' } });
    for (const response of waiting) json(response, { price: 1 });
    await Promise.all(running);
    expect(target.inFlight).toBe(0);
  });
});

describe('an answer', () => {
  const answered = async (answer: (response: ServerResponse) => void, name = 'orders', more: Partial<ApiTargetOptions> = {}) =>
    (await rig((_heard, response) => answer(response), more)).call(name, name === 'quote' ? { symbol: 'A' } : {}, {
      sideEffect: name === 'place' ? 'write' : 'read',
    });

  it('is wrapped where it is no object', async () => {
    expect((await answered((response) => json(response, [1, 2]))).value.structuredContent).toEqual({ items: [1, 2] });
    expect((await answered((response) => json(response, '"x"'))).value.structuredContent).toEqual({ value: 'x' });
    expect((await answered((response) => json(response, 'null'))).value.structuredContent).toEqual({ value: null });
  });

  it('is text where it is text, and says what it was where it has no body', async () => {
    const text = await answered((response) => response.writeHead(200, { 'content-type': 'text/csv' }).end('a,b'));
    expect(text.value).toEqual({ content: [{ type: 'text', text: 'a,b' }] });
    const latin = await answered((response) =>
      response.writeHead(200, { 'content-type': 'text/plain; charset=iso-8859-1' }).end(Buffer.from([0xe9])),
    );
    expect(latin.texts).toEqual(['é']);
    const none = await answered((response) => response.writeHead(204, { etag: 'x' }).end());
    expect(none.texts).toEqual(['HTTP 204, without a body.\netag: x']);
    const head = await answered((response) => response.writeHead(200, { 'content-length': '12' }).end(), 'peek');
    expect(head.texts[0]).toContain('content-length: 12');
  });

  it('is refused where nobody can read it; a write has happened all the same', async () => {
    const image = (response: ServerResponse): void => void response.writeHead(200, { 'content-type': 'image/png' }).end(Buffer.alloc(10));
    expect((await answered(image)).value).toEqual({
      content: [{ type: 'text', text: 'The API answered with 10 bytes of image/png, which is not text and is not passed on.' }],
      isError: true,
    });
    const written = await answered(image, 'place');
    expect(written.value.isError).toBeUndefined();
    expect(written.texts[0]).toContain('The call itself was carried out.');
  });

  it('is cut at a list, with how to ask for less and for more', async () => {
    const rows = Array.from({ length: 500 }, (_, id) => ({ id, note: 'x'.repeat(20) }));
    const link = '<http://127.0.0.1/v1/orders?page=2&key=s3cret>; rel="next"';
    const { texts, value } = await answered((response) => json(response, rows, 200, { link }), 'orders', { maxTextBytes: 2_000 });
    const { items } = JSON.parse(texts[0] ?? '') as { items: unknown[] };
    expect(value.structuredContent).toEqual({ items });
    expect(items).toEqual(rows.slice(0, items.length));
    expect(items.length).toBeGreaterThan(10);
    expect(texts[1]).toMatch(
      /^The answer has \d+ bytes and was cut: items: the first \d+ of 500\. Ask for less with limit, page, page_token\. There is a next page: call again with page: "2"\.$/,
    );
  });

  it('names a cursor that the cut would hide', async () => {
    const body = { rows: Array.from({ length: 200 }, () => 'row'), meta: { next_page_token: 'abc' } };
    const { texts } = await answered((response) => json(response, body), 'orders', { maxTextBytes: 500 });
    expect(texts[1]).toContain('There is a next page: call again with page_token: "abc".');
  });

  it('is cut anywhere where no list helps, and whole for programs if it has a schema', async () => {
    const body = { price: 1, note: 'y'.repeat(3_000) };
    const { texts, value } = await answered((response) => json(response, body), 'quote', { maxTextBytes: 1_000 });
    expect(texts[0]).toHaveLength(1_000);
    expect(texts[1]).toContain('these are the first 1000');
    expect(value.structuredContent).toEqual(body);
    expect((await answered((response) => json(response, body), 'orders', { maxTextBytes: 1_000 })).value.structuredContent).toBeUndefined();
  });

  it('beyond what is read is a failure', async () => {
    const { outcome } = await answered((response) => json(response, ['x'.repeat(5_000)]), 'orders', { maxBytes: 1_000 });
    expect(outcome).toMatchObject({ failure: { code: 'result_too_large', executed: 'unknown' } });
  });

  it('that refuses is a result with its status and words', async () => {
    const refused = await answered((response) => json(response, { message: 'no such order' }, 404));
    expect(refused.value).toEqual({
      content: [
        { type: 'text', text: 'The API answered with HTTP 404.' },
        { type: 'text', text: '{"message":"no such order"}' },
      ],
      isError: true,
    });
    expect(refused.events).toMatchObject([{ attempt: { outcome: 'tool_error' } }]);
    const long = await answered((response) => response.writeHead(500, { 'content-type': 'text/html' }).end('z'.repeat(50_000)), 'place');
    expect(long.texts[0]).toContain('may or may not have taken effect');
    expect(long.texts[1]?.length).toBeLessThan(4_100);
  });

  it('that is ours to solve is a failure', async () => {
    const failure = async (status: number, headers: Record<string, string> = {}, name = 'orders'): Promise<unknown> => {
      const { outcome } = await answered((response) => json(response, {}, status, headers), name);
      return outcome.kind === 'failed' ? outcome.failure : outcome.kind;
    };
    expect(await failure(401)).toMatchObject({ code: 'upstream_unavailable', executed: 'no' });
    expect(await failure(429, { 'retry-after': '7' })).toMatchObject({ code: 'busy', retryAfterMs: 7_000 });
    expect(await failure(503)).toMatchObject({ code: 'busy', retryAfterMs: 1_000 });
    expect(await failure(503, {}, 'place')).toBe('complete');
    expect(await failure(302, { location: 'http://evil.test/path?token=1' })).toMatchObject({
      code: 'upstream_failed',
      message: expect.stringContaining('to http://evil.test, and redirects are not followed') as string,
    });
  });
});

describe('no answer', () => {
  it('to a request that was refused at the door never left', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const kit = targetOf(readApi(DOCUMENT, { baseUrl: `http://127.0.0.1:${port}` }));
    open.push(kit);
    expect((await kit.call('place', {}, { sideEffect: 'write' })).outcome).toMatchObject({
      failure: { code: 'upstream_unavailable', executed: 'no', message: expect.stringContaining('the connection was refused') as string },
    });
  });

  it('from an address that the guard refuses never left', async () => {
    const client = apiClient({
      connections: 1,
      connectMs: 1_000,
      check: () => {
        throw new AppError('address_refused', 'api.test is a private address.');
      },
    });
    const kit = targetOf(readApi(DOCUMENT), { fetch: client.fetch });
    open.push(kit, { ...kit, close: () => client.close() });
    const { outcome } = await kit.call('quote', { symbol: 'A' });
    expect(outcome).toMatchObject({ failure: { code: 'upstream_unavailable', executed: 'no' } });
    expect(JSON.stringify(outcome)).toContain('api.test is a private address. The call was not sent.');
  });

  it('from a server that hangs up leaves the outcome unknown', async () => {
    const early = await rig((_heard, response) => response.destroy());
    expect((await early.call('place', {}, { sideEffect: 'write' })).outcome).toMatchObject({
      failure: { code: 'outcome_unknown', executed: 'unknown' },
    });
    const middle = await rig((_heard, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' });
      response.write('{', () => response.destroy());
    });
    expect((await middle.call('place', {}, { sideEffect: 'write' })).outcome).toMatchObject({ failure: { code: 'outcome_unknown' } });
    expect(early.heard).toHaveLength(1);
  });

  it('in time is a deadline, and the request is given up', async () => {
    const closed = Promise.withResolvers<void>();
    const { call } = await rig((_heard, response) => response.on('close', closed.resolve));
    expect((await call('place', {}, { deadlineMs: 60, sideEffect: 'write' })).outcome).toMatchObject({
      failure: { code: 'deadline_exceeded', executed: 'unknown' },
    });
    await closed.promise;
  });

  it('to a client that has gone is canceled, and the request is given up', async () => {
    const controller = new AbortController();
    const closed = Promise.withResolvers<void>();
    const { call } = await rig((_heard, response) => {
      response.on('close', closed.resolve);
      controller.abort();
    });
    const { outcome, events } = await call('place', {}, { signal: controller.signal, sideEffect: 'write' });
    expect(outcome).toMatchObject({ failure: { code: 'canceled', executed: 'unknown' } });
    expect(events).toMatchObject([{ attempt: { outcome: 'canceled' } }]);
    await closed.promise;
  });

  it('without an address says what to set', async () => {
    const kit = targetOf(readApi(api({ '/a': { get: { operationId: 'a' } } }, { servers: [{ url: '/' }] })));
    open.push(kit);
    expect((await kit.call('a')).outcome).toMatchObject({ failure: { code: 'upstream_unavailable', executed: 'no' } });
  });
});

describe('the catalogue', () => {
  it('shows tools that can be checked, and what was left out', () => {
    const catalogue = apiCatalogue(readApi(DOCUMENT, { tools: { nobody: {} } }), ['market:read']);
    expect(catalogue.facts).toMatchObject({ info: { name: 'Test', version: '1' }, capabilities: { tools: {} } });
    expect(catalogue.tools.map(({ definition, sideEffect }) => [definition.name, sideEffect])).toEqual([
      ['quote', 'read'],
      ['orders', 'read'],
      ['place', 'write'],
      ['peek', 'read'],
    ]);
    const check = catalogue.tools[0]?.arguments();
    expect(check && 'validate' in check && check.validate({ symbol: 'A' })).toBeUndefined();
    expect(check && 'validate' in check && check.validate({})).toHaveLength(1);
    expect(catalogue.warnings).toEqual(['There are settings for "nobody", which is no tool of this API.']);
  });
});
