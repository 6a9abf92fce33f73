import { z } from 'zod';

/** The body of every refusal and failure outside the MCP routes. `code` is stable; `message` says what to do; `field` names the input. */
export const errorBody = z.object({
  error: z.object({ code: z.string(), message: z.string(), field: z.string().optional() }),
});
export type ErrorBody = z.infer<typeof errorBody>;

const byStatus: Readonly<Record<number, readonly string[]>> = {
  400: ['invalid_request', 'malformed_http', 'invalid_json', 'unknown_scope', 'scopes_not_combinable', 'invalid_secret'],
  401: ['credential_missing', 'credential_malformed', 'credential_unknown', 'credential_revoked', 'credential_expired'],
  403: [
    'forbidden',
    'approver_required',
    'approver_refused',
    'host_not_allowed',
    'origin_not_allowed',
    'metrics_forbidden',
    'scope_missing',
  ],
  404: ['not_found', 'key_not_found', 'server_not_found', 'tool_not_found', 'endpoint_not_found', 'oauth_not_offered'],
  405: ['method_not_allowed'],
  408: ['request_timeout'],
  409: ['key_revoked', 'key_expired', 'key_replaced', 'too_many_keys', 'secret_taken', 'server_not_restartable'],
  413: ['body_too_large'],
  414: ['path_too_long'],
  415: ['unsupported_media_type'],
  426: ['upgrade_required'],
  429: ['rate_limited'],
  431: ['headers_too_large'],
  502: ['upstream_unavailable', 'upstream_failed', 'upstream_protocol_error', 'outcome_unknown', 'result_too_large'],
  503: [
    'busy',
    'shutting_down',
    'not_ready',
    'storage_unavailable',
    'storage_failed',
    'storage_busy',
    'storage_timeout',
    'storage_transaction_expired',
    'storage_closed',
    'offline',
  ],
  504: ['deadline_exceeded'],
};

const statuses: ReadonlyMap<string, number> = new Map(
  Object.entries(byStatus).flatMap(([status, codes]) => codes.map((code) => [code, Number(status)] as const)),
);

/** The HTTP status of an error code: the one table for every HTTP face outside MCP. Codes that it does not know are 500. */
export function statusOf(code: string): number {
  return statuses.get(code) ?? 500;
}

/** Every code with a status of its own. */
export const HTTP_ERROR_CODES: readonly string[] = [...statuses.keys()];
