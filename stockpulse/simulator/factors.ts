import { normal, type Stream, stream, uniform } from './random.ts';
import { SECTORS } from './universe.ts';

const CHUNK = 1024;

/** Persistence and standard deviation of the logarithm of a volatility: the AR(1) behind visible clustering. */
export const VOLATILITY_MEMORY = 0.975;
export const VOLATILITY_SPREAD = 0.36;

const SHOCK_CHANCE = 0.0025;
const SHOCK_MEAN = -1.2;
const SHOCK_SPREAD = 2.2;

/** What moves many companies at once, per session: unit-variance shocks overnight and intraday, and the market's log volatility. */
export interface Factors {
  readonly marketGap: Float64Array;
  readonly marketDay: Float64Array;
  readonly marketVolatility: Float64Array;
  readonly sectorGaps: readonly Float64Array[];
  readonly sectorDays: readonly Float64Array[];
}

/** One step of a stationary AR(1) with standard deviation `VOLATILITY_SPREAD`. */
export function nextLogVolatility(previous: number, shock: number): number {
  return VOLATILITY_MEMORY * previous + VOLATILITY_SPREAD * Math.sqrt(1 - VOLATILITY_MEMORY * VOLATILITY_MEMORY) * shock;
}

/** The factors of all sessions up to an index, grown in chunks; values never depend on how far they were grown. */
export class FactorSource {
  readonly #marketGap: Stream;
  readonly #marketDay: Stream;
  readonly #marketShock: Stream;
  readonly #volatility: Stream;
  readonly #sectorGaps: readonly Stream[];
  readonly #sectorDays: readonly Stream[];
  #length = 0;
  #factors: Factors = emptyFactors(0);

  constructor(seed: number) {
    this.#marketGap = stream(seed, 'market/gap');
    this.#marketDay = stream(seed, 'market/day');
    this.#marketShock = stream(seed, 'market/shock');
    this.#volatility = stream(seed, 'market/volatility');
    this.#sectorGaps = SECTORS.map((name) => stream(seed, `sector/gap/${name}`));
    this.#sectorDays = SECTORS.map((name) => stream(seed, `sector/day/${name}`));
  }

  /** The factors, valid for every index up to and including `index`. */
  upTo(index: number): Factors {
    if (index >= this.#length) this.#grow(Math.ceil((index + 1) / CHUNK) * CHUNK);
    return this.#factors;
  }

  #grow(length: number): void {
    const grown = copyFactors(this.#factors, length);
    for (let i = this.#length; i < length; i++) {
      grown.marketGap[i] = normal(this.#marketGap, i) + this.#shock(i);
      grown.marketDay[i] = normal(this.#marketDay, i);
      grown.marketVolatility[i] = nextLogVolatility(grown.marketVolatility[i - 1] ?? 0, normal(this.#volatility, i));
    }
    for (let i = this.#length; i < length; i++) {
      this.#sectorGaps.forEach((source, sector) => setAt(grown.sectorGaps, sector, i, normal(source, i)));
      this.#sectorDays.forEach((source, sector) => setAt(grown.sectorDays, sector, i, normal(source, i)));
    }
    this.#factors = grown;
    this.#length = length;
  }

  /** Rare news that moves the whole market overnight, more often down. */
  #shock(index: number): number {
    if (uniform(this.#marketShock, 2 * index) >= SHOCK_CHANCE) return 0;
    return SHOCK_MEAN + SHOCK_SPREAD * normal(this.#marketShock, 2 * index + 1);
  }
}

function setAt(arrays: readonly Float64Array[], which: number, index: number, value: number): void {
  const array = arrays[which];
  if (array) array[index] = value;
}

function emptyFactors(length: number): Factors {
  const make = (): Float64Array => new Float64Array(length);
  return { marketGap: make(), marketDay: make(), marketVolatility: make(), sectorGaps: SECTORS.map(make), sectorDays: SECTORS.map(make) };
}

function copyFactors(from: Factors, length: number): Factors {
  const to = emptyFactors(length);
  to.marketGap.set(from.marketGap);
  to.marketDay.set(from.marketDay);
  to.marketVolatility.set(from.marketVolatility);
  from.sectorGaps.forEach((array, sector) => to.sectorGaps[sector]?.set(array));
  from.sectorDays.forEach((array, sector) => to.sectorDays[sector]?.set(array));
  return to;
}
