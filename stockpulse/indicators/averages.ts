/** A column of numbers; NaN where there is no value yet. */
export type Column = Float64Array;

export function blank(length: number): Column {
  return new Float64Array(length).fill(Number.NaN);
}

/** The first position with a value; the length when there is none. */
export function firstValue(values: Column): number {
  const at = values.findIndex((value) => !Number.isNaN(value));
  return at < 0 ? values.length : at;
}

/** Simple moving average. Each window is summed anew: a running sum would carry its rounding along. */
export function sma(values: Column, period: number): Column {
  const result = blank(values.length);
  for (let i = firstValue(values) + period - 1; i < values.length; i++) {
    let sum = 0;
    for (let j = i - period + 1; j <= i; j++) sum += values[j] ?? 0;
    result[i] = sum / period;
  }
  return result;
}

/** Exponential average with weight `alpha` on the newest value, started with the simple average of the first `period` values. */
function smoothed(values: Column, period: number, alpha: number): Column {
  const result = blank(values.length);
  const start = firstValue(values) + period - 1;
  if (start >= values.length) return result;
  let average = 0;
  for (let j = start - period + 1; j <= start; j++) average += values[j] ?? 0;
  average /= period;
  result[start] = average;
  for (let i = start + 1; i < values.length; i++) {
    average += alpha * ((values[i] ?? 0) - average);
    result[i] = average;
  }
  return result;
}

/** Exponential moving average, alpha = 2 / (period + 1). */
export function ema(values: Column, period: number): Column {
  return smoothed(values, period, 2 / (period + 1));
}

/** Wilder's smoothing, alpha = 1 / period. */
export function wilder(values: Column, period: number): Column {
  return smoothed(values, period, 1 / period);
}
