import { setTimeout as wait } from 'node:timers/promises';

/** Long enough for a loaded machine with two cores; nothing waits that long when all is well. */
export const PATIENCE_MS = 60_000;

const EVERY_MS = 25;

/** Polls until `look` gives something other than undefined or false; an error that names `what` after the deadline. */
export async function until<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  patienceMs = PATIENCE_MS,
): Promise<T> {
  const end = Date.now() + patienceMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > end) throw new Error(`Waited ${patienceMs} ms in vain: ${what}`);
    await wait(EVERY_MS);
  }
}

/** How many rounds a counted test runs: `STOCKPULSE_TEST_SCALE` times `base`, at most `full`. */
export function rounds(base: number, full: number): number {
  return Math.min(full, Math.max(1, Math.round(base * Number(process.env.STOCKPULSE_TEST_SCALE ?? 1))));
}
