/**
 * Counter-based random numbers: each is a pure function of (seed, stream, index), so that any of them can be had without the ones before it
 * and no state is shared. 64 bits of key per stream, two rounds of MurmurHash3's finaliser per draw.
 */
export interface Stream {
  readonly first: number;
  readonly second: number;
}

function finalise(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

function hashText(text: string, start: number): number {
  let hash = start;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return finalise(hash);
}

/** The stream of a name under a seed (any safe integer). */
export function stream(seed: number, name: string): Stream {
  const low = finalise((seed >>> 0) ^ 0x9e3779b9);
  const both = finalise(low ^ Math.floor(seed / 0x1_0000_0000));
  return { first: hashText(name, both), second: hashText(name, finalise(both ^ 0x7f4a7c15)) };
}

/** A 32-bit unsigned integer. */
export function bits(source: Stream, index: number): number {
  return finalise(finalise(Math.imul(index, 0x9e3779b1) + source.first) ^ source.second) >>> 0;
}

/** Uniform in the open interval (0, 1). */
export function uniform(source: Stream, index: number): number {
  return (bits(source, index) + 0.5) / 0x1_0000_0000;
}

/** Standard normal. */
export function normal(source: Stream, index: number): number {
  return inverseNormal(uniform(source, index));
}

const TAIL = 0.02425;

/** Quantile of the standard normal distribution by Acklam's rational approximation; relative error below 1.2e-9. */
export function inverseNormal(p: number): number {
  if (p < TAIL) return lowerTail(Math.sqrt(-2 * Math.log(p)));
  if (p > 1 - TAIL) return -lowerTail(Math.sqrt(-2 * Math.log(1 - p)));
  const q = p - 0.5;
  const r = q * q;
  const top =
    ((((-3.969683028665376e1 * r + 2.209460984245205e2) * r - 2.759285104469687e2) * r + 1.38357751867269e2) * r - 3.066479806614716e1) *
      r +
    2.506628277459239;
  const bottom =
    ((((-5.447609879822406e1 * r + 1.615858368580409e2) * r - 1.556989798598866e2) * r + 6.680131188771972e1) * r - 1.328068155288572e1) *
      r +
    1;
  return (top * q) / bottom;
}

function lowerTail(q: number): number {
  const top =
    ((((-7.784894002430293e-3 * q - 3.223964580411365e-1) * q - 2.400758277161838) * q - 2.549732539343734) * q + 4.374664141464968) * q +
    2.938163982698783;
  const bottom = (((7.784695709041462e-3 * q + 3.224671290700398e-1) * q + 2.445134137142996) * q + 3.754408661907416) * q + 1;
  return top / bottom;
}
