import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ROOT } from '../support/paths.ts';
import { manifest } from './manifest.ts';
import type { Requirement } from './requirement.ts';

const requirements: readonly Requirement[] = manifest;

/** Ids by the test files that cite them. */
function citations(): Map<string, string[]> {
  const cited = new Map<string, string[]>();
  const files = globSync(['{src,stockpulse}/**/*.test.ts', 'test/*/*.test.ts'], {
    cwd: ROOT,
    exclude: ['**/node_modules/**', 'test/judges/**'],
  });
  for (const file of files) {
    const text = readFileSync(join(ROOT, file), 'utf8');
    for (const [, ids = ''] of text.matchAll(/^\s*verifies\(([^)]*)\);$/gm))
      for (const [, id = ''] of ids.matchAll(/'([^']+)'/g)) cited.set(id, [...(cited.get(id) ?? []), file]);
  }
  return cited;
}

it('each id stands once, and each duty has a source', () => {
  const ids = requirements.map(({ id }) => id);
  expect(ids.filter((id, i) => ids.indexOf(id) !== i)).toEqual([]);
  for (const { source, behaviour } of requirements) {
    expect(source).toMatch(/^S2[56] [a-z-]+#[a-z_-]+$/);
    expect(behaviour.length).toBeGreaterThan(10);
  }
});

it('each duty of ours is cited by a test', () => {
  const cited = citations();
  expect(requirements.filter(({ id, notOurs }) => notOurs === undefined && !cited.has(id)).map(({ id }) => id)).toEqual([]);
});

it('nothing else is cited', () => {
  const ours = new Set(requirements.filter(({ notOurs }) => notOurs === undefined).map(({ id }) => id));
  expect([...citations()].filter(([id]) => !ours.has(id))).toEqual([]);
});
