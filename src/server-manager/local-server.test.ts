import { describe, expect, it } from 'vitest';
import { Registry } from '../registry/index.ts';
import { createLocalServer, type LocalServerOptions } from './local-server.ts';
import type { RouteContext, RouteFact, RouteInput } from './route-fact.ts';
import { call, FACTS, object, Refusal, route, run, textOf } from './test-support.ts';

const PRIVATE = 'private detail';

function server(routes: readonly RouteFact[], more: Partial<LocalServerOptions> = {}) {
  const registry = new Registry();
  const target = createLocalServer({
    name: 'stockpulse',
    title: 'StockPulse',
    version: '1',
    instructions: 'Be careful.',
    routes,
    registry,
    clock: { now: () => 77 },
    listTtlMs: 1000,
    simulated: true,
    ...more,
  });
  return { target, registry };
}

const handling = (handle: RouteFact['handle'], more: Partial<RouteFact> = {}) => server([route({ handle, ...more })]).target;
const failing = (error: unknown) =>
  handling(() => {
    throw error;
  });

describe('createLocalServer: the catalogue', () => {
  it('has the routes that are tools, in their order, with scope and side effect', () => {
    const { mcp: _facts, ...plain } = route({ operationId: 'no_tool' });
    const writes = (idempotentHint: boolean) => ({
      ...FACTS,
      scope: 'trade:write',
      annotations: { ...FACTS.annotations, readOnlyHint: false, idempotentHint },
    });
    const { registry } = server([
      route(),
      plain,
      route({ operationId: 'place', mcp: writes(true) }),
      route({ operationId: 'buy', mcp: writes(false) }),
    ]);
    const [entry] = registry.list();
    expect(entry).toMatchObject({
      name: 'stockpulse',
      kind: 'stockpulse',
      transport: 'local',
      eras: ['modern', 'legacy'],
      state: { state: 'ready', since: 77 },
      warnings: [],
    });
    expect(entry?.tools.map(({ definition, sideEffect, scopes }) => [definition.name, sideEffect, scopes])).toEqual([
      ['get_it', 'read', ['market:read']],
      ['place', 'idempotent_write', ['trade:write']],
      ['buy', 'write', ['trade:write']],
    ]);
  });

  it('refuses two routes of one name, and routes that cannot be tools', () => {
    expect(() => server([route(), route()])).toThrow(expect.objectContaining({ code: 'route_invalid' }) as Error);
    expect(() => server([route({ response: { type: 'string' } })])).toThrow(expect.objectContaining({ code: 'route_invalid' }) as Error);
    const query = object({ a: { type: 'number', 'x-mcp-header': 'A' } });
    expect(() => server([route({ query })])).toThrow(expect.objectContaining({ code: 'route_invalid' }) as Error);
  });
});

