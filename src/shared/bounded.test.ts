import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Bounded, BoundedCount, Caps, type BoundedOptions } from './bounded.ts';

const bounded = (options: Partial<BoundedOptions<string, number>> = {}): Bounded<string, number> =>
  new Bounded({ name: 'b', cap: 3, caps: new Caps(), ...options });

const fill = (map: Bounded<string, number>, ...keys: string[]): void => keys.forEach((key, i) => void map.set(key, i, i));

describe('Bounded', () => {
  it('refuses newcomers at the cap, not the ones it knows, and counts them', () => {
    const map = bounded();
    fill(map, 'a', 'b', 'c');
    expect(map.set('d', 9, 9)).toBe(false);
    expect(map.set('a', 7, 9)).toBe(true);
    expect([map.size, map.refused, map.peek('a'), map.peek('d')]).toEqual([3, 1, 7, undefined]);
    expect(map.delete('b')).toBe(true);
    expect(map.set('d', 9, 9)).toBe(true);
  });

  it('evicts the least recently used, also when everything happens in one millisecond', () => {
    const dropped: unknown[] = [];
    const map = bounded({ full: 'evict', onDrop: (value, key, why) => dropped.push([key, value, why]) });
    for (const key of ['a', 'b', 'c']) map.set(key, 1, 5);
    map.get('a', 5);
    map.peek('b');
    map.set('d', 1, 5);
    expect(dropped).toEqual([['b', 1, 'evicted']]);
    expect(map.refused).toBe(0);
    expect([...map.values()]).toHaveLength(3);
  });

  it('a cap of nothing takes nothing', () => {
    expect(bounded({ cap: 0, full: 'evict' }).set('a', 1, 0)).toBe(false);
    expect(bounded({ cap: 0 }).set('a', 1, 0)).toBe(false);
  });

  it('sweeps what has been idle for idleMs, and nothing without it', () => {
    const dropped: string[] = [];
    const map = bounded({ idleMs: 10, onDrop: (_value, key, why) => dropped.push(`${key} ${why}`) });
    fill(map, 'a', 'b', 'c');
    map.get('a', 5);
    expect(map.sweep(11)).toBe(1);
    expect(map.sweep(11)).toBe(0);
    expect(map.sweep(15)).toBe(2);
    expect(dropped).toEqual(['b idle', 'c idle', 'a idle']);
    const eternal = bounded();
    fill(eternal, 'a');
    expect([eternal.sweep(1e15), eternal.size]).toEqual([0, 1]);
  });

  it('knows values that are undefined or keys that objects inherit', () => {
    const map = new Bounded<string, undefined>({ name: 'b', cap: 1, caps: new Caps() });
    map.set('__proto__', undefined, 0);
    expect([map.size, map.set('constructor', undefined, 0), map.delete('__proto__'), map.size]).toEqual([1, false, true, 0]);
  });

  it('behaves like a plain list kept in order of use', () => {
    const step = fc.tuple(
      fc.constantFrom('set', 'get', 'delete', 'peek', 'sweep', 'clear'),
      fc.constantFrom('a', 'b', 'c', 'd', 'e'),
      fc.nat(3),
    );
    fc.assert(
      fc.property(fc.constantFrom('evict' as const, 'refuse' as const), fc.array(step, { maxLength: 60 }), (full, steps) => {
        const map = bounded({ full, idleMs: 4 });
        let model: { key: string; value: number; at: number }[] = [];
        let now = 0;
        for (const [verb, key, wait] of steps) {
          now += wait;
          const known = model.find((entry) => entry.key === key);
          const others = model.filter((entry) => entry !== known);
          if (verb === 'set') {
            const room = known !== undefined || model.length < 3 || full === 'evict';
            expect(map.set(key, now, now)).toBe(room);
            if (room) model = [...(known === undefined && model.length === 3 ? others.slice(1) : others), { key, value: now, at: now }];
          } else if (verb === 'get') {
            expect(map.get(key, now)).toBe(known?.value);
            if (known !== undefined) model = [...others, { ...known, at: now }];
          } else if (verb === 'delete') {
            expect(map.delete(key)).toBe(known !== undefined);
            model = others;
          } else if (verb === 'sweep') {
            const left = model.filter((entry) => now - entry.at < 4);
            expect(map.sweep(now)).toBe(model.length - left.length);
            model = left;
          } else if (verb === 'clear') {
            map.clear();
            model = [];
          } else expect(map.peek(key)).toBe(known?.value);
          expect([...map.values()]).toEqual(model.map((entry) => entry.value));
        }
      }),
    );
  });
});

describe('BoundedCount', () => {
  it('counts up to the cap, and a place given back twice makes no room', () => {
    const count = new BoundedCount('c', 2, new Caps());
    expect([count.enter(), count.enter(), count.enter()]).toEqual([true, true, false]);
    expect([count.size, count.refused]).toEqual([2, 1]);
    for (let i = 0; i < 5; i++) count.leave();
    expect([count.size, count.enter(), count.enter(), count.enter()]).toEqual([0, true, true, false]);
  });
});

describe('Caps', () => {
  it('lists every bounded collection with its gauge until it is removed', () => {
    const caps = new Caps();
    const map = bounded({ caps, name: 'm' });
    const count = new BoundedCount('c', 5, caps);
    fill(map, 'a', 'b');
    count.enter();
    expect(caps.list().map(({ name, size, cap, refused }) => [name, size, cap, refused])).toEqual([
      ['m', 2, 3, 0],
      ['c', 1, 5, 0],
    ]);
    caps.remove(map);
    expect(caps.list()).toEqual([count]);
  });
});
