import { MINUTE_MS } from '../calendar/index.ts';
import { Lru, type Market } from '../simulator/index.ts';
import { type Facts, factsOf, type ScreenField } from './facts.ts';

export const OPERATORS = ['eq', 'ne', 'gt', 'gte', 'lt', 'lte', 'between', 'in'] as const;
export type Operator = (typeof OPERATORS)[number];

/** A filter whose value fits its operator: a pair for between, a list for in, else one value. */
export type Filter =
  | { readonly field: ScreenField; readonly op: Exclude<Operator, 'between' | 'in'>; readonly value: string | number }
  | { readonly field: ScreenField; readonly op: 'between'; readonly value: readonly [number, number] }
  | { readonly field: ScreenField; readonly op: 'in'; readonly value: readonly (string | number)[] };

export interface Sort {
  readonly field: ScreenField;
  readonly direction: 'asc' | 'desc';
}

const SNAPSHOTS_KEPT = 4;

/** Finds companies by their facts. The facts of all are computed once per minute bar of the clock. */
export class Screener {
  readonly #market: Market;
  readonly #snapshots = new Lru<number, readonly Facts[]>(SNAPSHOTS_KEPT);

  constructor(market: Market) {
    this.#market = market;
  }

  /** The instant of the minute bar whose facts stand for `now`. */
  barTime(now: number): number {
    return Math.floor(now / MINUTE_MS) * MINUTE_MS;
  }

  /** Companies that pass every filter, in the order of `sort`, then by symbol. A missing figure passes no filter and sorts last. */
  screen(filters: readonly Filter[], sort: Sort, now: number): Facts[] {
    const bar = this.barTime(now);
    const all = this.#snapshots.getOrMake(bar, () => this.#market.listings.map((listing) => factsOf(listing, bar)));
    return all.filter((facts) => filters.every((filter) => passes(facts, filter))).sort((a, b) => compare(a, b, sort));
  }
}

function passes(facts: Facts, filter: Filter): boolean {
  const actual = comparable(facts[filter.field]);
  if (actual === null) return false;
  switch (filter.op) {
    case 'between':
      return typeof actual === 'number' && actual >= filter.value[0] && actual <= filter.value[1];
    case 'in':
      return filter.value.some((value) => comparable(value) === actual);
    default:
      return holds(actual, filter.op, comparable(filter.value));
  }
}

function holds(actual: string | number, op: Exclude<Operator, 'between' | 'in'>, value: string | number | null): boolean {
  if (value === null || typeof value !== typeof actual) return false;
  switch (op) {
    case 'eq':
      return actual === value;
    case 'ne':
      return actual !== value;
    case 'gt':
      return actual > value;
    case 'gte':
      return actual >= value;
    case 'lt':
      return actual < value;
    case 'lte':
      return actual <= value;
  }
}

/** Texts are compared without regard to case. */
function comparable(value: string | number | null): string | number | null {
  return typeof value === 'string' ? value.toLowerCase() : value;
}

function compare(a: Facts, b: Facts, { field, direction }: Sort): number {
  const left = comparable(a[field]);
  const right = comparable(b[field]);
  const tie = a.symbol < b.symbol ? -1 : 1;
  if (left === right) return tie;
  if (left === null) return 1;
  if (right === null) return -1;
  const order = left < right ? -1 : 1;
  return direction === 'asc' ? order : -order;
}
