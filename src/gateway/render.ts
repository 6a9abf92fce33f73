import {
  CACHEABLE,
  errorText,
  failureError,
  resultFor,
  resultText,
  RPC,
  stampResult,
  type CacheHint,
  type Failure,
  type LegacyRevision,
  type Outcome,
  type ResultStream,
} from '../protocol/index.ts';
import type { Frame, Services } from './frame.ts';
import { identityOf } from './steps/describe-server.ts';

/** An answer ready for the wire. Transports without statuses ignore `status`. */
export interface Answer {
  readonly text: string;
  readonly status: number;
  readonly retryAfterMs?: number | undefined;
  /** Instead of `text`: a large answer that flows (PROTOCOL A13). */
  readonly stream?: ResultStream | undefined;
}

const UNCACHED: CacheHint = { ttlMs: 0, cacheScope: 'private' };

/** Statuses that the modern revision sets for errors of ours (S26 Streamable HTTP); every other answer is 200. */
const MODERN_STATUS: Readonly<Record<number, number>> = {
  [RPC.headerMismatch]: 400,
  [RPC.missingRequiredClientCapability]: 400,
  [RPC.unsupportedProtocolVersion]: 400,
  [RPC.methodNotFound]: 404,
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
    const result = frame.era === 'modern' ? stampResult({ text, value: {} }, { serverInfo: identityOf(frame, services) }) : text;
    return { text: resultText(idText, result), status: 200, retryAfterMs };
  }
  return { text: errorText(idText, failureError(failure)), status: failure.code === 'busy' ? 429 : 200, retryAfterMs };
}

/** The JSON-RPC response for an outcome, in the words of the client's revision. */
export function render(frame: Frame, services: Services, outcome: Outcome): Answer {
  const { idText, method } = frame.request;
  const modern = frame.era === 'modern';
  if (outcome.kind === 'failed') return renderFailure(frame, services, outcome.failure);
  if (outcome.kind === 'stream') return { text: '', status: 200, stream: outcome.stream };
  if (outcome.kind === 'error') {
    return { text: errorText(idText, outcome.error), status: (modern && MODERN_STATUS[outcome.error.code]) || 200 };
  }
  if (!modern) {
    const result = resultFor(outcome.result, method, frame.client.revision as LegacyRevision, frame.exposed?.tool.definition);
    return { text: resultText(idText, result), status: 200 };
  }
  const cache = CACHEABLE.has(method) && outcome.kind === 'complete' ? UNCACHED : undefined;
  return { text: resultText(idText, stampResult(outcome.result, { serverInfo: identityOf(frame, services), cache })), status: 200 };
}
