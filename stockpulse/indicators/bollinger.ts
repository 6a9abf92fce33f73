import { blank, type Column, firstValue, sma } from './averages.ts';

export interface Bands {
  readonly upper: Column;
  readonly middle: Column;
  readonly lower: Column;
}

/** Bollinger bands: the simple average, and `deviations` population standard deviations above and below it. */
export function bollinger(close: Column, period: number, deviations: number): Bands {
  const middle = sma(close, period);
  const width = blank(close.length);
  for (let i = firstValue(middle); i < close.length; i++) {
    const mean = middle[i] ?? 0;
    let squares = 0;
    for (let j = i - period + 1; j <= i; j++) squares += ((close[j] ?? 0) - mean) ** 2;
    width[i] = deviations * Math.sqrt(squares / period);
  }
  return {
    upper: middle.map((mean, i) => mean + (width[i] ?? Number.NaN)),
    middle,
    lower: middle.map((mean, i) => mean - (width[i] ?? Number.NaN)),
  };
}
