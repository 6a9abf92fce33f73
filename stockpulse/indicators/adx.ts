import { type HighLowClose, trueRange } from './atr.ts';
import { blank, type Column, wilder } from './averages.ts';

export interface DirectionalMovement {
  readonly adx: Column;
  readonly plus: Column;
  readonly minus: Column;
}

/** Average directional index with its two directional indicators, 0 to 100 (Wilder, 1978). Without movement they are 0. */
export function adx(bars: HighLowClose, period: number): DirectionalMovement {
  const { high, low } = bars;
  const rises = blank(high.length);
  const falls = blank(high.length);
  for (let i = 1; i < high.length; i++) {
    const up = (high[i] ?? 0) - (high[i - 1] ?? 0);
    const down = (low[i - 1] ?? 0) - (low[i] ?? 0);
    rises[i] = up > down && up > 0 ? up : 0;
    falls[i] = down > up && down > 0 ? down : 0;
  }
  const range = wilder(trueRange(bars), period);
  const plus = wilder(rises, period).map((value, i) => percent(value, range[i]));
  const minus = wilder(falls, period).map((value, i) => percent(value, range[i]));
  const index = plus.map((up, i) => percent(Math.abs(up - (minus[i] ?? Number.NaN)), up + (minus[i] ?? Number.NaN)));
  return { adx: wilder(index, period), plus, minus };
}

function percent(part: number, whole: number | undefined): number {
  return whole === 0 ? 0 : (100 * part) / (whole ?? Number.NaN);
}
