import { RPC, rpcError, type RpcError } from './errors.ts';
import type { Failure } from './target.ts';

const CODES: Readonly<Record<Failure['code'], number>> = {
  forbidden: RPC.forbidden,
  invalid_arguments: RPC.invalidParams,
  internal_error: RPC.internalError,
  upstream_unavailable: RPC.upstreamFailed,
  upstream_failed: RPC.upstreamFailed,
  upstream_protocol_error: RPC.internalError,
  deadline_exceeded: RPC.deadline,
  canceled: RPC.upstreamFailed,
  busy: RPC.busy,
  result_too_large: RPC.resultTooLarge,
  outcome_unknown: RPC.upstreamFailed,
};

/** A failure as a JSON-RPC error; `data` says its own code and whether the request can have taken effect. Its detail stays private. */
export function failureError({ code, message, executed }: Failure): RpcError {
  return rpcError(CODES[code], message, { code, executed });
}
