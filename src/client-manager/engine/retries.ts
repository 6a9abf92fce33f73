import type { Call, Failure, Outcome } from '../../protocol/index.ts';

/** Failures that say something about the server, and not about the call, its caller or ourselves. */
const OF_THE_SERVER: ReadonlySet<Failure['code']> = new Set([
  'upstream_unavailable',
  'upstream_failed',
  'upstream_protocol_error',
  'deadline_exceeded',
  'outcome_unknown',
]);

/** Failures after which the same call may come to something else. */
const WORTH_ANOTHER: ReadonlySet<Failure['code']> = new Set([
  'upstream_unavailable',
  'upstream_failed',
  'upstream_protocol_error',
  'outcome_unknown',
  'busy',
]);

/** What an outcome says about the server: `well` and `ill`, or nothing. */
export function signOf(outcome: Outcome): 'well' | 'ill' | undefined {
  if (outcome.kind !== 'failed') return 'well';
  return OF_THE_SERVER.has(outcome.failure.code) ? 'ill' : undefined;
}

/** The arguments that make a repeated call the same one for its server. */
const KEYS = ['idempotency_key', 'idempotencyKey', 'client_order_id'] as const;

/** True for a call that its server recognises when it comes again. */
export function hasIdempotencyKey({ params }: Call): boolean {
  const args = params?.value.arguments;
  if (typeof args !== 'object' || args === null) return false;
  return KEYS.some((key) => {
    const value = (args as Readonly<Record<string, unknown>>)[key];
    return Object.hasOwn(args, key) && typeof value === 'string' && value !== '';
  });
}

/**
 * Whether a call may be sent once more (DESIGN 5, PROTOCOL A8): a read after any failure that another attempt may mend, an idempotent write
 * only with its key, a write only if it provably never left. A round of a call that was asked for something is never repeated.
 */
export function mayRepeat(call: Call, failure: Failure): boolean {
  if (!WORTH_ANOTHER.has(failure.code) || call.state !== undefined || call.answers !== undefined) return false;
  if (call.sideEffect === 'read' || failure.executed === 'no') return true;
  return call.sideEffect === 'idempotent_write' && hasIdempotencyKey(call);
}
