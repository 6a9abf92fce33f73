import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { adminRoutes, APPROVER_HEADER, errorBody, fullPath, requestPath, type AdminRoute, type AdminRouteName } from '../contract/index.ts';
import { AppError } from '../shared/index.ts';
import { openApiOf } from './index.ts';
import { AGENT, APPROVER, makeApi, type Api } from './test-support.ts';

/** A valid request for every route of the contract: a route without a line here does not compile. */
const valid: Record<AdminRouteName, { params?: Record<string, string>; body?: object }> = {
  getStatus: {},
  listKeys: {},
  createKey: { body: { name: 'bot', scopes: ['market:read'] } },
  rotateKey: { params: { id: 'key_1' } },
  revokeKey: { params: { id: 'key_1' } },
  listServers: {},
  getServer: { params: { name: 'files' } },
  restartServer: { params: { name: 'files' } },
  acceptTools: { params: { name: 'files' }, body: { tools: ['read_file'] } },
  testServer: { params: { name: 'files' } },
  listTools: {},
  callTool: { body: { name: 'echo', arguments: { text: 'hi' } } },
  runDoctor: {},
};
const names = Object.keys(adminRoutes) as AdminRouteName[];
const mutating = names.filter((name) => adminRoutes[name].method !== 'GET');

let api: Api;
beforeAll(async () => {
  api = await makeApi();
});
afterAll(() => api.app.close());

function call(
  route: AdminRoute,
  input: { params?: Record<string, string>; query?: Record<string, string>; body?: unknown; headers?: Record<string, string> },
  on = api,
) {
  const payload = input.body === undefined ? {} : { payload: input.body as object };
  return on.app.inject({
    method: route.method,
    url: requestPath(route, input.params, input.query),
    headers: input.headers ?? {},
    ...payload,
  });
}

describe('every route of the contract', () => {
  it.each(names)('%s answers as it says', async (name) => {
    const route: AdminRoute = adminRoutes[name];
    const answer = await call(route, valid[name]);
    expect(answer.statusCode).toBe(route.status);
    expect(route.reply.safeParse(answer.json()).error).toBeUndefined();
    expect(answer.headers['cache-control']).toBe('no-store');
  });

  it.each(mutating)('%s leaves exactly one audit row, in the name of its caller', async (name) => {
    const before = api.trail.length;
    await call(adminRoutes[name], valid[name]);
    expect(api.trail.slice(before)).toEqual([
      expect.objectContaining({ actor: 'local', action: expect.stringMatching(/^[a-z]+\.[a-z]+$/) }),
    ]);
  });

  it.each(mutating.filter((name) => !name.endsWith('Key')))('%s does not happen if its audit row cannot be written', async (name) => {
    const down = new AppError('storage_unavailable', 'The database does not answer.');
    let acted = false;
    const act = (): Promise<never> => {
      acted = true;
      return Promise.reject(new Error('acted'));
    };
    const broken = await makeApi({
      audit: { record: () => Promise.reject(down), list: async () => [] },
      restartServer: act,
      acceptTools: async () => {
        await act();
        return [];
      },
      testServer: act,
      callTool: act,
    });
    const answer = await call(adminRoutes[name], valid[name], broken);
    expect([answer.statusCode, acted]).toEqual([503, false]);
    await broken.app.close();
  });

  it.each(names)('%s refuses unknown members', async (name) => {
    const query = await call(adminRoutes[name], { ...valid[name], query: { surprise: '1' } });
    expect([query.statusCode, query.json()]).toMatchObject([400, { error: { code: 'invalid_request', field: 'surprise' } }]);
  });

  it('is in the OpenAPI description, and nothing else is', async () => {
    const { paths } = openApiOf('1.0.0') as { paths: Record<string, Record<string, { operationId: string }>> };
    const described = Object.entries(paths).flatMap(([path, verbs]) =>
      Object.entries(verbs).map(([verb, { operationId }]) => `${operationId} ${verb} ${path}`),
    );
    expect(new Set(described)).toEqual(
      new Set(names.map((name) => `${name} ${adminRoutes[name].method.toLowerCase()} ${fullPath(adminRoutes[name], 'openapi')}`)),
    );
    expect((await api.app.inject('/admin/v1/openapi.json')).json()).toEqual(openApiOf('1.0.0'));
    expect(JSON.stringify(openApiOf('1'))).not.toContain('draft');
  });
});

