import { isObject } from './meta.ts';
import type { Era } from './revisions.ts';

/** JSON-RPC and MCP error codes (2026-07-28, basic, "Error Codes"), and our own, which lie outside the reserved range. */
export const RPC = {
  parseError: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internalError: -32603,
  headerMismatch: -32020,
  missingRequiredClientCapability: -32021,
  unsupportedProtocolVersion: -32022,
  /** Legacy revisions only. */
  resourceNotFound: -32002,
  /** Revision 2025-11-25 only. */
  urlElicitationRequired: -32042,
  /** Ours: the caller's credential is refused. */
  unauthenticated: 4010,
  /** Ours: the caller may not do this. */
  forbidden: 4030,
  /** Ours: a cap was reached; try again later. */
  busy: 4290,
  /** Ours: the server behind the gateway could not answer. */
  upstreamFailed: 5020,
  /** Ours: a result was larger than we carry here. */
  resultTooLarge: 5130,
  /** Ours: the server behind the gateway did not answer in time. */
  deadline: 5040,
} as const;

/** The error member of a JSON-RPC response. */
export interface RpcError {
  readonly code: number;
  readonly message: string;
  readonly data?: unknown;
}

export function rpcError(code: number, message: string, data?: unknown): RpcError {
  return data === undefined ? { code, message } : { code, message, data };
}

export function unsupportedVersion(requested: unknown, supported: readonly string[]): RpcError {
  const shown = typeof requested === 'string' ? requested : JSON.stringify(requested);
  return rpcError(RPC.unsupportedProtocolVersion, `Unsupported protocol version ${shown}; use one of: ${supported.join(', ')}.`, {
    supported,
    requested,
  });
}

const MODERN_CODES: ReadonlySet<number> = new Set([
  RPC.headerMismatch,
  RPC.missingRequiredClientCapability,
  RPC.unsupportedProtocolVersion,
]);

/** True for a code that only a server of the modern era sends: its sender need not be asked to `initialize`. */
export function isModernCode(code: unknown): boolean {
  return typeof code === 'number' && MODERN_CODES.has(code);
}

const inServerRange = (code: number): boolean => code >= -32099 && code <= -32000;

function asInternal(error: RpcError): RpcError {
  return rpcError(RPC.internalError, error.message, {
    upstreamCode: error.code,
    ...(error.data === undefined ? {} : { upstreamData: error.data }),
  });
}

/**
 * An upstream's error as a client of the modern era may see it (PROTOCOL C2). Header and version mismatches between us and the
 * upstream (of the given era) are ours to solve and become internal errors; codes without a meaning in this revision keep theirs in `data.upstreamCode`.
 */
export function errorForModern(error: RpcError, uri?: string, era: Era = 'modern'): RpcError {
  if (error.code === RPC.resourceNotFound) return rpcError(RPC.invalidParams, error.message, uri === undefined ? error.data : { uri });
  if (error.code === RPC.missingRequiredClientCapability && era === 'modern') return error;
  return inServerRange(error.code) ? asInternal(error) : error;
}

/** An upstream's error as a client of a legacy revision may see it (PROTOCOL C2): modern codes never reach it. */
export function errorForLegacy(error: RpcError, method: string): RpcError {
  if (isModernCode(error.code)) return asInternal(error);
  if (method === 'resources/read' && error.code === RPC.invalidParams && isObject(error.data) && 'uri' in error.data)
    return rpcError(RPC.resourceNotFound, error.message, error.data);
  return error;
}
