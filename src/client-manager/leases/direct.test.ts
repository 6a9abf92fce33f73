import { afterEach, describe, expect, it } from 'vitest';
import { jsonText, type Ask, type AskClient, type JsonObject } from '../../protocol/index.ts';
import type { Limits } from '../limits.ts';
import { stdioConfig, until } from '../test-kit.ts';
import { accept, elicit, FORM, heard, leasesKit, said, SAMPLE, type LeasesKit, type RunOptions } from './leases-kit.ts';

/** Calls of clients that can be asked while their request is open. */

let ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ends.toReversed()) await end();
  ends = [];
});

async function start(limits: Partial<Limits> = {}, more: object = {}): Promise<LeasesKit> {
  const kit = await leasesKit(stdioConfig('one', ['--era', 'legacy'], more), limits);
  ends.push(() => kit.end());
  return kit;
}

/** A client that notes what it is asked and answers with a number, after a while. */
function client(ms = 0): { readonly ask: AskClient; readonly asks: Ask[]; readonly aborted: unknown[] } {
  const asks: Ask[] = [];
  const aborted: unknown[] = [];
  const ask: AskClient = (one, signal) => {
    const number = asks.push(one);
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve({ result: jsonText(accept(number)) }), ms);
      signal.addEventListener('abort', () => {
        clearTimeout(timer);
        aborted.push(number);
        resolve({ error: { code: -32800, message: 'aborted' } });
      });
    });
  };
  return { ask, asks, aborted };
}

describe('a client that can be asked', () => {
  it('answers while its call waits, also several questions at once', async () => {
    const kit = await start();
    const { ask, asks } = client();
    const steps = [
      { progress: 1 },
      { ask: [elicit()] },
      { ask: [elicit('x'), { method: 'sampling/createMessage', params: SAMPLE }] },
      { progress: 2 },
    ];
    const run = kit.run(steps, { ask, progress: true });
    expect(said(await run.outcome)).toEqual([accept(1), accept(2), accept(3)]);
    expect(asks.map(({ method, params }) => [method, params?.value])).toEqual([
      ['elicitation/create', FORM],
      ['elicitation/create', FORM],
      ['sampling/createMessage', SAMPLE],
    ]);
    expect(heard(run.events)).toEqual([1, 2]);
    expect(run.events.at(-1)).toMatchObject({ kind: 'attempt', attempt: { via: 'stdio-legacy', outcome: 'ok' } });
    expect([kit.gauge('upstream_parked'), kit.gauge('upstream_parked_results')]).toEqual([0, 0]);
  });

  it('may take longer than the call, but not for ever', async () => {
    const kit = await start({ parkMs: 2_000 });
    const slow = client(1_000);
    await kit.outcome([]);
    expect(said(await kit.outcome([{ ask: [elicit()] }], { ask: slow.ask, deadlineMs: 700 }))).toEqual([accept(1)]);
    const never = client(60_000);
    const outcome = await kit.outcome([{ ask: [elicit()] }], { ask: never.ask });
    expect(outcome).toMatchObject({
      kind: 'failed',
      failure: { code: 'deadline_exceeded', message: expect.stringContaining('asked for input') as string },
    });
    expect(never.aborted).toEqual([1]);
  });

  it('hears when the server takes its question back', async () => {
    const kit = await start();
    const { ask, aborted } = client(60_000);
    expect(said(await kit.outcome([{ ask: [elicit('late', { giveUpMs: 30 })] }, { wait: 30 }], { ask }))).toEqual([{ timedOut: true }]);
    expect(aborted).toEqual([1]);
  });

  it('is not asked any more when it cancels its call, and the server is told', async () => {
    const kit = await start();
    const { ask, asks, aborted } = client(60_000);
    const run = kit.run([{ ask: [elicit()] }, { hang: true }], { ask });
    await until(() => asks.length === 1);
    run.abort();
    expect(said(await run.outcome)).toBe('failed canceled unknown');
    expect(aborted).toEqual([1]);
    await until(() => kit.gauge('upstream_leases') === 0);
  });

  it('tells its roots if it has any, else the configured ones are told', async () => {
    const roots = [{ uri: 'file:///configured' }];
    const kit = await start({}, { roots });
    const { ask, asks } = client();
    const steps = [{ ask: [{ method: 'roots/list' }] }];
    expect(said(await kit.outcome(steps, { ask, offers: { elicitation: {} } }))).toEqual([{ roots }]);
    expect(asks).toHaveLength(0);
    expect(said(await kit.outcome(steps, { ask }))).toEqual([accept(1)]);
  });

  it('is not asked what it did not declare, nor what makes no sense', async () => {
    const kit = await start();
    const { ask, asks } = client();
    const outcome = await kit.outcome([{ ask: [{ method: 'sampling/createMessage', params: SAMPLE }] }], {
      ask,
      offers: { elicitation: {} },
    });
    expect(outcome).toMatchObject({ kind: 'error', error: { code: -32021, data: { requiredCapabilities: { sampling: {} } } } });
    const strange = [{ method: 'elicitation/create', params: {} }, { method: 'tasks/list' }];
    expect(said(await kit.outcome([{ ask: strange }], { ask }))).toMatchObject([{ code: -32602 }, { code: -32601 }]);
    expect(asks).toHaveLength(0);
  });

  it('that fails to ask is an error for the server only', async () => {
    const kit = await start();
    const ask: AskClient = () => Promise.reject(new Error('broken'));
    expect(said(await kit.outcome([{ ask: [elicit()] }], { ask }))).toMatchObject([{ code: -32603 }]);
  });

  it('hears the log messages of its call, and without a level of its own all of them; a modern client none', async () => {
    const kit = await start();
    const { ask } = client();
    const logs = async (options: RunOptions): Promise<unknown[]> => {
      const run = kit.run(
        [
          { log: 'low', level: 'debug' },
          { log: 'high', level: 'error' },
        ],
        { ask, ...options },
      );
      await run.outcome;
      return heard(run.events);
    };
    expect(await logs({ revision: '2025-11-25' })).toEqual(['low', 'high']);
    expect(await logs({ revision: '2025-11-25', logLevel: 'error' })).toEqual(['high']);
    expect(await logs({})).toEqual([]);
  });

  it('hears what no specification has while its call is under way', async () => {
    const kit = await start();
    const { ask } = client();
    const send = (method: string): JsonObject => ({ send: { method, params: { data: method } } });
    const steps = [send('acme/progress'), send('notifications/acme/x'), send('notifications/tools/list_changed'), { wait: 20 }];
    const run = kit.run(steps, { ask });
    await run.outcome;
    expect(heard(run.events)).toEqual(['acme/progress', 'notifications/acme/x']);
    expect(kit.others).toEqual(['notifications/tools/list_changed']);
  });

  it('hears of a URL elicitation that was completed elsewhere during its call', async () => {
    const kit = await start();
    const { ask } = client();
    const done = { send: { method: 'notifications/elicitation/complete', params: { elicitationId: '1', data: 'done' } } };
    const run = kit.run([done, { wait: 20 }], { ask });
    await run.outcome;
    expect(heard(run.events)).toEqual(['done']);
    expect(kit.others).toEqual([]);
  });
});
