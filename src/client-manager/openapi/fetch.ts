import type { LookupFunction } from 'node:net';
import { Agent, request as send } from 'undici';

/** One request to an API. Header names are in lower case. */
export interface ApiRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

export interface ApiReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: AsyncIterable<Uint8Array> | Uint8Array;
}

/** Sends a request and follows no redirect. Rejects with an error whose `code` says why. */
export type ApiFetch = (request: ApiRequest, signal: AbortSignal) => Promise<ApiReply>;

export interface ApiClientOptions {
  /** Connections at once. */
  readonly connections: number;
  readonly connectMs: number;
  /** Where host names are looked up: the guard against private addresses. */
  readonly lookup?: LookupFunction | undefined;
  /** Throws for a URL that may not be asked: addresses that need no looking up. */
  readonly check?: ((url: string) => unknown) | undefined;
}

export interface ApiClient {
  readonly fetch: ApiFetch;
  /** Ends all connections at once. Never rejects. */
  close(): Promise<void>;
}

/** Connections to one API. Deadlines are the caller's. */
export function apiClient({ connections, connectMs, lookup, check }: ApiClientOptions): ApiClient {
  const dispatcher = new Agent({
    connections,
    connect: { timeout: connectMs, ...(lookup === undefined ? {} : { lookup }) },
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  return {
    async fetch({ method, url, headers, body }, signal) {
      check?.(url);
      const reply = await send(url, { dispatcher, method: method as 'GET', headers, body: body ?? null, signal });
      return { status: reply.statusCode, headers: reply.headers, body: reply.body };
    },
    close: () => dispatcher.destroy().catch(() => undefined),
  };
}
