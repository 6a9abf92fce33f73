import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bearer, SECRET, send, startHost, type Running } from './test-support.ts';

const PAGE = 'https://app.example.net';
const ALLOWED = 'access-control-allow-origin';
const corsHeaders = (headers: object): string[] =>
  Object.keys(headers).filter((name) => name.startsWith('access-control-') || name === 'vary');

describe('pages of other origins', () => {
  let it_: Running;
  beforeAll(async () => {
    it_ = await startHost({ allowedOrigins: [PAGE] });
    it_.host.onPost((request, response, { principal }) => {
      if (request.url !== '/mcp/fast') return false;
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ fast: principal.client }));
      return true;
    });
  });
  afterAll(() => it_.host.close(0));

  const preflight = (path: string, headers: Record<string, string> = {}) =>
    send({
      port: it_.port,
      path,
      method: 'OPTIONS',
      headers: { origin: PAGE, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization', ...headers },
    });
  const post = (path: string, headers: Record<string, string>) => send({ port: it_.port, path, method: 'POST', headers }, '{}');

  it.each(['/mcp', '/mcp/files', '/mcp?x=1', '/sse', '/sse/files', '/stockpulse/thing'])('may ask before they call %s', async (path) => {
    const answer = await preflight(path, { 'access-control-request-headers': 'authorization, Mcp-Param-Region, x-other, mcp-param-a b' });
    expect([answer.status, answer.text]).toEqual([204, '']);
    expect(answer.headers).toMatchObject({
      [ALLOWED]: PAGE,
      vary: 'Origin',
      'access-control-allow-methods': 'GET, POST, PUT, PATCH, DELETE',
      'access-control-max-age': '600',
    });
    const names = String(answer.headers['access-control-allow-headers']).split(', ');
    expect(names).toEqual(
      expect.arrayContaining([
        'authorization',
        'content-type',
        'last-event-id',
        'mcp-session-id',
        'mcp-protocol-version',
        'mcp-method',
        'mcp-name',
        'mcp-param-region',
      ]),
    );
    expect(names.some((name) => name.includes('other') || name.includes(' '))).toBe(false);
  });

  it('that are not listed may not, nor call the management API', async () => {
    for (const origin of ['https://evil.example', 'null']) {
      const answer = await preflight('/mcp', { origin });
      expect([answer.status, corsHeaders(answer.headers)]).toEqual([403, []]);
    }
    for (const [path, origin] of [
      ['/admin/v1/who', PAGE],
      ['/metrics', PAGE],
      ['/mcpx', PAGE],
      // Of our own name: such a page needs no leave, and one on another port gets none.
      ['/mcp', 'http://localhost:3000'],
    ] as const) {
      const answer = await preflight(path, { origin });
      expect([path, answer.status >= 400, corsHeaders(answer.headers)]).toEqual([path, true, []]);
    }
    const read = await send({ port: it_.port, path: '/admin/v1/who', headers: { ...bearer(SECRET.admin), origin: PAGE } });
    expect([read.status, corsHeaders(read.headers)]).toEqual([200, []]);
  });

  it('an OPTIONS that is no preflight is a method that there is not', async () => {
    const answer = await send({ port: it_.port, path: '/mcp', method: 'OPTIONS', headers: { origin: PAGE } });
    expect(answer.status).toBe(405);
  });

  it.each([
    ['a call past Fastify', '/mcp/fast', bearer(SECRET.agent), 200],
    ['a hijacked reply', '/mcp', bearer(SECRET.agent), 200],
    ['no credential', '/mcp', {}, 401],
    ['a revoked credential', '/mcp', bearer(SECRET.revoked), 401],
    ['the wrong method', '/stockpulse/thing', {}, 405],
  ])('may read the answer: %s', async (_what, path, headers, status) => {
    const answer = await post(path, { ...headers, origin: PAGE });
    expect(answer.status).toBe(status);
    expect(answer.headers).toMatchObject({
      [ALLOWED]: PAGE,
      vary: 'Origin',
      'access-control-expose-headers': 'mcp-session-id, www-authenticate, retry-after',
    });
    // Who is no page, and one of our own name, gets what they always got.
    for (const origin of [undefined, 'http://localhost:3000']) {
      const plain = await post(path, origin === undefined ? headers : { ...headers, origin });
      expect([plain.status, plain.text, corsHeaders(plain.headers)]).toEqual([status, answer.text, []]);
    }
  });
});
