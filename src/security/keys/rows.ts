import type { Selectable } from 'kysely';
import type { Scope } from '../principal.ts';
import type { ApiKeyTable } from '../tables.ts';

/** An API key as people may see it: never its secret. Times are RFC 3339 in UTC. */
export interface ApiKeyView {
  readonly id: string;
  readonly name: string;
  /** Who calls with this key are made for; survives rotation. */
  readonly principal: string;
  readonly scopes: Scope[];
  readonly state: 'live' | 'expired' | 'revoked';
  /** Last four characters of the secret. */
  readonly hint: string;
  readonly createdAt: string;
  readonly expiresAt: string | null;
  readonly revokedAt: string | null;
  readonly lastUsedAt: string | null;
  /** The key that rotation put in its place. */
  readonly replacedBy: string | null;
}

export type KeyRow = Selectable<ApiKeyTable>;

/** Where a key stands at `now`. */
export function stateAt(row: { expires_at: Date | null; revoked_at: Date | null }, now: number): ApiKeyView['state'] {
  if (row.revoked_at !== null) return 'revoked';
  return row.expires_at !== null && row.expires_at.getTime() <= now ? 'expired' : 'live';
}

export const principalIdOf = (row: { lineage: string }): string => `key:${row.lineage}`;

/** The scopes of a stored key. */
export function scopesOf(row: KeyRow): Scope[] {
  return Array.isArray(row.scopes) ? (row.scopes as Scope[]) : [];
}

/** The row as people see it at `now`. */
export function viewOf(row: KeyRow, now: number): ApiKeyView {
  const iso = (time: Date | null): string | null => time?.toISOString() ?? null;
  return {
    id: row.id,
    name: row.name,
    principal: principalIdOf(row),
    scopes: scopesOf(row),
    state: stateAt(row, now),
    hint: row.hint,
    createdAt: row.created_at.toISOString(),
    expiresAt: iso(row.expires_at),
    revokedAt: iso(row.revoked_at),
    lastUsedAt: iso(row.last_used_at),
    replacedBy: row.replaced_by,
  };
}
