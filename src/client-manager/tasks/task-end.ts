import {
  errorForModern,
  failureError,
  isObject,
  objectSpan,
  memberOf,
  spliceMembers,
  type Failure,
  type JsonText,
  type Outcome,
} from '../../protocol/index.ts';
import type { TaskEnd } from './stored-task.ts';

export interface Ended {
  readonly end: TaskEnd;
  /** For people. */
  readonly message: string | undefined;
}

/** A task that failed without an answer of its server's. */
export function failedWith(failure: Omit<Failure, 'executed'>): Ended {
  return { end: { status: 'failed', error: failureError({ ...failure, executed: 'unknown' }) }, message: failure.message };
}

export function outcomeUnknown(server: string, why: string): Ended {
  const message = `${why} The call of server "${server}" may or may not have taken effect: look before you start it again.`;
  return failedWith({ code: 'outcome_unknown', message });
}

const RELATED = 'io.modelcontextprotocol/related-task';

/** The result without the key with which 2025-11-25 names the server's own task: nobody here knows that one. */
function withoutRelated({ text, value }: JsonText): string {
  const meta = isObject(value._meta) && value._meta[RELATED] !== undefined ? memberOf(objectSpan(text), '_meta') : undefined;
  if (meta === undefined) return text;
  const edited = spliceMembers(text, objectSpan(text, meta.start), [[RELATED, null]]);
  return spliceMembers(text, objectSpan(text), [['_meta', edited === '{}' ? null : edited]]);
}

export interface EndOptions {
  readonly server: string;
  /** How the server was called last. */
  readonly via: string;
  readonly canceled: boolean;
  /** Largest result that is kept, in bytes. */
  readonly maxBytes: number;
}

/**
 * How a task ends whose call came to this outcome: any result completes it, an error of the server fails it (tasks extension, "Task Execution
 * Errors"), and so does the lack of an answer. Work that ended before a cancellation reached it has completed.
 */
export function endOf(outcome: Outcome, { server, via, canceled, maxBytes }: EndOptions): Ended {
  if (outcome.kind === 'complete') {
    const result = withoutRelated(outcome.result);
    if (Buffer.byteLength(result) <= maxBytes) return { end: { status: 'completed', result }, message: undefined };
    const message = `The result of server "${server}" is larger than the ${maxBytes} bytes that can be kept of a task. The call was carried out; ask for less.`;
    return failedWith({ code: 'result_too_large', message });
  }
  if (canceled) return { end: { status: 'cancelled' }, message: canceledMessage(outcome) };
  if (outcome.kind === 'error') {
    const error = errorForModern(outcome.error, undefined, via.endsWith('-modern') || via === '' ? 'modern' : 'legacy');
    return { end: { status: 'failed', error }, message: outcome.error.message };
  }
  if (outcome.kind !== 'failed') return outcomeUnknown(server, 'The server did not come to a result.');
  const { failure } = outcome;
  if (failure.code === 'canceled') return outcomeUnknown(server, 'The gateway ended the call.');
  return { end: { status: 'failed', error: failureError(failure) }, message: failure.message };
}

function canceledMessage(outcome: Outcome): string {
  const untouched = outcome.kind === 'failed' && outcome.failure.executed === 'no';
  return untouched ? 'Canceled before the call was sent.' : 'Canceled. The call may or may not have taken effect.';
}