describe('bad input', () => {
  it.each([
    ['no body', undefined, 'body'],
    ['an array', [], 'body'],
    ['no name', { scopes: ['market:read'] }, 'name'],
    ['an empty name', { name: ' ', scopes: ['market:read'] }, 'name'],
    ['scopes as text', { name: 'x', scopes: 'market:read' }, 'scopes'],
    ['no scopes', { name: 'x', scopes: [] }, 'scopes'],
    ['a number as scope', { name: 'x', scopes: [1] }, 'scopes.0'],
    ['days as text', { name: 'x', scopes: ['market:read'], expiresInDays: '3' }, 'expiresInDays'],
    ['a supplied secret', { name: 'x', scopes: ['market:read'], secret: 'my-secret' }, 'secret'],
  ])('is refused with its field: %s', async (_what, body, field) => {
    const answer = await call(adminRoutes.createKey, { body });
    expect(answer.statusCode).toBe(400);
    const { error } = errorBody.parse(answer.json());
    expect(error).toMatchObject({ code: 'invalid_request', field });
    expect(error.message).not.toContain('my-secret');
  });

  it('names what there is instead', async () => {
    const server = await call(adminRoutes.getServer, { params: { name: 'nope' } });
    expect([server.statusCode, server.json()]).toMatchObject([
      404,
      { error: { code: 'server_not_found', message: expect.stringContaining('files, news') } },
    ]);
    const endpoint = await call(adminRoutes.listTools, { query: { endpoint: '/mcp/nope' } });
    expect([endpoint.statusCode, endpoint.json()]).toMatchObject([404, { error: { code: 'endpoint_not_found' } }]);
    expect((await call(adminRoutes.listTools, { query: { endpoint: 'mcp' } })).json()).toMatchObject({ error: { field: 'endpoint' } });
    expect((await call(adminRoutes.rotateKey, { params: { id: 'other' } })).statusCode).toBe(404);
    expect((await call(adminRoutes.restartServer, { params: { name: 'stockpulse' } })).json()).toMatchObject({
      error: { code: 'server_not_restartable' },
    });
    expect((await call(adminRoutes.rotateKey, { params: { id: 'key_1' }, body: { overlapSeconds: -1 } })).json()).toMatchObject({
      error: { field: 'overlapSeconds' },
    });
  });
});

describe('the approver header', () => {
  const create = (headers: Record<string, string>) => call(adminRoutes.createKey, { ...valid.createKey, headers });

  it('puts the approver beside the caller', async () => {
    await create({ [APPROVER_HEADER]: APPROVER });
    expect(api.actors.at(-1)?.approver?.scopes.has('approve')).toBe(true);
    await create({});
    expect(api.actors.at(-1)?.approver).toBeUndefined();
  });

  it.each([AGENT, 'unknown-secret', ''])('is refused if it is no approver key (%j), without repeating it', async (secret) => {
    const answer = await create({ [APPROVER_HEADER]: secret });
    expect([answer.statusCode, answer.json()]).toMatchObject([403, { error: { code: 'approver_refused' } }]);
    if (secret !== '') expect(answer.body).not.toContain(secret);
  });
});

describe('servers', () => {
  it('are shown with what their state says', async () => {
    const { servers } = (await call(adminRoutes.listServers, {})).json<{ servers: unknown[] }>();
    expect(servers).toMatchObject([
      { name: 'stockpulse', kind: 'stockpulse', endpoint: '/mcp/stockpulse', state: 'ready', since: '2026-06-01T00:00:00.000Z' },
      { name: 'files', tools: 0, warnings: ['tool x is left out'], info: { name: 'files-server', version: '1.2.3' } },
      { name: 'news', state: 'backing_off', reason: 'connection refused', retryAt: '2026-06-02T00:00:00.000Z' },
    ]);
  });
});

describe('a long verb', () => {
  it('is told when its caller goes away', async () => {
    const aborted = Promise.withResolvers<void>();
    let asked = false;
    const slow = await makeApi({
      doctor: (signal) => {
        signal.addEventListener('abort', () => aborted.resolve(), { once: true });
        asked = true;
        return new Promise(() => undefined);
      },
    });
    const url = await slow.app.listen({ host: '127.0.0.1', port: 0 });
    const gone = new AbortController();
    const request = fetch(`${url}${requestPath(adminRoutes.runDoctor)}`, { signal: gone.signal }).catch(() => undefined);
    await expect.poll(() => asked).toBe(true);
    gone.abort();
    await request;
    await aborted.promise;
    await slow.app.close();
  });
});
