import { phaseAt, type Phase, lastSessionUntil, SESSION_COUNT, sessionAt, toLocal } from './calendar/index.ts';

/** Quotes move every second in regular hours and every minute outside them. */
const FRESH_MS: Readonly<Record<Phase, number>> = { regular: 1000, pre: 15_000, post: 15_000, closed: 15 * 60_000 };

/** How long an answer about the market stays true, in milliseconds of its clock: never beyond the next change of phase. */
export function marketCacheHint(now: number): { ttlMs: number } {
  const phase = phaseAt(now);
  return { ttlMs: Math.max(0, Math.floor(Math.min(FRESH_MS[phase], nextChange(now) - now))) };
}

function nextChange(now: number): number {
  const today = lastSessionUntil(toLocal(now).day);
  for (let index = Math.max(0, today); index < Math.min(today + 2, SESSION_COUNT); index++) {
    const { preOpen, open, close, postClose } = sessionAt(index);
    const next = [preOpen, open, close, postClose].find((instant) => instant > now);
    if (next !== undefined) return next;
  }
  return Infinity;
}
