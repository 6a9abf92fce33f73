import type { CallContext, Outcome } from '../../protocol/index.ts';
import { askInRounds, type Legs } from '../ask-rounds.ts';
import { askerOf } from '../asking.ts';
import type { Frame, Step } from '../frame.ts';
import { inputRequired } from '../input-required.ts';
import { shownError } from '../upstream-errors.ts';

/**
 * Hands the call to its target. A legacy client is asked for what the server needs until there is an answer; a modern one gets the asks. The
 * outcome goes on to the steps behind; a target never rejects, so a failure is an outcome too.
 */
export const execute: Step = async (frame, services): Promise<Outcome | undefined> => {
  const { server, call } = frame;
  const target = server === undefined ? undefined : services.target(server);
  if (call === undefined || target === undefined) {
    const message = `Server ${server ?? '(unknown)'} is not running. Run "stockpulse servers list" to see why.`;
    return { kind: 'failed', failure: { code: 'upstream_unavailable', message, executed: 'no' } };
  }
  const context = contextOf(frame);
  const outcome = await target.handle(call, context);
  if (outcome.kind === 'complete') {
    frame.outcome = outcome;
    return undefined;
  }
  frame.outcome = frame.era === 'modern' ? inputRequired(frame, services, outcome) : await asked(frame, { target, call, context }, outcome);
  return undefined;
};

async function asked(frame: Frame, legs: Legs, first: Outcome): Promise<Outcome> {
  const outcome = first.kind === 'input_required' ? await askInRounds(frame, legs, first.result) : first;
  return outcome.kind === 'error' ? shownError(frame, outcome.error) : outcome;
}

function contextOf(frame: Frame): CallContext {
  const { signal, onEvent, port } = frame;
  return {
    signal,
    onEvent,
    ask: port?.ask === undefined ? undefined : askerOf(frame),
    streams: port?.streams === true && mayStream(frame),
  };
}

/** Nothing may need the whole result (PROTOCOL A13). */
function mayStream({ era, endpoint, exposed }: Frame): boolean {
  return era === 'modern' && endpoint.kind === 'server' && exposed !== undefined && exposed.tool.result === undefined;
}
