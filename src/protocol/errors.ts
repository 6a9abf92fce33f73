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
  /** The JSON text of `data` as it came, where writing the parsed value again would change it (numbers beyond 2^53, say). */
  readonly dataText?: string;
}

/** The error as JSON text. */
export function rpcErrorText({ code, message, data, dataText }: RpcError): string {
  if (dataText === undefined) return JSON.stringify({ code, message, data });
  return `{"code":${code},"message":${JSON.stringify(message)},"data":${dataText}}`;
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

function asInternal({ code, message, data, dataText }: RpcError): RpcError {
  const error = rpcError(RPC.internalError, message, { upstreamCode: code, ...(data === undefined ? {} : { upstreamData: data }) });
  return dataText === undefined ? error : { ...error, dataText: `{"upstreamCode":${code},"upstreamData":${dataText}}` };
}

/** The error with the uri that the client asked for in its data: the server may know the resource by another one, or not have said. */
function aboutResource(error: RpcError, code: number, uri: string | undefined): RpcError {
  const { message, data, dataText } = error;
  if (uri === undefined || (isObject(data) && data.uri === uri)) return { ...error, code };
  if (data === undefined || dataText !== undefined || !isObject(data)) return rpcError(code, message, { uri });
  return rpcError(code, message, { ...data, uri });
}

/** True for what servers say of a resource that they do not have: with either code, and in `data` nothing but maybe its uri. */
const saysNotFound = ({ code, data }: RpcError): boolean =>
  code === RPC.resourceNotFound || (code === RPC.invalidParams && (data === undefined || (isObject(data) && 'uri' in data)));

/** True where it is ours: said of a legacy server that asks for what was not declared (PROTOCOL D). */
const namesCapabilities = ({ data }: RpcError): boolean => isObject(data) && isObject(data.requiredCapabilities);

/**
 * An upstream's error as a client of the modern era may see it (PROTOCOL C2). Header and version mismatches between us and the
 * upstream (of the given era) are ours to solve and become internal errors; codes without a meaning in this revision keep theirs in
 * `data.upstreamCode`. `uri`: of a resources/read, as the client called it; it stands in the data of an error that says "not found".
 */
export function errorForModern(error: RpcError, uri?: string, era: Era = 'modern'): RpcError {
  if (error.code === RPC.resourceNotFound || (uri !== undefined && saysNotFound(error)))
    return aboutResource(error, RPC.invalidParams, uri);
  if (error.code === RPC.missingRequiredClientCapability && (era === 'modern' || namesCapabilities(error))) return error;
  return inServerRange(error.code) ? asInternal(error) : error;
}

/**
 * An upstream's error as a client of a legacy revision may see it (PROTOCOL C2): modern codes never reach it. `uri`: as with
 * `errorForModern`.
 */
export function errorForLegacy(error: RpcError, method: string, uri?: string): RpcError {
  if (isModernCode(error.code)) return asInternal(error);
  if (method !== 'resources/read') return error;
  if (error.code === RPC.resourceNotFound || (error.code === RPC.invalidParams && isObject(error.data) && 'uri' in error.data))
    return aboutResource(error, RPC.resourceNotFound, uri);
  return error;
}
