import { normal, type Stream, uniform } from './random.ts';

/** What a path must do, in integer cents: start at `open`, touch `high` and `low`, never leave them, end at `close`. */
export interface Corners {
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
}

export interface BridgeRandom {
  readonly steps: Stream;
  readonly corners: Stream;
  /** First counter of this path in `steps`; it uses one per step. */
  readonly stepBase: number;
  /** First counter of this path in `corners`; it uses two. */
  readonly cornerBase: number;
}

/** A range seen over a path is about this many standard deviations of its end. */
const RANGE_OVER_DEVIATION = 1.7;

/**
 * A Brownian bridge through open, high, low and close: `weights.length + 1` prices in integer cents, of which the first is the open, the last the
 * close, and at least one the high and one the low. `weights` is how much of the variance falls on each step. Needs at least three steps.
 */
export function bridge(corners: Corners, weights: ArrayLike<number>, random: BridgeRandom): Int32Array {
  const steps = weights.length;
  const path = new Int32Array(steps + 1);
  const [first, second] = extremes(corners, steps, random);
  const deviation = (corners.high - corners.low) / RANGE_OVER_DEVIATION / Math.sqrt(total(weights, 0, steps));
  let from: Knot = { at: 0, price: corners.open };
  path[0] = corners.open;
  for (const to of [first, second, { at: steps, price: corners.close }]) {
    walk(path, from, to, { weights, random, deviation, corners });
    from = to;
  }
  return path;
}

interface Knot {
  readonly at: number;
  readonly price: number;
}

/** Where the high and the low lie, in order. Extremes of a random walk are near its ends: the arcsine law. */
function extremes(corners: Corners, steps: number, random: BridgeRandom): [Knot, Knot] {
  const highAt = placeOf(corners.high, corners, steps, uniform(random.corners, random.cornerBase));
  let lowAt = placeOf(corners.low, corners, steps, uniform(random.corners, random.cornerBase + 1));
  if (lowAt === highAt && corners.high !== corners.low) lowAt = highAt > 1 ? highAt - 1 : highAt + 1;
  const high = { at: highAt, price: corners.high };
  const low = { at: lowAt, price: corners.low };
  return highAt < lowAt ? [high, low] : [low, high];
}

function placeOf(price: number, corners: Corners, steps: number, chance: number): number {
  if (price === corners.open) return 0;
  if (price === corners.close) return steps;
  const place = Math.round(steps * Math.sin((Math.PI / 2) * chance) ** 2);
  return Math.min(Math.max(place, 1), steps - 1);
}

interface Walk {
  readonly weights: ArrayLike<number>;
  readonly random: BridgeRandom;
  readonly deviation: number;
  readonly corners: Corners;
}

function walk(path: Int32Array, from: Knot, to: Knot, { weights, random, deviation, corners }: Walk): void {
  let remaining = total(weights, from.at, to.at);
  let price = from.price;
  for (let step = from.at; step < to.at - 1; step++) {
    const weight = weights[step] ?? 0;
    const left = remaining - weight;
    price += ((to.price - price) * weight) / remaining;
    price += deviation * Math.sqrt((weight * left) / remaining) * normal(random.steps, random.stepBase + step);
    price = reflect(price, corners.low, corners.high);
    path[step + 1] = Math.round(price);
    remaining = left;
  }
  path[to.at] = to.price;
}

function total(weights: ArrayLike<number>, from: number, to: number): number {
  let sum = 0;
  for (let i = from; i < to; i++) sum += weights[i] ?? 0;
  return sum;
}

/** Folds a value back into [low, high]. */
function reflect(value: number, low: number, high: number): number {
  const range = high - low;
  if (range === 0) return low;
  const offset = Math.abs(value - low) % (2 * range);
  return low + (offset <= range ? offset : 2 * range - offset);
}
