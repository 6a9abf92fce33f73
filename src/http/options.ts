import type { FastifyRequest } from 'fastify';
import type { Authentication, Authenticator, Principal } from '../security/index.ts';
import type { Caps, Clock } from '../shared/index.ts';

/** Caps and deadlines of the listeners. */
export interface HttpLimits {
  /** Largest request body. */
  readonly bodyBytes: number;
  readonly headerBytes: number;
  /** Open connections; more are turned away. */
  readonly connections: number;
  /** Open upgraded connections on the local socket. */
  readonly upgrades: number;
  /** Open upgraded connections on the public listener. */
  readonly publicUpgrades: number;
  readonly requestsPerSecondPerKey: number;
  readonly requestBurstPerKey: number;
  /** Refused credentials per address; valid ones are never held up by them. */
  readonly refusalsPerSecond: number;
  readonly refusalBurst: number;
  /** For the headers of a request to arrive. */
  readonly headersMs: number;
  /** For a whole request, its body included, to arrive. */
  readonly requestMs: number;
  readonly keepAliveMs: number;
}

export const defaultHttpLimits: HttpLimits = Object.freeze({
  bodyBytes: 4 * 1024 * 1024,
  headerBytes: 16 * 1024,
  connections: 4096,
  upgrades: 256,
  publicUpgrades: 1024,
  requestsPerSecondPerKey: 2000,
  requestBurstPerKey: 4000,
  refusalsPerSecond: 20,
  refusalBurst: 200,
  headersMs: 10_000,
  requestMs: 30_000,
  keepAliveMs: 65_000,
});

/** What the host tells its owner; it logs nothing itself. Nothing here holds a credential, a query or a body. */
export type HttpEvent =
  | {
      readonly kind: 'refused';
      readonly code: string;
      readonly status: number;
      readonly address: string;
      readonly method: string;
      readonly path: string;
      readonly principal: string;
      /** Refusals before this one that were not told, because there were too many. */
      readonly suppressed?: number;
    }
  | { readonly kind: 'malformed'; readonly code: string; readonly status: number; readonly address: string; readonly suppressed?: number }
  | { readonly kind: 'failed'; readonly code: string; readonly method: string; readonly path: string; readonly error: unknown }
  | { readonly kind: 'connections_full'; readonly cap: number }
  | { readonly kind: 'forced_close'; readonly connections: number };

/** Whether the process can serve, and what was looked at. */
export interface Readiness {
  readonly ok: boolean;
  readonly checks: readonly { readonly name: string; readonly ok: boolean; readonly message?: string | undefined }[];
}

export interface HttpHostOptions {
  readonly host: string;
  readonly port: number;
  /** The 0600 socket of the local operator; none without it. */
  readonly socketPath?: string | undefined;
  readonly publicUrl?: string | undefined;
  /** PEM text, or paths of PEM files. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
  readonly trustedProxies: readonly string[];
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
  readonly authenticator: Authenticator;
  readonly caps: Caps;
  readonly clock: Clock;
  readonly limits?: Partial<HttpLimits> | undefined;
  readonly onEvent?: ((event: HttpEvent) => void) | undefined;
  /** For `/readyz`; without it the process is ready as soon as it listens. */
  readonly ready?: (() => Promise<Readiness>) | undefined;
  /** The text of `/metrics`. */
  readonly metrics?: (() => Promise<string>) | undefined;
  /** Opens `/metrics` to other machines. */
  readonly metricsToken?: string | undefined;
}

/** What still runs at the end of the grace period. */
export interface LastCall {
  /** Ends it: its answers come now. */
  readonly cut: () => void;
  /** How long those answers have to leave. */
  readonly lastWordsMs: number;
}

/**
 * Who may enter a surface. `open`: anybody. `mcp`: a key with an MCP scope. `admin`: a key with the scope admin, or the local socket.
 * `api`: the plugin authenticates itself. Host, Origin and limits are checked on all of them.
 */
export type Guard = 'open' | 'mcp' | 'admin' | 'api';

/** How a surface says no: a JSON-RPC error without an id on the MCP routes, our own error body elsewhere. */
export type ErrorShape = 'jsonrpc' | 'plain';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Set on every route of an mcp surface. */
    errorShape?: ErrorShape;
  }
  interface FastifyRequest {
    /** Who the request is from; `ANONYMOUS` on surfaces that do not authenticate. */
    principal: Principal;
    /** The mcp guard's verdict on the request's credential now: responses that stay open outlive keys. */
    authenticate(): Authentication;
    /** Counts one more request against the key's rate: milliseconds to wait, 0 for none. */
    admit(): number;
    /** The client's address as this server determined it; empty on the local socket. */
    clientAddress: string;
  }
}

/** How the route that the request goes to says no. */
export function shapeOf(request: FastifyRequest): ErrorShape {
  return request.routeOptions.config.errorShape ?? 'plain';
}

/** The path without its query, bounded: what may stand in an event. */
export function pathOf(request: FastifyRequest): string {
  const url = request.raw.url ?? '';
  const end = url.indexOf('?');
  return (end === -1 ? url : url.slice(0, end)).slice(0, 200);
}
