import { describe, expect, it } from 'vitest';
import {
  eraOf,
  isLegacyRevision,
  isModernRevision,
  LATEST_LEGACY,
  LEGACY_REVISIONS,
  looksModern,
  MODERN_REVISIONS,
  negotiate,
} from './revisions.ts';

describe('revisions', () => {
  it('belong to one era each', () => {
    for (const revision of LEGACY_REVISIONS)
      expect([isLegacyRevision(revision), isModernRevision(revision), eraOf(revision)]).toEqual([true, false, 'legacy']);
    for (const revision of MODERN_REVISIONS)
      expect([isLegacyRevision(revision), isModernRevision(revision), eraOf(revision)]).toEqual([false, true, 'modern']);
  });

  it.each([undefined, null, 20260728, '', '2026-7-28', ['2026-07-28']])('%j is none', (value) => {
    expect([isLegacyRevision(value), isModernRevision(value)]).toEqual([false, false]);
  });

  it.each([
    ['2026-07-28', true],
    ['2026-07-29', true],
    ['9999-12-31', true],
    ['2026-07-27', false],
    ['2025-11-25', false],
    ['2026-07-28x', false],
    ['2026-07-28\n', false],
    ['DRAFT-2026', false],
  ])('looksModern(%j) is %s', (version, expected) => {
    expect(looksModern(version)).toBe(expected);
  });
});

describe('negotiate (S25 lifecycle)', () => {
  it('gives the revision asked for where we speak it', () => {
    for (const revision of LEGACY_REVISIONS) expect(negotiate(revision)).toBe(revision);
  });

  it.each(['2026-07-28', '1900-01-01', undefined, 7, null])('gives the latest for %j, and never a modern one', (requested) => {
    expect(negotiate(requested)).toBe(LATEST_LEGACY);
  });
});
