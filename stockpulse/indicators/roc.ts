import { blank, type Column } from './averages.ts';

/** Rate of change over `period` bars as a fraction: 0.01 is one per cent. */
export function roc(close: Column, period: number): Column {
  const result = blank(close.length);
  for (let i = period; i < close.length; i++) result[i] = (close[i] ?? 0) / (close[i - period] ?? Number.NaN) - 1;
  return result;
}
