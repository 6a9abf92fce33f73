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
    case 'error':
    case 'input_required':
    case 'task':
      return outcome.kind;
  }
}

/** Runs behind every walk: frees the place, and writes into the record how the call ended. */
export function settle(frame: Frame, services: Services, outcome: Outcome): Outcome {
  const { record } = frame;
  if (frame.admitted) services.inFlight.leave();
  record.outcome = outcomeName(outcome);
  if (outcome.kind === 'failed') {
    record.errorCode = outcome.failure.code;
    record.errorDetail = outcome.failure.detail ?? outcome.failure.message;
  } else if (outcome.kind === 'error') {
    record.errorCode = String(outcome.error.code);
    record.errorDetail = outcome.error.message;
  }
  return outcome;
}
