import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Exchange } from '../connection.ts';
import { PendingTable } from './pending-table.ts';
import { Pending } from './pending.ts';

const EXCHANGE: Exchange = {
  method: 'x',
  params: '{}',
  mirror: {},
  headerParams: [],
  expiresAt: Infinity,
  signal: undefined,
  onNotification: undefined,
};
const OWNER = { giveUp: () => undefined };

function added(table: PendingTable): Pending {
  const pending = new Pending(OWNER, table.nextId(), '', EXCHANGE, () => undefined);
  table.add(pending);
  return pending;
}

describe('PendingTable', () => {
  it('behaves like a map, and never gives an id twice', () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.nat(), { nil: undefined }), { maxLength: 200 }), (steps) => {
        const table = new PendingTable();
        const there = new Map<number, Pending>();
        const gone: Pending[] = [];
        const ids = new Set<number>();
        for (const step of steps) {
          const all = [...there.values()];
          const one = step === undefined ? undefined : all[step % Math.max(1, all.length)];
          if (one === undefined) {
            const pending = added(table);
            expect(ids.has(pending.id)).toBe(false);
            ids.add(pending.id);
            there.set(pending.id, pending);
          } else {
            expect(table.delete(one)).toBe(true);
            there.delete(one.id);
            gone.push(one);
          }
        }
        expect(table.size).toBe(there.size);
        expect(new Set(table.all())).toEqual(new Set(there.values()));
        for (const [id, pending] of there) expect(table.get(id)).toBe(pending);
        for (const pending of gone) expect([table.get(pending.id), table.delete(pending)]).toEqual([undefined, false]);
      }),
    );
  });

  it.each([-1, 0, 0.5, 1e300, NaN, Infinity, -16_384])('knows nothing of the id %s, which a server may well send', (id) => {
    const table = new PendingTable();
    added(table);
    expect(table.get(id)).toBeUndefined();
  });

  it('is full at its number of slots, and not for long', () => {
    const table = new PendingTable();
    const all: Pending[] = [];
    while (!table.isFull) all.push(added(table));
    expect(table.size).toBe(16_384);
    table.delete(all[7] as Pending);
    expect(table.isFull).toBe(false);
    expect(added(table).id % 16_384).toBe((all[7] as Pending).id % 16_384);
  });
});
