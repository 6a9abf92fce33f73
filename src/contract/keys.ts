import { z } from 'zod';

const time = z.string().describe('RFC 3339, UTC');

/** An API key as people may see it: never its secret. */
export const apiKeyView = z.object({
  id: z.string(),
  name: z.string(),
  principal: z.string().describe('Who calls with this key are made for; survives rotation'),
  scopes: z.array(z.string()),
  state: z.enum(['live', 'expired', 'revoked']),
  hint: z.string().describe('The last four characters of the secret'),
  createdAt: time,
  expiresAt: time.nullable(),
  revokedAt: time.nullable(),
  lastUsedAt: time.nullable().describe('Written back once a minute'),
  replacedBy: z.string().nullable().describe('The id of the key that rotation put in its place'),
});

export const keyList = z.object({ keys: z.array(apiKeyView) });

export const createKeyRequest = z.strictObject({
  name: z.string().trim().min(1).max(64),
  scopes: z.array(z.string()).min(1).max(16),
  expiresInDays: z.number().positive().max(3650).optional().describe('Fractions are fine; without it the key does not expire'),
});

export const keyWithSecret = z.object({
  key: apiKeyView,
  secret: z.string().describe('Shown this once; only its SHA-256 is stored'),
});

/** Thirty days: an overlap is for a roll-out, not a second life. */
export const MAX_OVERLAP_SECONDS = 2_592_000;

export const rotateKeyRequest = z.strictObject({
  overlapSeconds: z.number().int().min(0).max(MAX_OVERLAP_SECONDS).default(86_400).describe('How long the old secret still works'),
});

export const rotatedKey = z.object({ key: apiKeyView, secret: z.string(), previous: apiKeyView });

export const revokedKey = z.object({ key: apiKeyView });

export type ApiKeyReply = z.infer<typeof apiKeyView>;
export type CreateKeyRequest = z.infer<typeof createKeyRequest>;
export type KeyWithSecretReply = z.infer<typeof keyWithSecret>;
export type RotateKeyRequest = z.infer<typeof rotateKeyRequest>;
export type RotatedKeyReply = z.infer<typeof rotatedKey>;
