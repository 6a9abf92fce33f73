import type { CallOutcome } from '../../observability/index.ts';
import type { Outcome } from '../../protocol/index.ts';
import type { Frame, Services } from '../frame.ts';

const REFUSALS: ReadonlySet<string> = new Set(['forbidden', 'invalid_arguments', 'busy']);

function outcomeName(outcome: Outcome): CallOutcome {
  switch (outcome.kind) {
    case 'complete':
      return outcome.result.value.isError === true ? 'tool_error' : 'ok';
    case 'failed':
      if (outcome.failure.code === 'canceled') return 'canceled';
      return REFUSALS.has(outcome.failure.code) ? 'refused' : 'failed';
    case 'stream':
      return 'ok';
    case 'error':
    case 'input_required':
    case 'task':
      return outcome.kind;
  }
}

/** Writes into the record how the call ended. */
export function noteOutcome({ record }: Frame, outcome: Outcome): void {
  record.outcome = outcomeName(outcome);
  if (outcome.kind === 'failed') {
    record.errorCode = outcome.failure.code;
    record.errorDetail = outcome.failure.detail ?? outcome.failure.message;
  } else if (outcome.kind === 'error') {
    record.errorCode = String(outcome.error.code);
    record.errorDetail = outcome.error.message;
  }
}

/** Ends the call: nothing of it is told any more, and the place that `admit` took is free. */
export function leave(frame: Frame, services: Services): void {
  frame.open = false;
  if (frame.admitted) services.inFlight.leave();
  frame.admitted = false;
}

/** Runs behind every walk: notes the outcome, and ends the call, which a stream does not until it has flowed. */
export function settle(frame: Frame, services: Services, outcome: Outcome): Outcome {
  if (outcome.kind !== 'stream') leave(frame, services);
  noteOutcome(frame, outcome);
  return outcome;
}
