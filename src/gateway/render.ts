import {
  CACHEABLE,
  eraOf,
  errorForLegacy,
  errorForModern,
  errorText,
  resultText,
  RPC,
  rpcError,
  stampResult,
  stripResult,
  type CacheHint,
  type Failure,
  type Outcome,
  type RpcError,
} from '../protocol/index.ts';
import type { Frame, Services } from './frame.ts';
import { identityOf } from './steps/describe-server.ts';

/** An answer ready for the wire. Transports without statuses ignore `status`. */
export interface Answer {
  readonly text: string;
  readonly status: number;
  readonly retryAfterMs?: number | undefined;
}

const UNCACHED: CacheHint = { ttlMs: 0, cacheScope: 'private' };

/** Statuses that the modern revision sets for errors of ours (S26 Streamable HTTP); every other answer is 200. */
const MODERN_STATUS: Readonly<Record<number, number>> = {
  [RPC.headerMismatch]: 400,
  [RPC.missingRequiredClientCapability]: 400,
  [RPC.unsupportedProtocolVersion]: 400,
};

const FAILURE_CODES: Readonly<Record<Failure['code'], number>> = {
  forbidden: RPC.forbidden,
  invalid_arguments: RPC.invalidParams,
  internal_error: RPC.internalError,
  upstream_unavailable: RPC.upstreamFailed,
  upstream_failed: RPC.upstreamFailed,
  upstream_protocol_error: RPC.upstreamFailed,
  deadline_exceeded: RPC.deadline,
  canceled: RPC.upstreamFailed,
  busy: RPC.busy,
  result_too_large: RPC.resultTooLarge,
  outcome_unknown: RPC.upstreamFailed,
};

/** Failures of a tool call are results that the model sees; older revisions get invalid arguments as a protocol error (PROTOCOL A7). */
function isToolError(frame: Frame, failure: Failure): boolean {
  if (frame.request.method !== 'tools/call' || failure.code === 'internal_error') return false;
  return failure.code !== 'invalid_arguments' || frame.client.revision >= '2025-11-25';
}

/** A failure as a tool result: one line for the model, and the same as data for programs. */
function failureResult(failure: Failure): string {
  const { code, message, executed, retryAfterMs } = failure;
  const retryable = executed === 'no' && (code === 'busy' || code === 'deadline_exceeded' || retryAfterMs !== undefined);
  const facts = { code, message, retryable, executed, ...(retryAfterMs === undefined ? {} : { retry_after_ms: retryAfterMs }) };
  return JSON.stringify({ content: [{ type: 'text', text: JSON.stringify(facts) }], isError: true });
}

function renderFailure(frame: Frame, services: Services, failure: Failure): Answer {
  const { idText } = frame.request;
  const { retryAfterMs } = failure;
  if (isToolError(frame, failure)) {
    const text = failureResult(failure);
    const result =
      eraOf(frame.client.revision) === 'modern' ? stampResult({ text, value: {} }, { serverInfo: identityOf(frame, services) }) : text;
    return { text: resultText(idText, result), status: 200, retryAfterMs };
  }
  const error = rpcError(FAILURE_CODES[failure.code], failure.message, { code: failure.code, executed: failure.executed });
  return { text: errorText(idText, error), status: failure.code === 'busy' ? 429 : 200, retryAfterMs };
}

/** Errors of the gateway's own steps are already right for the era; an upstream's are translated (PROTOCOL C2). */
function translated(frame: Frame, error: RpcError): RpcError {
  const last = frame.record.attempts.at(-1);
  if (last === undefined) return error;
  if (eraOf(frame.client.revision) === 'legacy') return errorForLegacy(error, frame.request.method);
  return errorForModern(error, undefined, last.via.endsWith('-modern') ? 'modern' : 'legacy');
}

/** A legacy client cannot declare capabilities per request: a modern server's wish for one is a result that the model sees (PROTOCOL C2). */
function isMissingCapability({ client, record, request }: Frame, error: RpcError): boolean {
  if (error.code !== RPC.missingRequiredClientCapability || eraOf(client.revision) === 'modern') return false;
  return request.method === 'tools/call' && record.attempts.at(-1)?.via.endsWith('-modern') === true;
}

/** The JSON-RPC response for an outcome, in the words of the client's revision. */
export function render(frame: Frame, services: Services, outcome: Outcome): Answer {
  const { idText, method } = frame.request;
  const modern = eraOf(frame.client.revision) === 'modern';
  if (outcome.kind === 'failed') return renderFailure(frame, services, outcome.failure);
  if (outcome.kind === 'error' && isMissingCapability(frame, outcome.error)) {
    return renderFailure(frame, services, { code: 'upstream_failed', message: outcome.error.message, executed: 'no' });
  }
  if (outcome.kind === 'error') {
    const error = translated(frame, outcome.error);
    return { text: errorText(idText, error), status: (modern && MODERN_STATUS[error.code]) || 200 };
  }
  if (!modern) return { text: resultText(idText, stripResult(outcome.result, method)), status: 200 };
  const cache = CACHEABLE.has(method) && outcome.kind === 'complete' ? UNCACHED : undefined;
  return { text: resultText(idText, stampResult(outcome.result, { serverInfo: identityOf(frame, services), cache })), status: 200 };
}
