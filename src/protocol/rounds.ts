/** Rounds in which one call may be asked for input, at most (PROTOCOL D). */
export const MAX_ROUNDS = 8;

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 4000;

/** Milliseconds before a round that asks nothing of the client; twice as many with each of the `earlier` ones. */
export function roundPauseMs(earlier: number): number {
  return Math.min(FIRST_PAUSE_MS * 2 ** earlier, LONGEST_PAUSE_MS);
}
