import type { Step } from '../frame.ts';

/** Takes one of the places for calls in flight. */
export const admit: Step = (frame, services) => {
  frame.admitted = services.inFlight.enter();
  if (frame.admitted) return undefined;
  const message = `The gateway is at its limit of ${services.inFlight.cap} calls in flight. Try again in a second.`;
  return { kind: 'failed', failure: { code: 'busy', message, executed: 'no', retryAfterMs: 1000 } };
};
