import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Recorder } from './recorder.ts';
import { record } from './test-support.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('Recorder', () => {
  it('hands records on in batches: after a while, or when one is full', () => {
    const sizes: number[] = [];
    const recorder = new Recorder([(records) => sizes.push(records.length)], () => undefined);
    for (let i = 0; i < 600; i++) recorder.record(record());
    expect(sizes).toEqual([256, 256]);
    vi.advanceTimersByTime(100);
    expect(sizes).toEqual([256, 256, 88]);
    expect(vi.getTimerCount()).toBe(0);
    recorder.record(record());
    vi.advanceTimersByTime(99);
    expect(sizes).toHaveLength(3);
    vi.advanceTimersByTime(1);
    expect(sizes).toEqual([256, 256, 88, 1]);
  });

  it('a flush hands on what there is, in order, and nothing twice', () => {
    const ids: string[] = [];
    const recorder = new Recorder([(records) => ids.push(...records.map(({ id }) => id))], () => undefined);
    recorder.flush();
    recorder.record(record({ id: 'a' }));
    recorder.record(record({ id: 'b' }));
    recorder.flush();
    recorder.flush();
    vi.advanceTimersByTime(1000);
    expect(ids).toEqual(['a', 'b']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('a projection that throws stops neither the others nor the next batch', () => {
    const seen: string[] = [];
    const errors: unknown[] = [];
    const bad = (): never => {
      throw new Error('broken');
    };
    const recorder = new Recorder([bad, (records) => seen.push(...records.map(({ id }) => id))], (error) => errors.push(error));
    recorder.record(record({ id: 'a' }));
    recorder.flush();
    recorder.record(record({ id: 'b' }));
    recorder.flush();
    expect(seen).toEqual(['a', 'b']);
    expect(errors).toMatchObject([{ message: 'broken' }, { message: 'broken' }]);
  });

  it('a projection may record a call itself', () => {
    const sizes: number[] = [];
    const recorder: Recorder = new Recorder(
      [
        (records) => {
          sizes.push(records.length);
          if (sizes.length < 3) recorder.record(record());
        },
      ],
      () => undefined,
    );
    recorder.record(record());
    vi.advanceTimersByTime(1000);
    expect(sizes).toEqual([1, 1, 1]);
  });
});
