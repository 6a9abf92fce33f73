import { blank, type Column, wilder } from './averages.ts';

export interface HighLowClose {
  readonly high: Column;
  readonly low: Column;
  readonly close: Column;
}

/** Wilder's true range: the day's range, stretched to the close before. The first bar has none. */
export function trueRange({ high, low, close }: HighLowClose): Column {
  const range = blank(close.length);
  for (let i = 1; i < close.length; i++) {
    const before = close[i - 1] ?? 0;
    range[i] = Math.max(high[i] ?? 0, before) - Math.min(low[i] ?? 0, before);
  }
  return range;
}

/** Average true range (Wilder, 1978). */
export function atr(bars: HighLowClose, period: number): Column {
  return wilder(trueRange(bars), period);
}
