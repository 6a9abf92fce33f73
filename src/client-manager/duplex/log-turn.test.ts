import { afterEach, beforeEach, expect, it } from 'vitest';
import { kit, stdioConfig, type Kit } from '../test-kit.ts';

/** Log messages of a modern server on a pipe that calls share: they name no request. */

let one: Kit;

beforeEach(async () => {
  one = await kit([stdioConfig('one', ['--era', 'modern'])]);
  await one.manager.start();
});

afterEach(() => one.end());

async function logsOf(steps: readonly object[], logLevel: 'info' | undefined, signal?: AbortSignal): Promise<unknown[]> {
  const logs: unknown[] = [];
  await one.call(
    'one',
    'converse',
    { steps },
    {
      call: { logLevel },
      ...(signal === undefined ? {} : { signal }),
      onEvent: (event) => {
        if (event.kind === 'notification' && event.method === 'notifications/message') logs.push(event.params?.value.data);
      },
    },
  );
  return logs;
}

it('they are for the one call that wants them', async () => {
  const [wanted, others] = await Promise.all([
    logsOf([{ wait: 20 }, { log: 'mine' }, { wait: 20 }], 'info'),
    logsOf([{ wait: 100 }], undefined),
  ]);
  expect([wanted, others]).toEqual([['mine'], []]);
  expect(await logsOf([{ log: 'and again' }], 'info')).toEqual(['and again']);
});

it('they are nobody’s while two calls want them', async () => {
  const both = [logsOf([{ wait: 50 }, { log: 'of a' }, { wait: 50 }], 'info'), logsOf([{ log: 'of b' }, { wait: 100 }], 'info')];
  expect(await Promise.all(both)).toEqual([[], []]);
  expect(await logsOf([{ log: 'alone' }], 'info')).toEqual(['alone']);
});

it('they are nobody’s after a call that wanted them was given up', async () => {
  const stop = new AbortController();
  const given = logsOf([{ log: 'first' }, { wait: 60 }, { log: 'too late' }], 'info', stop.signal);
  setTimeout(() => stop.abort(), 20);
  await given;
  expect(await logsOf([{ wait: 100 }], 'info')).toEqual([]);
});
