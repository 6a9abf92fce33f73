import { describe, expect, it } from 'vitest';
import { Patience, type Awaited } from './patience.ts';
import { eventually } from './testing.ts';

class Entry implements Awaited {
  since = 0;
  earlier: Awaited | undefined = undefined;
  later: Awaited | undefined = undefined;
  told = 0;
  overdue(): void {
    this.told++;
  }
}

describe('patience', () => {
  it('tells each that waits too long, once, and none that was answered, in whatever order they go', async () => {
    const patience = new Patience(20);
    const entries = Array.from({ length: 6 }, () => new Entry());
    for (const entry of entries) patience.add(entry);
    const [first, second, , fourth, , last] = entries as [Entry, Entry, Entry, Entry, Entry, Entry];
    for (const answered of [second, fourth, last, last]) patience.delete(answered);
    await eventually(() => first.told > 0);
    patience.delete(first);
    expect(entries.map(({ told }) => told)).toEqual([1, 0, 1, 0, 1, 0]);
    patience.add(second);
    await eventually(() => second.told === 1);
    expect(entries.map(({ told }) => told)).toEqual([1, 1, 1, 0, 1, 0]);
  });
});
