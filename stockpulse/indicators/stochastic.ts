import type { HighLowClose } from './atr.ts';
import { blank, type Column, sma } from './averages.ts';

/** Where the close lies in the range of the last `period` bars, 0 to 100; 50 when there is no range. */
function rawPercent({ high, low, close }: HighLowClose, period: number): Column {
  const result = blank(close.length);
  for (let i = period - 1; i < close.length; i++) {
    let highest = -Infinity;
    let lowest = Infinity;
    for (let j = i - period + 1; j <= i; j++) {
      highest = Math.max(highest, high[j] ?? 0);
      lowest = Math.min(lowest, low[j] ?? 0);
    }
    result[i] = highest > lowest ? (100 * ((close[i] ?? 0) - lowest)) / (highest - lowest) : 50;
  }
  return result;
}

/** Lane's stochastic oscillator: %K smoothed over `smooth` bars, and %D, its average over `d`. `smooth` 1 is the fast form. */
export function stochastic(bars: HighLowClose, { k, smooth, d }: { k: number; smooth: number; d: number }): { k: Column; d: Column } {
  const percentK = sma(rawPercent(bars, k), smooth);
  return { k: percentK, d: sma(percentK, d) };
}
