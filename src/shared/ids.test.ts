import { describe, expect, it } from 'vitest';
import { randomText, sortableId, uuid } from './ids.ts';

describe('randomText', () => {
  it('has the length, the alphabet and no repetition', () => {
    const texts = Array.from({ length: 20_000 }, (_, i) => randomText(16 + (i % 5)));
    expect(texts.every((text, i) => text.length === 16 + (i % 5) && /^[0-9a-hjkmnp-tv-z]+$/.test(text))).toBe(true);
    expect(new Set(texts).size).toBe(texts.length);
  });

  it('uses every character of the alphabet about equally', () => {
    const counts = new Map<string, number>();
    for (const char of randomText(8192) + randomText(8192)) counts.set(char, (counts.get(char) ?? 0) + 1);
    expect(counts.size).toBe(32);
    expect(Math.min(...counts.values())).toBeGreaterThan(350);
  });

  it('refuses a length that its pool does not hold, rather than pad with zeros', () => {
    expect(randomText(0)).toBe('');
    expect(() => randomText(8193)).toThrow(RangeError);
  });
});

describe('sortableId', () => {
  const sorted = (ids: readonly string[]): boolean => ids.every((id, i) => i === 0 || (ids[i - 1] as string) < id);

  it('has one shape', () => {
    expect(sortableId('call_', 1_790_000_000_000)).toMatch(/^call_[0-9a-v]{11}[0-9a-hjkmnp-tv-z]{9}$/);
  });

  it('is unique and sorts in the order of making: in time, within a millisecond, past its 1024 numbers, and when the clock goes back', () => {
    const start = 1_800_000_000_000;
    const times = [
      ...Array.from({ length: 5000 }, () => start),
      start + 1,
      start + 2.5,
      start - 60_000,
      start + 3,
      ...Array.from({ length: 50 }, (_, i) => start + 1000 * i),
    ];
    const ids = times.map((now) => sortableId('x', now));
    expect(new Set(ids).size).toBe(ids.length);
    expect(sorted(ids)).toBe(true);
    expect(new Set(ids.map((id) => id.length))).toEqual(new Set([21]));
  });
});

describe('uuid', () => {
  it('is of version 4', () => {
    expect(uuid()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});
