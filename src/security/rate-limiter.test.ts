import { describe, expect, it } from 'vitest';
import { Caps } from '../shared/index.ts';
import { RateLimiter } from './rate-limiter.ts';

function limiter(cap = 10) {
  const clock = { time: 0, now: () => clock.time };
  const caps = new Caps();
  return { clock, caps, limiter: new RateLimiter({ name: 'test', perSecond: 10, burst: 5, cap, caps, clock }) };
}

describe('RateLimiter', () => {
  it('lets a burst through, then the rate', () => {
    const { clock, limiter: limit } = limiter();
    expect([1, 2, 3, 4, 5, 6].map(() => limit.take('a'))).toEqual([0, 0, 0, 0, 0, 100]);
    clock.time += 75;
    expect(limit.take('a')).toBe(25);
    clock.time += 25;
    expect([limit.take('a'), limit.take('a')]).toEqual([0, 100]);
  });

  it('never saves up more than the burst, and survives a clock that goes back', () => {
    const { clock, limiter: limit } = limiter();
    limit.take('a');
    clock.time += 1e9;
    expect([1, 2, 3, 4, 5, 6].map(() => limit.take('a'))).toEqual([0, 0, 0, 0, 0, 100]);
    clock.time -= 5e8;
    expect(limit.take('a')).toBe(100);
    clock.time += 100;
    expect(limit.take('a')).toBe(0);
  });

  it('over a long time passes exactly the rate', () => {
    const { clock, limiter: limit } = limiter();
    let passed = 0;
    for (; clock.time < 100_000; clock.time += 7) if (limit.take('a') === 0) passed++;
    expect(passed).toBeGreaterThanOrEqual(1000);
    expect(passed).toBeLessThanOrEqual(1005);
  });

  it('keeps keys apart, and never more buckets than its cap', () => {
    const { caps, limiter: limit } = limiter(3);
    for (let i = 0; i < 6; i++) limit.take('a');
    expect(limit.take('b')).toBe(0);
    for (let i = 0; i < 100; i++) limit.take(`k${i}`);
    expect(caps.list()[0]?.size).toBe(3);
  });
});
