import type { HighLowClose } from './atr.ts';
import { blank, type Column, firstValue, sma } from './averages.ts';

const LAMBERT = 0.015;

/** Commodity channel index: the typical price against its average in units of 0.015 mean deviations; 0 without deviation (Lambert, 1980). */
export function cci({ high, low, close }: HighLowClose, period: number): Column {
  const typical = close.map((value, i) => ((high[i] ?? 0) + (low[i] ?? 0) + value) / 3);
  const average = sma(typical, period);
  const result = blank(close.length);
  for (let i = firstValue(average); i < close.length; i++) {
    const mean = average[i] ?? 0;
    let deviation = 0;
    for (let j = i - period + 1; j <= i; j++) deviation += Math.abs((typical[j] ?? 0) - mean);
    deviation /= period;
    result[i] = deviation > 0 ? ((typical[i] ?? 0) - mean) / (LAMBERT * deviation) : 0;
  }
  return result;
}
