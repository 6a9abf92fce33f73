import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { ServerState } from '../registry/index.ts';
import { httpConfig, httpUpstream, kit, stdioConfig, until, type Kit } from './test-kit.ts';

/** How the era of a server is told, and which answers tell nothing (PROTOCOL A9; S26 transports, "Backward Compatibility"). */

let ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ends.toReversed()) await end();
  ends = [];
});

async function started(made: Promise<Kit>): Promise<Kit> {
  const one = await made;
  ends.push(() => one.end());
  await one.manager.start();
  return one;
}

const stateOf = ({ registry }: Kit): ServerState => registry.get('one')?.state ?? { state: 'stopped' };
const reasonOf = (one: Kit): string => {
  const state = stateOf(one);
  return state.state === 'backing_off' ? state.reason : state.state;
};

interface Answer {
  readonly status: number;
  readonly body?: string;
  readonly headers?: Record<string, string>;
}

/** A server that answers `server/discover` as told and is a plain legacy server otherwise. */
async function scripted(onDiscover: readonly Answer[]): Promise<{ url: string; methods: string[] }> {
  const methods: string[] = [];
  let asked = 0;
  const server: Server = createServer((req, res) => {
    let body = '';
    req.on('data', (chunk) => (body += String(chunk)));
    req.on('end', () => {
      const { id, method } = JSON.parse(body) as { id?: number; method: string };
      methods.push(method);
      if (method === 'server/discover') {
        const answer = onDiscover[Math.min(asked++, onDiscover.length - 1)] as Answer;
        res
          .writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers })
          .end(answer.body?.replace('$id', String(id)));
        return;
      }
      const result =
        method === 'initialize'
          ? { protocolVersion: '2025-06-18', capabilities: {}, serverInfo: { name: 'old', version: '1' } }
          : { tools: [] };
      res.writeHead(id === undefined ? 202 : 200, { 'content-type': 'application/json' });
      res.end(id === undefined ? undefined : JSON.stringify({ jsonrpc: '2.0', id, result }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(() => new Promise((resolve) => server.close(resolve).closeAllConnections()));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`, methods };
}

const error = (code: number, data?: unknown): string =>
  JSON.stringify({ jsonrpc: '2.0', id: '$id', error: { code, message: 'no', data } }).replace('"$id"', '$id');
const discovered = (supportedVersions?: string[]): string =>
  JSON.stringify({ jsonrpc: '2.0', id: '$id', result: { resultType: 'complete', supportedVersions, capabilities: {} } }).replace(
    '"$id"',
    '$id',
  );

describe('over HTTP', () => {
  it.each<[string, Answer]>([
    ['400 with an empty body', { status: 400, body: '' }],
    ['400 with an error that is not modern', { status: 400, body: error(-32000) }],
    ['400 with text', { status: 400, body: 'Bad Request: no session' }],
    ['404', { status: 404, body: '' }],
    ['405', { status: 405, body: '' }],
    ['200 with method not found', { status: 200, body: error(-32601) }],
    ['a discover result without supportedVersions', { status: 200, body: discovered() }],
  ])('%s is legacy', async (_name, answer) => {
    const { url, methods } = await scripted([answer]);
    const one = await started(kit([httpConfig('one', url)]));
    expect(stateOf(one).state).toBe('ready');
    expect(one.registry.get('one')).toMatchObject({ eras: ['legacy'], facts: { info: { name: 'old' } } });
    expect(methods.slice(0, 3)).toEqual(['server/discover', 'initialize', 'notifications/initialized']);
  });

  it.each<[string, Answer, RegExp]>([
    ['401', { status: 401 }, /credentials \(HTTP 401\).*"headers"/],
    ['403', { status: 403 }, /credentials \(HTTP 403\)/],
    ['500', { status: 500 }, /HTTP 500/],
    ['503', { status: 503 }, /HTTP 503/],
    [
      'a redirect',
      { status: 307, headers: { location: 'https://other.example/mcp?token=secret' } },
      /redirects \(HTTP 307\) to https:\/\/other\.example, /,
    ],
  ])('%s is no verdict', async (_name, answer, reason) => {
    const { url, methods } = await scripted([answer]);
    const one = await started(kit([httpConfig('one', url)]));
    expect(reasonOf(one)).toMatch(reason);
    expect(reasonOf(one)).not.toMatch(/secret|other\.example\/mcp/);
    const detail = JSON.stringify(one.events.find(({ kind }) => kind === 'connect_failed'));
    expect(detail).not.toContain('secret');
    if (answer.status === 307) expect(detail).toContain('https://other.example/mcp');
    expect(new Set(methods)).toEqual(new Set(['server/discover']));
    expect(one.registry.get('one')?.eras).toEqual([]);
  });

  it.each([401, 403])('%d is not said to pass by itself, neither at once nor later', async (status) => {
    for (const limits of [{ backoffFirstMs: 60_000, backoffMaxMs: 60_000 }, {}]) {
      const { url } = await scripted([{ status }]);
      const one = await kit([httpConfig('one', url)], limits);
      ends.push(() => one.end());
      const starting = one.manager.start();
      const early = await one.call('one', 'echo');
      await starting;
      for (const outcome of [early, await one.call('one', 'echo')]) {
        expect(outcome).toMatchObject({ kind: 'failed', failure: { code: 'upstream_unavailable', executed: 'no' } });
        expect(outcome.kind === 'failed' && outcome.failure).not.toHaveProperty('retryAfterMs');
        expect(outcome.kind === 'failed' && outcome.failure.message).toMatch(/HTTP 40.*operator must set working ones under "headers"/);
      }
    }
  });

  it('silence and a refused connection are no verdict, and neither blocks the start', async () => {
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    ends.push(() => new Promise((resolve) => silent.close(resolve).closeAllConnections()));
    const { port } = silent.address() as AddressInfo;
    const one = await started(
      kit([httpConfig('one', `http://127.0.0.1:${port}/`)], { connectMs: 200, backoffFirstMs: 60_000, backoffMaxMs: 60_000 }),
    );
    expect(reasonOf(one)).toMatch(/in time|within 200 ms/);

    const refused = await started(kit([httpConfig('one', 'http://127.0.0.1:1/')], { backoffFirstMs: 60_000, backoffMaxMs: 60_000 }));
    expect(reasonOf(refused)).toBe('the connection was refused');
    const outcome = await refused.call('one', 'echo');
    expect(outcome).toMatchObject({ kind: 'failed', failure: { code: 'upstream_unavailable', executed: 'no' } });
    expect(outcome.kind === 'failed' && outcome.failure.retryAfterMs).toBeGreaterThan(2_000);
  });

  it('-32022 is asked again with a listed revision', async () => {
    const { url, methods } = await scripted([
      { status: 400, body: error(-32022, { supported: ['2026-07-28'] }) },
      { status: 200, body: discovered(['2026-07-28']) },
    ]);
    const one = await started(kit([httpConfig('one', url)]));
    expect(one.registry.get('one')?.eras).toEqual(['modern']);
    expect(methods.slice(0, 2)).toEqual(['server/discover', 'server/discover']);
  });

  it('a modern server without a common revision is not asked to initialize', async () => {
    const { url, methods } = await scripted([{ status: 400, body: error(-32022, { supported: ['2031-01-01'] }) }]);
    const one = await started(kit([httpConfig('one', url)]));
    expect(reasonOf(one)).toBe('it shares no revision with us: it speaks 2031-01-01');
    expect(methods).not.toContain('initialize');
  });

  it('a configured era is not probed', async () => {
    const dual = await httpUpstream({ era: 'dual' });
    ends.push(() => dual.close());
    const one = await started(kit([httpConfig('one', dual.url, { era: 'legacy' })]));
    expect(one.registry.get('one')?.eras).toEqual(['legacy']);
    expect(dual.requests.map(({ body }) => body).join()).not.toContain('server/discover');

    const legacy = await httpUpstream({ era: 'legacy' });
    ends.push(() => legacy.close());
    const other = await started(kit([httpConfig('one', legacy.url, { era: 'modern' })]));
    expect(reasonOf(other)).toMatch(/does not speak 2026-07-28: set "era"/);
  });

  it('the verdict is asked for again when the server comes back', async () => {
    const first = await httpUpstream({ era: 'legacy' });
    const one = await started(kit([httpConfig('one', first.url)]));
    expect(one.registry.get('one')?.eras).toEqual(['legacy']);
    const port = Number(new URL(first.url).port);
    await first.close();
    // An idle socket that just broke is noticed in the next turn of the event loop; a call written to it before is ambiguous.
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await one.text('one', 'echo')).toBe('failed upstream_unavailable no');
    const second = await httpUpstream({ era: 'modern', port });
    ends.push(() => second.close());
    await until(() => stateOf(one).state === 'ready');
    expect(one.registry.get('one')?.eras).toEqual(['modern']);
  });
});

