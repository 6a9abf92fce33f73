import { afterEach, describe, expect, it } from 'vitest';
import type { CallEvent } from '../protocol/index.ts';
import { httpConfig, httpUpstream, kit, stdioConfig, textOf, until, type HttpUpstream, type Kit } from './test-kit.ts';

/** Progress and log messages of calls over shared connections (PROTOCOL A2, C12): each call hears its own, and nothing of others. */

let ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ends.toReversed()) await end();
  ends = [];
});

interface Setup {
  readonly one: Kit;
  readonly http: HttpUpstream | undefined;
}

async function setup(transport: string, era: string): Promise<Setup> {
  let http: HttpUpstream | undefined;
  if (transport === 'http') {
    http = await httpUpstream({ era });
    const upstream = http;
    ends.push(() => upstream.close());
  }
  const one = await kit([http === undefined ? stdioConfig('one', ['--era', era]) : httpConfig('one', http.url)]);
  ends.push(() => one.end());
  await one.manager.start();
  return { one, http };
}

interface Heard {
  readonly text: string;
  readonly progress: unknown[];
  readonly tokens: unknown[];
  readonly logs: unknown[];
}

async function converse(one: Kit, steps: readonly object[], call: object = {}): Promise<Heard> {
  const told: CallEvent[] = [];
  const outcome = await one.call('one', 'converse', { steps }, { call, onEvent: (event) => told.push(event) });
  const of = (method: string, member: string): unknown[] =>
    told.flatMap((event) => (event.kind === 'notification' && event.method === method ? [event.params?.value[member]] : []));
  return {
    text: textOf(outcome),
    progress: of('notifications/progress', 'progress'),
    tokens: of('notifications/progress', 'progressToken'),
    logs: of('notifications/message', 'data'),
  };
}

const CELLS = [
  ['http', 'modern'],
  ['http', 'legacy'],
  ['stdio', 'modern'],
  ['stdio', 'legacy'],
] as const;

describe.each(CELLS)('over %s %s', (transport, era) => {
  it('each of many calls hears its own progress, with a token of ours', async () => {
    verifies('progress-client-unique');
    const { one } = await setup(transport, era);
    const steps = (from: number): object[] => [{ progress: from }, { wait: 5 }, { progress: from + 1 }];
    const all = await Promise.all(Array.from({ length: 30 }, (_, i) => converse(one, steps(i * 10), { progress: true })));
    expect(all.map(({ progress }) => progress)).toEqual(Array.from({ length: 30 }, (_, i) => [i * 10, i * 10 + 1]));
    const tokens = all.map((heard) => new Set(heard.tokens));
    expect(tokens.every((own) => own.size === 1)).toBe(true);
    expect(new Set(tokens.flatMap((own) => [...own])).size).toBe(30);
  });

  it('a call that wants no progress sends no token', async () => {
    const { one, http } = await setup(transport, era);
    await converse(one, [{ wait: 1 }]);
    if (http !== undefined) expect(JSON.stringify(http.calls)).not.toContain('progressToken');
  });
});

describe('log messages', () => {
  it.each(['modern', 'legacy'])('come on the call’s own stream over HTTP (%s)', async (era) => {
    const { one } = await setup('http', era);
    const [a, b] = await Promise.all([
      converse(one, [{ log: 'of a' }, { wait: 20 }], { logLevel: 'info' }),
      converse(one, [{ wait: 10 }, { log: 'of b' }], { logLevel: 'info' }),
    ]);
    expect([a.logs, b.logs]).toEqual([['of a'], ['of b']]);
  });

  it('of a legacy server on a shared pipe are nobody’s', async () => {
    const { one } = await setup('stdio', 'legacy');
    expect((await converse(one, [{ log: 'whose?' }], { logLevel: 'debug' })).logs).toEqual([]);
  });

  it('reach a legacy client that set no level: a modern server is asked for them, a legacy one is not told of a level', async () => {
    const client = { revision: '2025-11-25', info: undefined, capabilities: {} };
    for (const era of ['modern', 'legacy']) {
      const { one, http } = await setup('http', era);
      expect((await converse(one, [{ log: 'mine' }], { client })).logs).toEqual(['mine']);
      const sent = (): string[] => (http?.requests ?? []).map(({ body }) => body);
      const asked = (): number => sent().filter((body) => body.includes('"io.modelcontextprotocol/logLevel":"info"')).length;
      expect(asked()).toBe(era === 'modern' ? 1 : 0);
      expect(sent().join()).not.toContain('logging/setLevel');
      await converse(one, [{ log: 'not wanted' }]);
      expect(asked()).toBe(era === 'modern' ? 1 : 0);
    }
  });

  it('are wanted of a legacy HTTP server at the lowest level that anybody wants, once per session', async () => {
    const { one, http } = await setup('http', 'legacy');
    const levels = (): unknown[] =>
      (http?.requests ?? [])
        .map(({ body }) => JSON.parse(body || '{}') as { method?: string; params?: { level?: string } })
        .filter(({ method }) => method === 'logging/setLevel')
        .map(({ params }) => params?.level);
    await converse(one, []);
    expect(levels()).toEqual([]);
    await Promise.all([converse(one, [], { logLevel: 'warning' }), converse(one, [], { logLevel: 'warning' })]);
    await converse(one, [], { logLevel: 'error' });
    expect(levels()).toEqual(['warning']);
    await converse(one, [], { logLevel: 'debug' });
    await converse(one, [], { logLevel: 'info' });
    expect(levels()).toEqual(['warning', 'debug']);
    http?.forgetSessions();
    await converse(one, []);
    await until(() => one.events.some(({ kind }) => kind === 'session_lost'));
    await converse(one, [], { logLevel: 'error' });
    expect(levels()).toEqual(['warning', 'debug', 'error']);
  });
});
