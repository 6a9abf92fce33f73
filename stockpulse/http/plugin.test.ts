import Fastify, { type FastifyInstance, type InjectOptions } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiError, createStockPulse, type StockPulse } from '../index.ts';
import { FrozenClock } from '../test-kit.ts';

const clock = new FrozenClock('2026-11-20T14:07:31-05:00');
const seen: Record<string, unknown>[] = [];
const stockpulse: StockPulse = createStockPulse({
  clock,
  authenticate: (headers) => {
    seen.push(headers);
    if (headers.authorization === 'Bearer good') return { ok: true, id: 'good', scopes: new Set(['market:read']) };
    if (headers.authorization === 'Bearer poor') return { ok: true, id: 'poor', scopes: new Set(['account:read']) };
    if (headers['apca-api-key-id'] === 'id' && headers['apca-api-secret-key'] === 'secret')
      return { ok: true, id: 'pair', scopes: new Set(['market:read']) };
    if (headers.authorization === 'Bearer revoked') return { ok: false, status: 403, code: 40310001, message: 'revoked' };
    return { ok: false, status: 401, code: 40110000, message: 'no key', headers: { 'www-authenticate': 'Bearer' } };
  },
});

let app: FastifyInstance;
beforeAll(async () => {
  app = Fastify();
  await app.register(stockpulse.plugin, { prefix: '/stockpulse' });
});
afterAll(() => app.close());

interface Answer {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly body: Record<string, unknown>;
}

async function ask(url: string, options: InjectOptions = {}): Promise<Answer> {
  const answer = await app.inject({ url: `/stockpulse${url}`, ...options, headers: { authorization: 'Bearer good', ...options.headers } });
  return { status: answer.statusCode, headers: answer.headers, body: answer.json<Record<string, unknown>>() };
}

