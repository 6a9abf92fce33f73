import {
  LATEST_LEGACY,
  META,
  type Era,
  type Implementation,
  type JsonObject,
  type ModernRevision,
  type RpcError,
} from '../protocol/index.ts';
import type { Exchange } from './connection.ts';

/** The `_meta` of requests that we make for ourselves in the modern era. */
export function ownMeta(revision: ModernRevision, gateway: Implementation, capabilities: JsonObject = {}): JsonObject {
  return { [META.protocolVersion]: revision, [META.clientInfo]: gateway, [META.clientCapabilities]: capabilities };
}

/** Params of the legacy `initialize`; `offers` are the client capabilities to declare. */
export function initializeParams(gateway: Implementation, offers: JsonObject = {}): JsonObject {
  return { protocolVersion: LATEST_LEGACY, capabilities: offers, clientInfo: gateway };
}

/** What a connection in no client's name offers: the configured roots. */
export function ownOffers(roots: readonly unknown[]): JsonObject | undefined {
  return roots.length === 0 ? undefined : { roots: {} };
}

export interface OwnRequest {
  readonly method: string;
  readonly params: JsonObject;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** A request of our own as an exchange. */
export function ownExchange({ method, params, timeoutMs, signal }: OwnRequest): Exchange {
  return {
    method,
    params: JSON.stringify(params),
    mirror: params,
    headerParams: [],
    expiresAt: performance.now() + timeoutMs,
    signal,
    onNotification: undefined,
  };
}

/** Params with `_meta` where the era wants it. */
export function ownParams(era: Era, revision: string, gateway: Implementation, params: JsonObject): JsonObject {
  return era === 'modern' ? { ...params, _meta: ownMeta(revision as ModernRevision, gateway) } : params;
}

/** What a refused `initialize` says, in public words. */
export function refusal(error: RpcError | undefined): string {
  return `it refused initialize (revision ${LATEST_LEGACY}) with error ${error?.code}: ${(error?.message ?? '').slice(0, 200)}`;
}
