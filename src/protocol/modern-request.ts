import type { RequestMessage } from './envelope.ts';
import { RPC, rpcError, unsupportedVersion, type RpcError } from './errors.ts';
import { checkMirrors, type MirrorHeaders } from './headers.ts';
import { isObject, META, type Implementation } from './meta.ts';
import { isModernRevision, looksModern, MODERN_REVISIONS } from './revisions.ts';
import type { ClientFacts } from './target.ts';

/** A refusal with the HTTP status that the revision wants for it; transports without statuses ignore it. */
export interface Refused {
  readonly ok: false;
  readonly status: 400 | 404;
  readonly error: RpcError;
}

export type ModernCheck = { readonly ok: true; readonly client: ClientFacts } | Refused;

const refuse = (status: 400 | 404, error: RpcError): Refused => ({ ok: false, status, error });

/** True if a request wants modern treatment: its header names a modern version, or its `_meta` names any (PROTOCOL C1). */
export function wantsModern(message: RequestMessage, versionHeader: string | undefined): boolean {
  if (versionHeader !== undefined && looksModern(versionHeader.trim())) return true;
  const meta = message.params?.value._meta;
  return isObject(meta) && meta[META.protocolVersion] !== undefined;
}

function requiredMeta(message: RequestMessage): { version: string; client: Omit<ClientFacts, 'revision'> } | RpcError {
  const meta = message.params?.value._meta;
  if (!isObject(meta))
    return rpcError(RPC.invalidParams, 'params._meta is required: it carries the protocol version and the client capabilities.');
  const version = meta[META.protocolVersion];
  if (typeof version !== 'string') return rpcError(RPC.invalidParams, `params._meta needs the string "${META.protocolVersion}".`);
  const capabilities = meta[META.clientCapabilities];
  if (!isObject(capabilities)) return rpcError(RPC.invalidParams, `params._meta needs the object "${META.clientCapabilities}".`);
  const info = meta[META.clientInfo];
  if (info !== undefined && !isObject(info)) return rpcError(RPC.invalidParams, `params._meta["${META.clientInfo}"] must be an object.`);
  return { version, client: { info: info as Implementation | undefined, capabilities } };
}

function checkVersionHeader(header: string | undefined, version: string): RpcError | undefined {
  if (header === undefined)
    return rpcError(RPC.headerMismatch, `Header mismatch: the header MCP-Protocol-Version is required; send ${version}.`);
  if (header.trim() === version) return undefined;
  return rpcError(
    RPC.headerMismatch,
    `Header mismatch: MCP-Protocol-Version header value '${header.trim()}' does not match body value '${version}'.`,
  );
}

/**
 * Checks a request of the modern era in the order of PROTOCOL C1: required `_meta`, header against body, version, method, mirrored
 * headers. `methods` is undefined where any will do (verbatim endpoints), `headers` on transports without any (stdio).
 */
export function checkModern(
  message: RequestMessage,
  methods: ReadonlySet<string> | undefined,
  headers: MirrorHeaders | undefined,
): ModernCheck {
  const read = requiredMeta(message);
  if ('code' in read) return refuse(400, read);
  const { version, client } = read;
  const versionError = headers && checkVersionHeader(headers['mcp-protocol-version'], version);
  if (versionError !== undefined) return refuse(400, versionError);
  if (!isModernRevision(version)) return refuse(400, unsupportedVersion(version, MODERN_REVISIONS));
  if (methods?.has(message.method) === false) return refuse(404, methodNotFound(message.method));
  const mirrorError = headers && checkMirrors(headers, message.method, message.params?.value);
  if (mirrorError !== undefined) return refuse(400, mirrorError);
  return { ok: true, client: { revision: version, ...client } };
}

export function methodNotFound(method: string): RpcError {
  return rpcError(RPC.methodNotFound, `Method not found: ${method.slice(0, 100)}`);
}