describe('createLocalServer: calls', () => {
  it('hands over the arguments with defaults and without nulls, and who is calling', async () => {
    const seen: [RouteInput, RouteContext][] = [];
    const query = object({ symbol: { type: 'string' }, limit: { type: 'integer', default: 10 }, cursor: { type: 'string' } }, ['symbol']);
    const target = handling((input, context) => (seen.push([input, context]), { data: 1 }), { query });
    const controller = new AbortController();
    const { outcome, events } = await run(target, call('get_it', { symbol: 'A', cursor: null }), controller.signal);
    expect(textOf(outcome)).toMatch(/^SIMULATED /);
    expect(seen).toEqual([
      [
        { params: {}, query: { symbol: 'A', limit: 10 }, body: {} },
        { identity: { ok: true, id: 'someone', scopes: new Set(['market:read']) }, signal: controller.signal },
      ],
    ]);
    expect(events).toEqual([
      { kind: 'attempt', attempt: { server: 'stockpulse', via: 'local', durationMs: expect.any(Number) as number, outcome: 'ok' } },
    ]);
  });

  it.each([undefined, null, [], 'x'])('takes arguments that are %j for none', async (args) => {
    expect(
      (
        await run(
          handling(() => Promise.resolve({ data: 1 })),
          call('get_it', args),
        )
      ).outcome,
    ).toMatchObject({ kind: 'complete', result: { value: { structuredContent: { data: 1 } } } });
  });

  it('a refusal of the route is a tool error that begins SIMULATED', async () => {
    const { outcome, events } = await run(failing(new Refusal('No such symbol.')), call('get_it'));
    expect(outcome).toMatchObject({ kind: 'complete', result: { value: { isError: true } } });
    expect(textOf(outcome)).toMatch(/^SIMULATED\n.*No such symbol/);
    expect(events).toMatchObject([{ attempt: { outcome: 'ok' } }]);
  });

  it.each([
    ['an error', new Error(PRIVATE)],
    ['an object like a refusal', { status: 422, code: 1, retryable: false, message: PRIVATE }],
    ['a text', PRIVATE],
    ['nothing', undefined],
  ])('%s thrown is an internal error that does not say what', async (_what, thrown) => {
    const { outcome, events } = await run(failing(thrown), call('get_it'));
    if (outcome.kind !== 'failed') throw new Error(outcome.kind);
    expect(outcome.failure).toMatchObject({ code: 'internal_error', executed: 'unknown' });
    expect(outcome.failure.message).not.toContain(PRIVATE);
    expect(outcome.failure.detail).toBe(thrown);
    expect(events).toMatchObject([{ attempt: { outcome: 'internal_error' } }]);
  });

  it('a promise that rejects is the same', async () => {
    const { outcome } = await run(
      handling(() => Promise.reject(new Error(PRIVATE))),
      call('get_it'),
    );
    expect(outcome).toMatchObject({ kind: 'failed', failure: { code: 'internal_error' } });
  });

  it('an answer beyond the hard cap is refused, and says what to do', async () => {
    const { outcome } = await run(
      handling(() => ({ data: 'x'.repeat(FACTS.caps.hardBytes) })),
      call('get_it'),
    );
    expect(outcome).toMatchObject({
      kind: 'failed',
      failure: { code: 'result_too_large', message: expect.stringContaining('Ask for less') as string },
    });
  });

  it.each([undefined, null, [1], 'text', { data: 1n }])('an answer that is no object of JSON is an internal error: %o', async (answer) => {
    expect(
      (
        await run(
          handling(() => answer),
          call('get_it'),
        )
      ).outcome,
    ).toMatchObject({ kind: 'failed', failure: { code: 'internal_error' } });
  });

  it('arguments that do not fit are not handed over', async () => {
    let ran = false;
    const target = handling(() => ((ran = true), { data: 1 }), { query: object({ a: { type: 'string' } }) });
    expect((await run(target, call('get_it', { a: 7 }))).outcome).toMatchObject({ kind: 'failed' });
    expect(ran).toBe(false);
  });

  it.each(['none', 'constructor', '__proto__'])('there is no tool %s', async (name) => {
    expect(
      (
        await run(
          handling(() => ({ data: 1 })),
          call(name),
        )
      ).outcome,
    ).toMatchObject({ kind: 'failed', failure: { code: 'internal_error' } });
  });

  it('a call that was canceled does not start, and one that breaks off says so', async () => {
    let runs = 0;
    const controller = new AbortController();
    const target = handling((_input, { signal }) => {
      runs++;
      controller.abort();
      signal?.throwIfAborted();
    });
    expect((await run(target, call('get_it'), AbortSignal.abort())).outcome).toMatchObject({
      kind: 'failed',
      failure: { code: 'canceled', executed: 'no' },
    });
    expect(runs).toBe(0);
    expect((await run(target, call('get_it'), controller.signal)).outcome).toMatchObject({
      kind: 'failed',
      failure: { code: 'canceled', executed: 'unknown' },
    });
  });

  it('an answer that is there counts, even if the client left meanwhile', async () => {
    const controller = new AbortController();
    const target = handling(() => (controller.abort(), { data: 1 }));
    expect((await run(target, call('get_it'), controller.signal)).outcome).toMatchObject({ kind: 'complete' });
  });
});
