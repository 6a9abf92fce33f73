import type { DailyBars } from './daily.ts';

export const ADJUSTMENTS = ['raw', 'split', 'dividend', 'all'] as const;
export type Adjustment = (typeof ADJUSTMENTS)[number];

/** What turns the cents and shares of a session into comparable dollars and shares. */
export interface Factor {
  /** Cents are divided by this: 100, times the splits since. */
  readonly divisor: number;
  /** Then multiplied by this: the dividends paid since. */
  readonly multiplier: number;
  /** Shares are multiplied by this: the splits since. */
  readonly shares: number;
}

const RAW: Factor = { divisor: 100, multiplier: 1, shares: 1 };

/**
 * Factors for sessions asked in ascending order, seen from session `asOf`: only what had taken effect by then counts.
 * The usual method of data vendors: prices before an ex-date are scaled, the newest are as traded.
 */
export class Adjuster {
  readonly #events: readonly { session: number; split: number; dividend: number }[];
  readonly #from: readonly Factor[];
  #next = 0;

  constructor(bars: DailyBars, asOf: number, adjustment: Adjustment) {
    const splits = adjustment === 'split' || adjustment === 'all' ? bars.splits : [];
    const dividends = adjustment === 'dividend' || adjustment === 'all' ? bars.dividends : [];
    const events = [
      ...splits.map(({ session, ratio }) => ({ session, split: ratio, dividend: 1 })),
      ...dividends.map(({ session, factor }) => ({ session, split: 1, dividend: factor })),
    ];
    this.#events = events.filter((event) => event.session <= asOf).sort((a, b) => a.session - b.session);
    this.#from = cumulate(this.#events);
  }

  /** The factor of a session; sessions must not descend between calls. */
  at(session: number): Factor {
    while ((this.#events[this.#next]?.session ?? Infinity) <= session) this.#next++;
    return this.#from[this.#next] ?? RAW;
  }
}

/** For each position in the events, the product of all that are still to come. */
function cumulate(events: readonly { split: number; dividend: number }[]): Factor[] {
  const factors: Factor[] = [RAW];
  for (const event of events.toReversed()) {
    const { multiplier, shares } = factors[0] ?? RAW;
    const split = shares * event.split;
    factors.unshift({ divisor: 100 * split, multiplier: multiplier * event.dividend, shares: split });
  }
  return factors;
}
