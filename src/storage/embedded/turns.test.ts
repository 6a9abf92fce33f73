import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TurnQueue } from './turns.ts';

const limits = { waitMs: 5000, queueMs: 30_000, idleInTransactionMs: 60_000, maxWaiting: 3 };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const outcome = (promise: Promise<unknown>): { value: string } => {
  const seen = { value: 'waiting' };
  promise.then(
    () => (seen.value = 'granted'),
    (error: Error) => (seen.value = error.message),
  );
  return seen;
};

describe('turns on the one connection', () => {
  it('are given in the order they were asked for', async () => {
    const queue = new TurnQueue(limits, () => Promise.resolve());
    const first = await queue.take();
    const order: number[] = [];
    const others = [1, 2, 3].map(async (n) => {
      const turn = await queue.take();
      order.push(n);
      turn.end();
    });
    expect(order).toEqual([]);
    first.end();
    await Promise.all(others);
    expect(order).toEqual([1, 2, 3]);
  });

  it('fail after 5 s behind a holder that does nothing, naming its first real statement', async () => {
    const queue = new TurnQueue(limits, () => Promise.resolve());
    const holder = await queue.take();
    for (const text of ['begin', 'insert   into orders\n values ($1)', 'select 1']) {
      holder.statementStarted(text);
      holder.statementEnded();
    }
    const waiting = outcome(queue.take());
    await vi.advanceTimersByTimeAsync(4900);
    expect(waiting.value).toBe('waiting');
    await vi.advanceTimersByTimeAsync(200);
    expect(waiting.value).toContain('"insert into orders values ($1)" began 5.0 s ago');
    const next = outcome(queue.take());
    holder.end();
    await vi.advanceTimersByTimeAsync(0);
    expect(next.value).toBe('granted');
  });

  it('wait longer behind one that works, but not for ever', async () => {
    const queue = new TurnQueue(limits, () => Promise.resolve());
    const holder = await queue.take();
    holder.statementStarted('select slow()');
    const waiting = outcome(queue.take());
    await vi.advanceTimersByTimeAsync(29_000);
    expect(waiting.value).toBe('waiting');
    await vi.advanceTimersByTimeAsync(1100);
    expect(waiting.value).toContain('"select slow()" began 30.0 s ago and is still running');
  });

  it('count 5 s from the last statement of the holder, not from its first', async () => {
    const queue = new TurnQueue(limits, () => Promise.resolve());
    const holder = await queue.take();
    const waiting = outcome(queue.take());
    for (let n = 0; n < 4; n += 1) {
      await vi.advanceTimersByTimeAsync(3000);
      holder.statementStarted('select 1');
      holder.statementEnded();
    }
    expect(waiting.value).toBe('waiting');
    await vi.advanceTimersByTimeAsync(5100);
    expect(waiting.value).toContain('still open');
  });

  it('are refused at the cap', async () => {
    const queue = new TurnQueue(limits, () => Promise.resolve());
    await queue.take();
    const waiting = [1, 2, 3].map(() => outcome(queue.take()));
    await expect(queue.take()).rejects.toMatchObject({
      code: 'storage_busy',
      message: expect.stringContaining('3 callers wait') as string,
    });
    expect(waiting.map(({ value }) => value)).toEqual(['waiting', 'waiting', 'waiting']);
  });

  it('expire when the holder sends nothing for a minute: rolled back first, then passed on', async () => {
    const rolledBack = Promise.withResolvers<void>();
    const queue = new TurnQueue({ ...limits, waitMs: 600_000, queueMs: 600_000 }, () => rolledBack.promise);
    const holder = await queue.take();
    const waiting = outcome(queue.take());
    await vi.advanceTimersByTimeAsync(60_000);
    expect(holder.expired).toBe(true);
    expect(waiting.value).toBe('waiting');
    rolledBack.resolve();
    await vi.advanceTimersByTimeAsync(0);
    expect(waiting.value).toBe('granted');
    const third = outcome(queue.take());
    holder.end();
    await vi.advanceTimersByTimeAsync(0);
    expect(third.value).toBe('waiting');
  });

  it('end for everybody on close, and the holder drains', async () => {
    const queue = new TurnQueue(limits, () => Promise.resolve());
    const holder = await queue.take();
    const waiting = outcome(queue.take());
    queue.close(new Error('closed'));
    const drained = outcome(queue.drained());
    await vi.advanceTimersByTimeAsync(0);
    expect(waiting.value).toBe('closed');
    expect(drained.value).toBe('waiting');
    holder.end();
    await vi.advanceTimersByTimeAsync(0);
    expect(drained.value).toBe('granted');
    await expect(queue.take()).rejects.toThrow('closed');
    expect(vi.getTimerCount()).toBe(0);
  });
});
