import {
  isLegacyRevision,
  isObject,
  negotiate,
  RPC,
  rpcError,
  type ClientFacts,
  type RequestMessage,
  type RpcError,
} from '../protocol/index.ts';

/** The client of an `initialize` request, at the revision that its session will have; or what is wrong with the request. */
export function initializeClient(request: RequestMessage): ClientFacts | RpcError {
  const params = request.params?.value ?? {};
  const { protocolVersion, capabilities, clientInfo } = params;
  if (typeof protocolVersion !== 'string')
    return rpcError(RPC.invalidParams, 'initialize needs params.protocolVersion, the latest revision that the client speaks.');
  if (!isObject(capabilities)) return rpcError(RPC.invalidParams, 'initialize needs params.capabilities, an object.');
  if (!isObject(clientInfo) || typeof clientInfo.name !== 'string')
    return rpcError(RPC.invalidParams, 'initialize needs params.clientInfo with a name and a version.');
  const version = typeof clientInfo.version === 'string' ? clientInfo.version : '';
  return { revision: negotiate(protocolVersion), capabilities, info: { ...clientInfo, name: clientInfo.name, version } };
}

export const isRpcError = (value: ClientFacts | RpcError): value is RpcError => 'code' in value;

/** Undefined if a legacy request may carry this MCP-Protocol-Version header; its absence is fine. */
export function checkLegacyVersionHeader(header: string | undefined): RpcError | undefined {
  if (header === undefined || isLegacyRevision(header.trim())) return undefined;
  return rpcError(
    RPC.invalidRequest,
    `Bad Request: unsupported MCP-Protocol-Version ${header.slice(0, 40)}; use the revision that initialize negotiated.`,
  );
}
