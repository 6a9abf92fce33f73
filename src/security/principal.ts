/** The scopes that credentials can carry (STOCKPULSE section 2); `admin` opens the management API, `approve` is for people only. */
export const SCOPES = ['market:read', 'account:read', 'trade:preview', 'trade:write', 'approve', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

/** What the first start's agent key may do: paper only. */
export const AGENT_SCOPES: readonly Scope[] = ['market:read', 'account:read', 'trade:preview', 'trade:write'];
/** What the first start's approver key may do; it cannot call MCP. */
export const APPROVER_SCOPES: readonly Scope[] = ['approve'];
/** A key needs one of these to speak MCP at all. */
export const MCP_SCOPES: readonly Scope[] = AGENT_SCOPES;

/** Who a request is made for. */
export interface Principal {
  /** Stable id: `key:<id of the first key>` for an API key and its rotations, `local` for the operator, `anonymous` for nobody. */
  readonly id: string;
  readonly kind: 'api_key' | 'local_operator' | 'anonymous';
  /** The key's name, for people. */
  readonly client: string;
  readonly scopes: ReadonlySet<string>;
}

/** Whoever owns the 0600 socket: may administer and call tools, and cannot approve (DESIGN 8). */
export const LOCAL_OPERATOR: Principal = Object.freeze({
  id: 'local',
  kind: 'local_operator',
  client: 'local operator',
  scopes: new Set<string>([...AGENT_SCOPES, 'admin']),
});

/** Nobody: what a request has before it was authenticated, and for good on open surfaces. */
export const ANONYMOUS: Principal = Object.freeze({ id: 'anonymous', kind: 'anonymous', client: '', scopes: new Set<string>() });

/** Whether a principal may speak MCP at all. */
export function mayCallMcp(principal: Principal): boolean {
  return MCP_SCOPES.some((scope) => principal.scopes.has(scope));
}

/** Why a credential was refused; the public message says what to do. */
export interface Refusal {
  readonly ok: false;
  readonly code:
    'credential_missing' | 'credential_malformed' | 'credential_unknown' | 'credential_revoked' | 'credential_expired' | 'forbidden';
  readonly status: 401 | 403;
  readonly message: string;
}

export type Authentication = { readonly ok: true; readonly principal: Principal } | Refusal;

/** Decides who a request is from. Synchronous and from memory: no database round trip per call. */
export interface Authenticator {
  /** `authorization` is the raw header. */
  authenticate(authorization: string | undefined): Authentication;
}
