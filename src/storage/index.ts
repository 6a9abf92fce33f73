export { checkClaim, claimFolder } from './claim.ts';
export { isUniqueViolation, type StorageErrorCode } from './errors.ts';
export { defaultLimits, type StorageLimits } from './limits.ts';
export { openStorage, typedDb } from './open.ts';
export type { OwnerInfo } from './ownership/owner-info.ts';
export { acquireOwnership, AlreadyOwnedError, readOwner, type Ownership } from './ownership/ownership.ts';
export type { Migration, Storage, StorageKind, StorageOptions } from './types.ts';
export { jsonb } from './values.ts';
