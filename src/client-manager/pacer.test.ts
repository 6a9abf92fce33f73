import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Pacer } from './pacer.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function paced(bytes: number): { pacer: Pacer; done: string[] } {
  const done: string[] = [];
  return { pacer: new Pacer({ pause: () => done.push('pause'), resume: () => done.push('resume') }, bytes), done };
}

describe('Pacer', () => {
  it('lets a stream wait for the rest of a tenth of a second in which it said too much', () => {
    const { pacer, done } = paced(100);
    pacer.noise(100);
    expect(done).toEqual([]);
    for (let i = 0; i < 1_000; i++) pacer.noise(1);
    expect(done).toEqual(['pause']);
    vi.advanceTimersByTime(99);
    expect(done).toEqual(['pause']);
    vi.advanceTimersByTime(1);
    expect(done).toEqual(['pause', 'resume']);
    pacer.noise(101);
    expect(done).toEqual(['pause', 'resume', 'pause']);
  });

  it('leaves nothing waiting when it is stopped, and nothing running', () => {
    const { pacer, done } = paced(10);
    pacer.noise(11);
    pacer.stop();
    expect(done).toEqual(['pause', 'resume']);
    expect(vi.getTimerCount()).toBe(0);
  });
});
