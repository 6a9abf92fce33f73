import type { Pending } from './pending.ts';

/** Ids of one slot are this far apart; so many requests may wait at once. */
const SLOTS = 16_384;

/**
 * Requests by the id that they have on the wire, which names their slot. A Map that sees as many deletions as additions replaces its table all
 * the time, and each dead table keeps calls alive until a major garbage collection; here a slot is used again, under a new id.
 */
export class PendingTable {
  readonly #slots: (Pending | undefined)[] = [];
  readonly #free: number[] = [];
  #round = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get isFull(): boolean {
    return this.#free.length === 0 && this.#slots.length >= SLOTS;
  }

  /** An id that was never used before; its slot is taken by `add`. */
  nextId(): number {
    const slot = this.#free.length > 0 ? (this.#free.pop() as number) : this.#slots.length;
    return ++this.#round * SLOTS + slot;
  }

  add(pending: Pending): void {
    this.#slots[pending.id % SLOTS] = pending;
    this.#size++;
  }

  get(id: number): Pending | undefined {
    const pending = this.#slots[id % SLOTS];
    return pending?.id === id ? pending : undefined;
  }

  /** False if it is not there any more. */
  delete(pending: Pending): boolean {
    if (this.get(pending.id) === undefined) return false;
    const slot = pending.id % SLOTS;
    this.#slots[slot] = undefined;
    this.#free.push(slot);
    this.#size--;
    return true;
  }

  all(): Pending[] {
    return this.#slots.filter((pending) => pending !== undefined);
  }
}