describe('the HTTP face', () => {
  it('gives the same answer as the handler', async () => {
    const identity = { ok: true, id: 'x', scopes: new Set<string>() } as const;
    const handle = (operationId: string, input: object): unknown =>
      stockpulse.routes
        .find((route) => route.operationId === operationId)
        ?.handle({ params: {}, query: {}, body: {}, ...input }, { identity });
    const bars = await ask('/v1/bars?symbols=AAPL,MSFT&lookback=3D&limit=4');
    expect([bars.status, bars.headers['content-type']]).toEqual([200, 'application/json; charset=utf-8']);
    expect(bars.body).toEqual(handle('get_price_history', { query: { symbols: ['AAPL', 'MSFT'], lookback: '3D', limit: 4 } }));
    const indicators = await ask('/v1/indicators/aapl', { method: 'POST', payload: { indicators: [{ name: 'RSI' }], limit: 2 } });
    expect(indicators.body).toEqual(
      handle('get_technical_indicators', { params: { symbol: 'aapl' }, body: { indicators: [{ name: 'RSI' }], limit: 2 } }),
    );
    expect((await ask('/v1/screener', { method: 'POST' })).body).toEqual(handle('screen_stocks', {}));
    expect((await ask('/v1/market/status?sessions=2')).body).toEqual(handle('get_market_status', { query: { sessions: 2 } }));
    expect((await ask('/v1/symbols?query=health%20care')).body).toEqual(handle('search_symbols', { query: { query: 'health care' } }));
  });

  it.each(['symbols=AAPL&symbols=MSFT&symbols=KO', 'symbols=AAPL,MSFT,KO', 'symbols=AAPL,%20MSFT&symbols=KO'])(
    'takes arrays as %s',
    async (query) => {
      const { status, body } = await ask(`/v1/prices?${query}&fields=trade`);
      expect([status, (body['rows'] as unknown[][]).map(([symbol]) => symbol)]).toEqual([200, ['AAPL', 'MSFT', 'KO']]);
    },
  );

  it('asks the host who calls, before the body is looked at', async () => {
    const none = await ask('/v1/screener', {
      method: 'POST',
      headers: { authorization: '', 'content-type': 'application/json' },
      payload: '{',
    });
    expect(none).toMatchObject({
      status: 401,
      body: { code: 40110000, message: 'no key', retryable: false },
      headers: { 'www-authenticate': 'Bearer' },
    });
    expect((await ask('/v1/prices', { headers: { authorization: 'Bearer revoked' } })).body).toMatchObject({ code: 40310001 });
    const poor = await ask('/v1/prices?symbols=AAPL', { headers: { authorization: 'Bearer poor' } });
    expect(poor).toMatchObject({ status: 403, body: { code: 40310000, message: 'This credential lacks the scope market:read.' } });
    const pair = { authorization: '', 'apca-api-key-id': 'id', 'apca-api-secret-key': 'secret' };
    expect((await ask('/v1/prices?symbols=AAPL', { headers: pair })).status).toBe(200);
    expect(seen.length).toBeGreaterThan(3);
  });

  it.each([
    ['/v1/prices', 400, 'symbols', 'symbols is required.'],
    ['/v1/prices?symbols=', 400, 'symbols[0]', /pattern/],
    ['/v1/prices?symbols=AAPL,,KO', 400, 'symbols[1]', /pattern/],
    ['/v1/prices?symbols=AAPL&fields=all', 400, 'fields[0]', 'fields[0] must be one of quote, trade, day.'],
    ['/v1/bars?symbols=AAPL&limit=0', 400, 'limit', /1/],
    ['/v1/bars?symbols=AAPL&limit=501', 400, 'limit', /500/],
    ['/v1/bars?symbols=AAPL&limit=5.5', 400, 'limit', /integer/],
    ['/v1/bars?symbols=AAPL&limit=abc', 400, 'limit', /integer/],
    ['/v1/bars?symbols=AAPL&timeframe=2Min', 400, 'timeframe', /must be one of 1Min/],
    ['/v1/bars?symbols=AAPL&start=yesterday', 400, 'start', /pattern/],
    ['/v1/bars?symbols=AAPL&colour=red', 400, 'colour', 'There is no parameter colour.'],
    ['/v1/bars?symbols=AAPL&__proto__=x', 400, '__proto__', /no parameter/],
    ['/v1/bars?symbols=A,B,C,D,E,F', 400, 'symbols', /5/],
    ['/v1/bars?symbols=AAPL&start=2027-01-01', 422, 'start', /future/],
    ['/v1/prices?symbols=ZZZZ', 404, 'symbols', /Unknown symbol/],
    ['/v1/nothing', 404, undefined, /There is no GET/],
  ])('answers %s with %i', async (url, status, field, message) => {
    const answer = await ask(url);
    expect([answer.status, answer.body['field']]).toEqual([status, field]);
    expect(answer.body['message']).toEqual(typeof message === 'string' ? message : expect.stringMatching(message));
    expect(answer.body).toMatchObject({ retryable: false, hint: expect.any(String) });
    expect(Math.floor((answer.body['code'] as number) / 100_000)).toBe(status);
  });

  it.each([
    ['{bad', 'application/json', 400],
    ['[1]', 'application/json', 400],
    ['"x"', 'application/json', 400],
    ['{"filters":[{"field":"price","op":"gt","value":{}}]}', 'application/json', 400],
    ['{"filters":[{"field":"price","op":"gt"}]}', 'application/json', 400],
    ['{"limit":"5"}', 'application/json', 400],
    ['<x/>', 'application/xml', 415],
  ])('refuses the body %s', async (payload, type, status) => {
    const answer = await ask('/v1/screener', { method: 'POST', payload, headers: { 'content-type': type } });
    expect(answer.status).toBe(status);
    expect(answer.body).toMatchObject({ code: expect.any(Number), message: expect.any(String), retryable: false });
  });

  it('keeps what went wrong inside to itself', async () => {
    const broken = createStockPulse({
      clock: { now: () => Number.NaN },
      authenticate: () => ({ ok: true, id: 'x', scopes: new Set(['market:read']) }),
    });
    const host = Fastify();
    await host.register(broken.plugin, { prefix: '/s' });
    const outside = await host.inject('/s/v1/prices?symbols=AAPL');
    expect([outside.statusCode, outside.json<{ code: number }>().code]).toEqual([503, 50310000]);
    await host.close();
    expect(new ApiError({ status: 422, code: 1, message: 'm' }).toBody()).toEqual({ code: 1, message: 'm', retryable: false });
  });
});

