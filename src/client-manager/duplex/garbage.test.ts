import { expect, it } from 'vitest';
import { Garbage } from './garbage.ts';

it('tells of a server that never stops less and less often, with the lines in between, and anew after a silence', () => {
  let now = 0;
  const told: (readonly [second: number, lines: number])[] = [];
  const garbage = new Garbage(
    (event) => event.kind === 'garbage' && told.push([Math.round(now / 1_000), event.lines]),
    () => now,
  );
  for (; now < 3_600_000; now += 100) garbage.count('x');
  expect(told.slice(0, 5)).toEqual([
    [0, 1],
    [1, 10],
    [3, 20],
    [7, 40],
    [15, 80],
  ]);
  // 1 s, 2 s, ... 256 s, then every five minutes.
  expect(told).toHaveLength(20);
  expect(told.at(-1)?.[1]).toBe(3_000);
  told.length = 0;
  now += 5 * 60_000;
  garbage.count('y');
  now += 1_000;
  garbage.count('y');
  expect(told.map(([second]) => second - (told[0]?.[0] ?? 0))).toEqual([0, 1]);
});

it('cuts the sample', () => {
  const samples: number[] = [];
  new Garbage((event) => event.kind === 'garbage' && samples.push(event.sample.length)).count('x'.repeat(10_000));
  expect(samples).toEqual([200]);
});
