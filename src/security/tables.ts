import type { ColumnType, Generated } from 'kysely';

type Time = ColumnType<Date, Date, Date>;
type OptionalTime = ColumnType<Date | null, Date | null | undefined, Date | null>;

/** One API key. `lineage` is the id of the first key of a chain of rotations: the principal is named after it. */
export interface ApiKeyTable {
  id: string;
  lineage: string;
  name: string;
  /** JSON text: an array of scopes. */
  scopes: ColumnType<unknown, string, string>;
  /** SHA-256 of the secret, in hex. */
  secret_hash: string;
  hint: string;
  created_at: Time;
  created_by: string;
  expires_at: OptionalTime;
  revoked_at: OptionalTime;
  last_used_at: OptionalTime;
  replaced_by: string | null;
}

/** One change that somebody made. The database refuses to update or delete it. */
export interface AuditTable {
  id: Generated<bigint>;
  at: Time;
  actor: string;
  action: string;
  subject: string;
  /** JSON text on the way in, parsed on the way out. */
  detail: ColumnType<unknown, string, never>;
}

/** One row: the master key that the database was first used with, by an id that tells nothing of it. */
export interface MasterKeyTable {
  one: boolean;
  key_id: string;
  since: Time;
}

/** One secret. Its identity is readable, its value is not. */
export interface VaultTable {
  id: string;
  owner: string;
  issuer: string;
  kind: string;
  name: string;
  /** The wrapping key, by its id. */
  key_id: string;
  wrapped: string;
  body: string;
  version: number;
  created_at: Time;
  updated_at: Time;
}

/** The tables that this room owns. */
export interface SecurityTables {
  security_api_keys: ApiKeyTable;
  security_audit: AuditTable;
  security_vault: VaultTable;
  security_master_key: MasterKeyTable;
}
