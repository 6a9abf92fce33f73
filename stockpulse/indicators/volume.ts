import type { HighLowClose } from './atr.ts';
import { blank, type Column } from './averages.ts';

export interface PricedVolume extends HighLowClose {
  readonly volume: Column;
  readonly session: ArrayLike<number>;
}

/** On-balance volume, 0 on the first bar; with `perSession` it starts anew each session. */
export function obv({ close, volume, session }: PricedVolume, perSession: boolean): Column {
  const result = new Float64Array(close.length);
  for (let i = 1; i < close.length; i++) {
    if (perSession && session[i] !== session[i - 1]) continue;
    const change = (close[i] ?? 0) - (close[i - 1] ?? 0);
    result[i] = (result[i - 1] ?? 0) + Math.sign(change) * (volume[i] ?? 0);
  }
  return result;
}

function typical({ high, low, close }: HighLowClose, i: number): number {
  return ((high[i] ?? 0) + (low[i] ?? 0) + (close[i] ?? 0)) / 3;
}

/** Volume-weighted average of typical prices since the start of the session. */
export function sessionVwap(bars: PricedVolume): Column {
  const result = blank(bars.close.length);
  let money = 0;
  let shares = 0;
  for (let i = 0; i < result.length; i++) {
    if (bars.session[i] !== bars.session[i - 1]) money = shares = 0;
    money += typical(bars, i) * (bars.volume[i] ?? 0);
    shares += bars.volume[i] ?? 0;
    result[i] = shares > 0 ? money / shares : typical(bars, i);
  }
  return result;
}

/** Volume-weighted average of typical prices over the last `period` bars. */
export function rollingVwap(bars: PricedVolume, period: number): Column {
  const result = blank(bars.close.length);
  for (let i = period - 1; i < result.length; i++) {
    let money = 0;
    let shares = 0;
    for (let j = i - period + 1; j <= i; j++) {
      money += typical(bars, j) * (bars.volume[j] ?? 0);
      shares += bars.volume[j] ?? 0;
    }
    result[i] = shares > 0 ? money / shares : typical(bars, i);
  }
  return result;
}
