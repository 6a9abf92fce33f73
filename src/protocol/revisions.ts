/** The dated revisions of the specification that a client or an upstream may speak. */
export const LEGACY_REVISIONS = ['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25'] as const;
export const MODERN_REVISIONS = ['2026-07-28'] as const;

export type LegacyRevision = (typeof LEGACY_REVISIONS)[number];
export type ModernRevision = (typeof MODERN_REVISIONS)[number];
export type Revision = LegacyRevision | ModernRevision;
/** `legacy`: initialize handshake and sessions. `modern`: stateless, per-request `_meta`. */
export type Era = 'legacy' | 'modern';

export const LATEST_LEGACY: LegacyRevision = '2025-11-25';
export const LATEST_MODERN: ModernRevision = '2026-07-28';

export function isModernRevision(value: unknown): value is ModernRevision {
  return (MODERN_REVISIONS as readonly unknown[]).includes(value);
}

export function isLegacyRevision(value: unknown): value is LegacyRevision {
  return (LEGACY_REVISIONS as readonly unknown[]).includes(value);
}

/** True for a well-formed revision date of 2026-07-28 or later, known to us or not: it asks for modern treatment. */
export function looksModern(version: string): boolean {
  return /^\d{4}-\d{2}-\d{2}$/.test(version) && version >= MODERN_REVISIONS[0];
}

export function eraOf(revision: Revision): Era {
  return isModernRevision(revision) ? 'modern' : 'legacy';
}

/** The revision a legacy session gets, on every transport: the one asked for if we speak it, else our latest legacy one (S25 lifecycle). */
export function negotiate(requested: unknown): LegacyRevision {
  return isLegacyRevision(requested) ? requested : LATEST_LEGACY;
}
