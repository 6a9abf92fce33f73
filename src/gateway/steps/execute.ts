import type { Outcome } from '../../protocol/index.ts';
import type { Frame, Step } from '../frame.ts';

/** Hands the call to its target. The outcome goes on to the steps behind; it never rejects, so a failure is an outcome too. */
export const execute: Step = async (frame, services): Promise<Outcome | undefined> => {
  const { exposed, call } = frame;
  const target = exposed && services.target(exposed.server);
  if (exposed === undefined || call === undefined || target === undefined) {
    const message = `Server ${exposed?.server ?? '(unknown)'} is not running. Run "stockpulse servers list" to see why.`;
    return { kind: 'failed', failure: { code: 'upstream_unavailable', message, executed: 'no' } };
  }
  const outcome = await target.handle(call, { signal: frame.signal, onEvent: frame.onEvent });
  return settled(frame, outcome);
};

function settled(frame: Frame, outcome: Outcome): Outcome | undefined {
  if (outcome.kind === 'input_required' || outcome.kind === 'task') return unasked(frame, outcome.kind);
  if (outcome.kind !== 'complete') return outcome;
  frame.outcome = outcome;
  return undefined;
}

/** We declared no client capabilities, so a server that asks for input or hands out a task breaks the protocol. */
function unasked(frame: Frame, what: string): Outcome {
  const message = `Server ${frame.record.server} answered ${frame.record.tool} with "${what}", which this gateway did not declare. The call may have taken effect.`;
  return { kind: 'failed', failure: { code: 'upstream_protocol_error', message, executed: 'unknown' } };
}
