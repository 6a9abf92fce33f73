import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { sleep, withDeadline } from './async.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const settled = async (promise: Promise<unknown>): Promise<string> => {
  const states = ['pending'];
  promise.then(
    () => states.push('done'),
    () => states.push('failed'),
  );
  await vi.advanceTimersByTimeAsync(0);
  return states.at(-1) as string;
};

describe('sleep', () => {
  it('ends after its time and leaves no listener behind', async () => {
    const controller = new AbortController();
    const removed = vi.spyOn(controller.signal, 'removeEventListener');
    const pending = sleep(100, controller.signal);
    await vi.advanceTimersByTimeAsync(99);
    expect(await settled(pending)).toBe('pending');
    await vi.advanceTimersByTimeAsync(1);
    expect(await settled(pending)).toBe('done');
    expect(removed).toHaveBeenCalledTimes(1);
  });

  it('rejects with the reason of its signal, at once if that is aborted already, and stops its timer', async () => {
    const controller = new AbortController();
    const pending = sleep(100, controller.signal);
    controller.abort(new Error('why'));
    await expect(pending).rejects.toThrow('why');
    await expect(sleep(100, controller.signal)).rejects.toThrow('why');
    expect(vi.getTimerCount()).toBe(0);
  });

  it('a time longer than timers know is not a time of nothing', async () => {
    const pending = sleep(2 ** 40);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(await settled(pending)).toBe('pending');
  });
});

describe('withDeadline', () => {
  it('gives what the promise gives, and stops its timer', async () => {
    await expect(withDeadline(Promise.resolve(7), 10, 'it')).resolves.toBe(7);
    await expect(withDeadline(Promise.reject(new Error('own')), 10, 'it')).rejects.toThrow('own');
    expect(vi.getTimerCount()).toBe(0);
  });

  it('names what took too long, and a late failure harms nobody', async () => {
    let fail: (error: Error) => void = () => undefined;
    const work = new Promise<never>((_resolve, reject) => {
      fail = reject;
    });
    const pending = expect(withDeadline(work, 10, 'The upstream')).rejects.toMatchObject({
      code: 'deadline_exceeded',
      message: 'The upstream took longer than 10 ms.',
    });
    await vi.advanceTimersByTimeAsync(10);
    await pending;
    fail(new Error('late'));
    await vi.advanceTimersByTimeAsync(0);
  });

  it('a deadline longer than timers know does not expire at once', async () => {
    const pending = withDeadline(new Promise(() => undefined), 2 ** 40, 'it');
    pending.catch(() => undefined);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(await settled(pending)).toBe('pending');
  });
});