describe('a legacy verdict', () => {
  it('is asked for again in time, and a call under way is not cut by it', async () => {
    const upstream = await httpUpstream({ era: 'legacy' });
    ends.push(() => upstream.close());
    const one = await started(kit([httpConfig('one', upstream.url)], { verdictMs: 30 }));
    const before = upstream.requests.length;
    await until(() => upstream.requests.length > before + 2);
    expect(one.registry.get('one')?.eras).toEqual(['legacy']);
    const slow = one.text('one', 'slow', { ms: 300 });
    await until(() => upstream.calls.length === 1);
    upstream.set({ era: 'dual' });
    expect(await slow).toBe('done');
    await until(() => one.registry.get('one')?.eras.includes('modern') === true);
    expect(one.manager.stats().byServer[0]).toMatchObject({ restarts: 1 });
  });
});

describe('over stdio', () => {
  it('a server that was legacy starts beside its probe when it comes back', async () => {
    const one = await started(kit([stdioConfig('one', ['--era', 'legacy'])]));
    one.events.length = 0;
    await one.manager.restart('one');
    expect(one.registry.get('one')?.eras).toEqual(['legacy']);
    expect(await one.text('one', 'echo', { text: 'hi' })).toBe('hi');
    const moves = one.events.filter(({ kind }) => kind === 'child_started' || kind === 'child_exited');
    expect(moves.map((event) => (event.kind === 'child_started' ? event.purpose : 'exit'))).toEqual(['exit', 'serve', 'probe', 'exit']);
    expect(one.manager.stats().children).toBe(1);
  });

  it.each([
    ['an error that is not modern', ['--era', 'legacy']],
    ['silence', ['--era', 'legacy', '--silent']],
    ['an exit', ['--era', 'legacy', '--exit-on-discover', '1']],
    ['a discover result without supportedVersions', ['--no-versions']],
  ])('%s is legacy', async (_name, flags) => {
    verifies('stdio-fallback');
    const one = await started(kit([stdioConfig('one', flags)], { probeMs: 300 }));
    expect(one.registry.get('one')?.eras).toEqual(['legacy']);
    expect(await one.text('one', 'echo', { text: 'hi' })).toBe('hi');
    expect(one.manager.stats().children).toBe(1);
    expect(one.events.filter(({ kind }) => kind === 'child_started')).toMatchObject([{ purpose: 'probe' }, { purpose: 'serve' }]);
  });

  it('a modern answer makes the probe the connection: one start', async () => {
    const one = await started(kit([stdioConfig('one', ['--era', 'modern'])]));
    expect(one.registry.get('one')?.eras).toEqual(['modern']);
    expect(one.events.filter(({ kind }) => kind === 'child_started')).toHaveLength(1);
  });

  it('a modern server without a common revision is not asked to initialize', async () => {
    const one = await started(kit([stdioConfig('one', ['--era', 'modern', '--versions', '2031-01-01'])]));
    expect(reasonOf(one)).toBe('it shares no revision with us: it speaks 2031-01-01');
  });

  it('a configured era is not probed', async () => {
    const one = await started(kit([stdioConfig('one', ['--era', 'dual'], { era: 'legacy' })]));
    expect(one.registry.get('one')?.eras).toEqual(['legacy']);
    expect(one.events.filter(({ kind }) => kind === 'child_started')).toHaveLength(1);
    const modern = await started(kit([stdioConfig('one', ['--era', 'legacy'], { era: 'modern' })]));
    expect(reasonOf(modern)).toMatch(/does not speak 2026-07-28/);
  });

  it.each([
    ['a missing command', { command: 'no-such-command-here' }, /command "no-such-command-here" was not found: install it/],
    ['a file that is no program', { command: '/etc/passwd' }, /command "\/etc\/passwd" may not be executed/],
    ['a missing folder', { cwd: '/no/such/folder' }, /working folder \(cwd\)/],
  ])('%s is said clearly', async (_name, more, reason) => {
    const one = await started(kit([stdioConfig('one', [], more)]));
    expect(reasonOf(one)).toMatch(reason);
    expect(one.manager.stats().children).toBe(0);
  });

  it('a server that never starts leaves its last words in the event, not in the public reason', async () => {
    const one = await started(kit([stdioConfig('one', ['--exit'])]));
    expect(reasonOf(one)).toMatch(/ended with exit code 3 before it answered/);
    const event = one.events.find(({ kind }) => kind === 'child_exited');
    expect(event).toMatchObject({ code: 3, stderr: ['fatal: this server never starts'] });
  });

  it('a slow start is waited for, within the limit', async () => {
    const one = await started(kit([stdioConfig('one', ['--era', 'legacy', '--start-delay', '400'])], { probeMs: 100 }));
    expect(stateOf(one).state).toBe('ready');
    const late = await started(kit([stdioConfig('one', ['--era', 'legacy', '--start-delay', '60000'])], { probeMs: 100, connectMs: 300 }));
    expect(reasonOf(late)).toMatch(/within 300 ms|in time/);
    expect(late.manager.stats().children).toBe(0);
  });
});
