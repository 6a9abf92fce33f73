import { afterEach, describe, expect, it } from 'vitest';
import type { CallEvent } from '../protocol/index.ts';
import { repeatable } from './calls.ts';
import type { Limits } from './index.ts';
import { httpConfig, httpUpstream, kit, scriptedUpstream, stdioConfig, until, type Kit, type ScriptedUpstream } from './test-kit.ts';
import type { UpstreamConfig } from './types.ts';

/** Which answers let a call be sent once more (PROTOCOL A8): only those that prove that it was not carried out. */

let ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ends.toReversed()) await end();
  ends = [];
});

async function started(config: UpstreamConfig, limits: Partial<Limits> = {}): Promise<Kit> {
  const one = await kit([config], limits);
  ends.push(() => one.end());
  await one.manager.start();
  return one;
}

describe('an error', () => {
  const error = (code: number, status?: number): Parameters<typeof repeatable>[0] => ({
    kind: 'response',
    id: 1,
    result: undefined,
    error: { code, message: 'no' },
    ...(status === undefined ? {} : { status }),
  });

  it.each([
    ['modern', 'http-modern', -32020, 400, 'headers'],
    ['modern', 'http-modern', -32022, 400, 'revision'],
    ['modern', 'http-modern', -32020, undefined, undefined],
    ['modern', 'http-modern', -32022, undefined, undefined],
    ['modern', 'http-modern', -32022, 500, undefined],
    ['modern', 'http-modern', -32602, 400, undefined],
    ['modern', 'stdio-modern', -32020, undefined, undefined],
    ['modern', 'stdio-modern', -32022, undefined, 'revision'],
    ['legacy', 'http-legacy', -32020, 400, undefined],
    ['legacy', 'http-legacy', -32022, 400, undefined],
    ['legacy', 'stdio-legacy', -32020, undefined, undefined],
    ['legacy', 'stdio-legacy', -32022, undefined, undefined],
  ] as const)('of a %s server (%s, %d, status %s) means %s', (era, via, code, status, expected) => {
    expect(repeatable(error(code, status), { era, via })).toBe(expected);
  });

  it.each([
    ['http', 'legacy', -32020],
    ['http', 'legacy', -32022],
    ['http', 'modern', -32020],
    ['http', 'modern', -32022],
    ['stdio', 'legacy', -32020],
    ['stdio', 'legacy', -32022],
    ['stdio', 'modern', -32020],
  ] as const)('of a tool’s own over %s (%s, %d) never makes it run twice', async (transport, era, code) => {
    let config: UpstreamConfig = stdioConfig('one', ['--era', era]);
    if (transport === 'http') {
      // As streams, where the status is sent before the tool runs.
      const upstream = await httpUpstream({ era, sse: true });
      ends.push(() => upstream.close());
      config = httpConfig('one', upstream.url);
    }
    const one = await started(config);
    const attempts: CallEvent[] = [];
    expect(await one.text('one', 'rpc_error', { code }, { onEvent: (event) => attempts.push(event) })).toBe(`error ${code} as you wished`);
    expect(attempts).toHaveLength(1);
    expect(await one.text('one', 'count', { tool: 'rpc_error' })).toBe('1');
    expect(one.manager.stats().byServer[0]?.restarts).toBe(0);
  });
});

describe('a modern server that refuses the revision', () => {
  const REFUSED = { error: { code: -32022, message: 'not this one' }, status: 400 };
  const OK = { result: { content: [{ type: 'text', text: 'ok' }] } };

  async function refusing(limits: Partial<Limits> = {}): Promise<{ one: Kit; upstream: ScriptedUpstream; release: () => void }> {
    const held = Promise.withResolvers<typeof OK>();
    const upstream = await scriptedUpstream((method, { name }) =>
      method !== 'tools/call' ? undefined : name === 'held' ? held.promise : name === 'fine' ? OK : REFUSED,
    );
    ends.push(() => upstream.close());
    return { one: await started(httpConfig('one', upstream.url), limits), upstream, release: () => held.resolve(OK) };
  }

  const connects = ({ methods }: ScriptedUpstream): number => methods.filter((method) => method === 'server/discover').length;
  const calls = ({ methods }: ScriptedUpstream): number => methods.filter((method) => method === 'tools/call').length;

  it('on every call is connected to anew once, not for each of them', async () => {
    const { one, upstream } = await refusing();
    for (let i = 0; i < 5; i++) expect(await one.text('one', 'refused')).toBe('error -32022 not this one');
    await Promise.all(Array.from({ length: 20 }, () => one.text('one', 'refused')));
    expect(connects(upstream)).toBe(2);
    expect(calls(upstream)).toBe(26);
    expect(await one.text('one', 'fine')).toBe('ok');
  });

  it('gets many calls at once again after one new connection', async () => {
    const { one, upstream } = await refusing();
    const answers = await Promise.all(Array.from({ length: 10 }, () => one.text('one', 'refused')));
    expect(new Set(answers)).toEqual(new Set(['error -32022 not this one']));
    expect(connects(upstream)).toBe(2);
  });

  it('keeps the calls that are under way over the connection before', async () => {
    const { one, upstream, release } = await refusing({ renewMs: 0 });
    const held = one.text('one', 'held');
    await until(() => calls(upstream) === 1);
    expect(await one.text('one', 'refused')).toBe('error -32022 not this one');
    expect(connects(upstream)).toBe(2);
    // While the first connection still has its call there is no third one.
    expect(await one.text('one', 'refused')).toBe('error -32022 not this one');
    expect(connects(upstream)).toBe(2);
    release();
    expect(await held).toBe('ok');
  });

  it('over stdio is started anew beside its calls, and the process before ends with the last of them', async () => {
    const one = await started(stdioConfig('one', ['--era', 'modern']));
    const before = await one.text('one', 'pid');
    // Longer than another process takes to start on a busy machine.
    const slow = one.text('one', 'slow', { ms: 5_000 });
    expect(await one.text('one', 'rpc_error', { code: -32022 })).toBe('error -32022 as you wished');
    expect(await one.text('one', 'pid')).not.toBe(before);
    expect(one.manager.stats()).toMatchObject({ children: 2, byServer: [{ restarts: 1 }] });
    expect(await slow).toBe('done');
    await until(() => one.manager.stats().children === 1);
    expect(await one.text('one', 'rpc_error', { code: -32022 })).toBe('error -32022 as you wished');
    expect(one.manager.stats()).toMatchObject({ children: 1, byServer: [{ restarts: 1 }] });
  });

  it('over stdio leaves no process when the gateway stops meanwhile', async () => {
    const one = await started(stdioConfig('one', ['--era', 'modern']));
    const hanging = one.text('one', 'hang');
    await one.text('one', 'rpc_error', { code: -32022 });
    await one.manager.stop();
    expect(one.manager.stats().children).toBe(0);
    expect(await hanging).toBe('failed outcome_unknown unknown');
  });

  it('is left at once when the gateway stops', async () => {
    const { one, upstream } = await refusing();
    const held = one.text('one', 'held');
    await until(() => calls(upstream) === 1);
    await one.text('one', 'refused');
    await one.manager.stop();
    expect(await held).toBe('failed outcome_unknown unknown');
  });
});
