import { afterEach, describe, expect, it } from 'vitest';
import type { CallEvent } from '../protocol/index.ts';
import { httpConfig, httpUpstream, kit, stdioConfig, type HttpUpstream, type Kit } from './test-kit.ts';

/** Both transports in both eras: what every upstream can do, however it is connected. */

let open: (Kit | HttpUpstream)[] = [];

afterEach(async () => {
  for (const one of open) await ('end' in one ? one.end() : one.close());
  open = [];
});

const CELLS = [
  ['http', 'modern', {}],
  ['http', 'modern', { sse: true }],
  ['http', 'legacy', {}],
  ['http', 'legacy', { sse: true }],
  ['http', 'legacy', { sessionless: true }],
  ['http', 'dual', {}],
  ['stdio', 'modern', {}],
  ['stdio', 'legacy', {}],
  ['stdio', 'dual', {}],
] as const;

async function connect(transport: 'http' | 'stdio', era: string, more: Record<string, unknown>, flags: string[] = []): Promise<Kit> {
  let config;
  if (transport === 'http') {
    const upstream = await httpUpstream({ era, ...more });
    open.push(upstream);
    config = httpConfig('one', upstream.url);
  } else {
    config = stdioConfig('one', ['--era', era, ...flags]);
  }
  const made = await kit([config]);
  open.push(made);
  await made.manager.start();
  return made;
}

describe.each(CELLS)('%s %s %j', (transport, era, more) => {
  const via = `${transport}-${era === 'dual' ? 'modern' : era}`;

  it('is discovered and called', async () => {
    verifies('basic-client-unknown-type', 'basic-client-no-type');
    const { manager, registry, call, text } = await connect(transport, era, more);
    const entry = registry.get('one');
    expect(entry?.state.state).toBe('ready');
    expect(entry?.facts.info?.name).toBe('fixture');
    expect(entry?.facts.instructions).toBe('A test server.');
    expect(entry?.eras).toEqual(era === 'dual' ? ['modern', 'legacy'] : [era]);
    expect(entry?.tools.map(({ definition }) => definition.name).slice(0, 2)).toEqual(['echo', 'add']);
    expect(entry?.toolsCache).toEqual(
      era === 'legacy' ? { ttlMs: 300_000, cacheScope: 'private' } : { ttlMs: 60_000, cacheScope: 'public' },
    );

    expect(await text('one', 'echo', { text: 'grüße ☃' })).toBe('grüße ☃');
    const events: CallEvent[] = [];
    const sum = await call('one', 'add', { a: 1, b: 2 }, { onEvent: (event) => events.push(event) });
    expect(sum).toMatchObject({ kind: 'complete', result: { value: { structuredContent: { sum: 3 } } } });
    expect(events).toEqual([{ kind: 'attempt', attempt: { server: 'one', via, durationMs: expect.any(Number) as number, outcome: 'ok' } }]);
    expect(await call('one', 'fail')).toMatchObject({ kind: 'complete', result: { value: { isError: true } } });
    expect(await text('one', 'rpc_error', { code: -32050 })).toBe('error -32050 as you wished');
    expect(await text('one', 'nobody')).toBe('error -32602 Unknown tool: nobody');
    expect(await call('one', 'strange_result')).toMatchObject({ kind: 'failed', failure: { code: 'upstream_protocol_error' } });
    expect(manager.stats().byServer[0]).toMatchObject({ state: 'ready', inFlight: 0, restarts: 0 });
  });

  it('carries many calls at once, each to its own answer', async () => {
    const { text, manager } = await connect(transport, era, more);
    const answers = await Promise.all(Array.from({ length: 150 }, (_, i) => text('one', 'echo', { text: `n${i}` })));
    expect(answers).toEqual(Array.from({ length: 150 }, (_, i) => `n${i}`));
    expect(manager.stats().byServer[0]?.inFlight).toBe(0);
  });

  it('ends a call at its deadline and at its cancellation, and tells the server', async () => {
    verifies('stdio-client-cancel', 'cancel-client-stdio', 'cancel-client-own');
    const { call, text } = await connect(transport, era, more);
    expect(await text('one', 'hang', {}, { deadlineMs: 100 })).toBe('failed deadline_exceeded unknown');
    const controller = new AbortController();
    const hanging = call('one', 'hang', {}, { signal: controller.signal });
    setTimeout(() => controller.abort(), 50);
    expect(await hanging).toMatchObject({ kind: 'failed', failure: { code: 'canceled', executed: 'unknown' } });
    // Modern HTTP says it by closing the stream, all else by a notification with the request's id.
    const told = (id: unknown): boolean => (via === 'http-modern' ? id === 'closed' : id !== 'closed');
    for (let seen = 0; seen < 2;) seen = (JSON.parse(await text('one', 'cancelled')) as unknown[]).filter(told).length;
    expect(await text('one', 'echo', { text: 'still here' })).toBe('still here');
  });
});

describe('tools/list', () => {
  it.each(['http', 'stdio'] as const)(
    'is read through all pages over %s, the empty cursor and one that comes again included',
    async (transport) => {
      const options = { tools: 30, page: 10, circular: true };
      const flags = ['--tools', '30', '--page', '10', '--circular'];
      const { registry } = await connect(transport, 'modern', options, flags);
      const names = registry.get('one')?.tools.map(({ definition }) => definition.name) ?? [];
      expect(names.filter((name) => name.startsWith('extra_'))).toEqual(Array.from({ length: 30 }, (_, i) => `extra_${i}`));
      expect(new Set(names).size).toBe(names.length);
    },
  );
});
