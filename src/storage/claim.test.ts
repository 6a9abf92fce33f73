import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkClaim, claimFolder } from './claim.ts';

describe('the claim of a data folder', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'stockpulse-claim-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('lets the same kind of database in, and a fresh folder both', () => {
    checkClaim(folder, 'pglite');
    checkClaim(folder, 'postgres');
    claimFolder(folder, 'postgres');
    claimFolder(folder, 'postgres');
    checkClaim(folder, 'postgres');
  });

  it('refuses the other kind and says what to do', () => {
    claimFolder(folder, 'postgres');
    expect(() => checkClaim(folder, 'pglite')).toThrow(/set DATABASE_URL/);
    claimFolder(folder, 'pglite');
    expect(() => checkClaim(folder, 'postgres')).toThrow(/choose another folder/);
  });
});