describe('the document', () => {
  it('is OpenAPI 3.1 with every route, made of their schemas', async () => {
    const answer = await ask('/openapi.json', { headers: { authorization: '' } });
    expect(answer.status).toBe(200);
    const { openapi, info, paths, components } = answer.body as {
      openapi: string;
      info: object;
      paths: Record<string, Record<string, Operation>>;
      components: object;
    };
    expect(openapi).toBe('3.1.0');
    expect(info).toMatchObject({ title: 'StockPulse API', version: stockpulse.version });
    expect(Object.keys(paths)).toHaveLength(stockpulse.routes.length);
    expect(components).toHaveProperty('securitySchemes.bearer');
    for (const route of stockpulse.routes) {
      const operation = paths[`/stockpulse${route.path}`]?.[route.method.toLowerCase()];
      expect(operation?.operationId).toBe(route.operationId);
      const named = (operation?.parameters ?? []).map(({ name, in: place }) => `${place} ${name}`);
      const expected = [
        ...Object.keys(route.query?.properties ?? {}).map((name) => `query ${name}`),
        ...Object.keys(route.params?.properties ?? {}).map((name) => `path ${name}`),
      ];
      expect(named.toSorted()).toEqual(expected.toSorted());
      expect(Object.keys(operation?.responses ?? {})).toEqual(['200', '400', '401', '403', '404', '422']);
      const schema = operation?.responses['200']?.content['application/json']?.schema;
      expect(Object.keys((schema as { properties: object }).properties)).toEqual(Object.keys(route.response.properties));
      if (route.body)
        expect(operation?.requestBody?.content['application/json']?.schema).toMatchObject({ type: 'object', additionalProperties: false });
    }
    expect(JSON.stringify(answer.body)).not.toMatch(/"\$ref"|"nullable"|"prefixItems":\{/);
  });
});

interface Content {
  readonly content: Record<string, { readonly schema: object }>;
}

interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: Content;
  readonly responses: Record<string, Content>;
}

describe('the platform', () => {
  it('introduces itself with what is true', () => {
    expect(stockpulse).toMatchObject({ name: 'stockpulse', title: 'StockPulse' });
    expect(stockpulse.instructions).toMatch(/SIMULATED/);
    expect(stockpulse.instructions).toMatch(/No order can be placed/);
    expect(stockpulse.instructions).not.toMatch(/place_order|approve/);
  });

  it.each([
    ['2026-11-20T14:00:00-05:00', 1000],
    ['2026-11-20T15:59:59.600-05:00', 400],
    ['2026-11-20T08:00:00-05:00', 15_000],
    ['2026-11-20T09:29:55-05:00', 5000],
    ['2026-11-21T12:00:00-05:00', 900_000],
    ['2026-11-23T03:59:00-05:00', 60_000],
  ])('lets an answer of %s live %i ms', (time, ttlMs) => {
    clock.set(time);
    expect(stockpulse.marketCacheHint()).toEqual({ ttlMs });
    clock.set('2026-11-20T14:07:31-05:00');
  });

  it('refuses a seed that is no integer', () => {
    expect(() => createStockPulse({ clock, seed: 1.5, authenticate: () => ({ ok: false, status: 401, code: 1, message: '' }) })).toThrow(
      RangeError,
    );
  });
});
