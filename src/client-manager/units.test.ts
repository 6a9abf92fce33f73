import { describe, expect, it, vi } from 'vitest';
import { Backoff } from './backoff.ts';
import { longerThan } from './http/batch.ts';
import { pollAfter, Refresher } from './refresher.ts';
import { idFromEnds, LineSplitter } from './stdio/lines.ts';
import { StderrTail } from './stdio/stderr-tail.ts';

describe('LineSplitter', () => {
  function run(chunks: readonly string[], maxBytes = 10): string[] {
    const seen: string[] = [];
    const splitter = new LineSplitter(maxBytes, {
      line: (text) => seen.push(text),
      oversized: (head, tail, bytes, done) => done && seen.push(`<${bytes} ${head.slice(0, 3)} ${tail.slice(-3)}>`),
      dropped: () => undefined,
    });
    for (const chunk of chunks) splitter.feed(Buffer.from(chunk, 'latin1'));
    return seen;
  }

  it.each([
    [['a\nb\n'], ['a', 'b']],
    [
      ['a', 'b', '\n', 'c\nd'],
      ['ab', 'c'],
    ],
    [['\n\n'], ['', '']],
    [['0123456789\n'], ['0123456789']],
    [['01234', '56789\n'], ['0123456789']],
    [['0123456789x\nok\n'], ['<11 012 89x>', 'ok']],
    [
      ['01234567', '89abc', 'def', '\nok\n'],
      ['<16 012 def>', 'ok'],
    ],
    [
      ['01234567', '89abc', 'def\n0123456789x\n'],
      ['<16 012 def>', '<11 012 89x>'],
    ],
  ])('%j', (chunks, lines) => {
    expect(run(chunks)).toEqual(lines);
  });

  it('keeps characters whole that are cut between chunks', () => {
    const bytes = Buffer.from('grüße ☃\n');
    for (let cut = 1; cut < bytes.length; cut++) {
      const seen: string[] = [];
      const splitter = new LineSplitter(100, { line: (text) => seen.push(text), oversized: () => undefined, dropped: () => undefined });
      splitter.feed(bytes.subarray(0, cut));
      splitter.feed(bytes.subarray(cut));
      expect(seen).toEqual(['grüße ☃']);
    }
  });
});

describe('the id of an oversized response', () => {
  it.each([
    ['{"jsonrpc":"2.0","id":7,"result":{"a":"xx', '', 7],
    ['{"id":7,"jsonrpc":"2.0","result"', '', 7],
    ['{"result":{"content":[', 'xxx"}]},"jsonrpc":"2.0","id":12}', 12],
    ['{"result":{"content":[', 'xxx"}]},"id":12,"jsonrpc":"2.0"}', 12],
    ['{"result":{"content":[', '"x":{"y":1,"id":5}}', undefined],
    ['{"jsonrpc":"2.0","id":"seven","result":', '', undefined],
    ['{"result":{"id":3,', '', undefined],
  ])('%s ... %s', (head, tail, id) => {
    expect(idFromEnds(head, tail)).toBe(id);
  });
});

describe('Backoff', () => {
  it('doubles to its limit, with jitter, and starts anew after a reset', () => {
    const full = new Backoff({ firstMs: 1_000, maxMs: 60_000 }, () => 1);
    expect(Array.from({ length: 8 }, () => full.next())).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
    const half = new Backoff({ firstMs: 1_000, maxMs: 60_000 }, () => 0);
    expect([half.next(), half.next()]).toEqual([500, 1_000]);
    half.reset();
    expect([half.afterLoss(), half.afterLoss(), half.next()]).toEqual([0, 1_000, 2_000]);
  });
});

describe('StderrTail', () => {
  it('keeps the last lines, each cut, in bounded memory', () => {
    const tail = new StderrTail(3, 10);
    for (let i = 0; i < 100; i++) tail.feed(Buffer.from(`line ${i}\n${'x'.repeat(500)}\n`));
    tail.feed(Buffer.from('last\nwords'));
    expect(tail.lines).toEqual(['line 99', 'xxxxxxxxxx', 'last', 'words']);
    tail.feed(Buffer.alloc(10_000_000, 'y'));
    expect(tail.lines.at(-1)).toHaveLength(10);
  });
});

describe('the length of an array', () => {
  it.each([
    ['[]', false],
    ['[1]', false],
    ['[1,2]', false],
    ['[1,2,3]', true],
    [' [ {"a":[1,2,3],"b":1,"c":2} , "a,b,c\\",\\\\" ] ', false],
    ['[[1,2,3,4],[1,2,3,4]]', false],
    ['[1,2],3,4]', false],
    ['["a,b,c', false],
    ['["\\', false],
    ['[,,,', true],
  ])('%s has more than two: %s', (text, expected) => {
    expect(longerThan(text, 2)).toBe(expected);
  });
});

describe('Refresher', () => {
  it('polls with jitter, less and less often while it fails, never sooner than it may', () => {
    verifies('cache-client-jitter');
    expect(pollAfter(1000, 30, 0, () => 0)).toBe(1000);
    expect(pollAfter(1000, 30, 0, () => 1)).toBe(1100);
    expect(pollAfter(0, 30, 0, () => 0)).toBe(30);
    expect([1, 2, 6, 7, 1000].map((failures) => pollAfter(1000, 30, failures, () => 0))).toEqual([2000, 4000, 64_000, 64_000, 64_000]);
  });

  it('reads in time, keeps the soonest time, and forgets it on demand', async () => {
    vi.useFakeTimers();
    try {
      let runs = 0;
      const refresher = new Refresher(100, () => Promise.resolve(void runs++));
      refresher.later(60_000);
      refresher.later(90_000);
      await vi.advanceTimersByTimeAsync(59_999);
      expect([runs, vi.getTimerCount()]).toEqual([0, 1]);
      await vi.advanceTimersByTimeAsync(1);
      expect([runs, vi.getTimerCount()]).toEqual([1, 0]);
      refresher.later(60_000);
      refresher.soon();
      await vi.advanceTimersByTimeAsync(60_000);
      expect(runs).toBe(2);
      refresher.later(60_000);
      await refresher.now();
      expect([runs, vi.getTimerCount()]).toEqual([3, 0]);
      // Timers know no such wait: it must not be read at once instead.
      refresher.later(Number.MAX_SAFE_INTEGER);
      await vi.advanceTimersByTimeAsync(3_600_000);
      expect(runs).toBe(3);
      refresher.stop();
      refresher.later(1);
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  it('gathers announcements, runs one at a time, and misses none that came meanwhile', async () => {
    let runs = 0;
    let release = (): void => undefined;
    const refresher = new Refresher(1, () => {
      runs++;
      return new Promise((resolve) => (release = resolve));
    });
    for (let i = 0; i < 50; i++) refresher.soon();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(runs).toBe(1);
    refresher.soon();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(runs).toBe(1);
    release();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(runs).toBe(2);
    release();
    refresher.stop();
    refresher.soon();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(runs).toBe(2);
  });
});
