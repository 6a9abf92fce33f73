import { blank, type Column, wilder } from './averages.ts';

/** Relative strength index, 0 to 100; Wilder, "New Concepts in Technical Trading Systems" (1978). Without any move it is 50. */
export function rsi(close: Column, period: number): Column {
  const gains = blank(close.length);
  const losses = blank(close.length);
  for (let i = 1; i < close.length; i++) {
    const change = (close[i] ?? 0) - (close[i - 1] ?? 0);
    gains[i] = Math.max(change, 0);
    losses[i] = Math.max(-change, 0);
  }
  const up = wilder(gains, period);
  const down = wilder(losses, period);
  return up.map((gain, i) => {
    const loss = down[i] ?? Number.NaN;
    if (Number.isNaN(gain) || gain + loss > 0) return (100 * gain) / (gain + loss);
    return 50;
  });
}
