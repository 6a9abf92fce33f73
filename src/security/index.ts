export { apiCaller, type ApiCaller } from './api-identity.ts';
export { createAuditTrail, type AuditEntry, type AuditRow, type AuditTrail } from './audit.ts';
export { ensureFirstKeys, type ApiKeys, type ApiKeysOptions } from './keys/api-keys.ts';
export type { FirstKeys, FirstKeysOptions } from './keys/first-keys.ts';
export type { KeyActor, NewKey } from './keys/input.ts';
export { openKeys, type OpenKeysOptions } from './keys/open-keys.ts';
export { readKeyFile, writeKeyFile } from './keys/key-file.ts';
export { MAX_KEYS } from './keys/key-ring.ts';
export type { ApiKeyView } from './keys/rows.ts';
export { redactSecrets } from './keys/secret.ts';
export { securityMigrations } from './migrations.ts';
export { clientAddress, isLoopback, plainAddress, proxyList, rateKey, type ProxyList } from './network/addresses.ts';
export { allowedHost, allowedOrigin, hostName, nameRules, type NameRules, type NameSettings } from './network/names.ts';
export {
  AGENT_SCOPES,
  ANONYMOUS,
  APPROVER_SCOPES,
  LOCAL_OPERATOR,
  MCP_SCOPES,
  mayCallMcp,
  SCOPES,
  type Authentication,
  type Authenticator,
  type Principal,
  type Refusal,
  type Scope,
} from './principal.ts';
export { RateLimiter, type RateLimit } from './rate-limiter.ts';
export type { SecurityTables } from './tables.ts';
export { checkMasterKey } from './seal/known-master.ts';
export { masterKey } from './seal/master-key.ts';
export { createSealer, type Sealer } from './seal/sealer.ts';
export { EgressGuard, type EgressOptions, type Trust } from './egress/guard.ts';
export { createVault, type Secret, type SecretFacts, type SecretId, type Vault, type VaultOptions } from './vault/vault.ts';
