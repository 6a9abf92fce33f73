import { type Column, ema } from './averages.ts';

export interface Macd {
  readonly line: Column;
  readonly signal: Column;
  readonly histogram: Column;
}

/** Moving average convergence/divergence: fast minus slow EMA, its own EMA, and their difference. */
export function macd(close: Column, { fast, slow, signal: period }: { fast: number; slow: number; signal: number }): Macd {
  const slowAverage = ema(close, slow);
  const line = ema(close, fast).map((value, i) => value - (slowAverage[i] ?? Number.NaN));
  const signal = ema(line, period);
  return { line, signal, histogram: line.map((value, i) => value - (signal[i] ?? Number.NaN)) };
}
