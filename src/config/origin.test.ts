import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { configNotes, loadConfig } from './index.ts';

let folder = '';
let file = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stockpulse-origin-'));
  file = join(folder, 'stockpulse.yaml');
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

describe('a file that changed since the configuration was read', () => {
  const messages = (): string[] => notes().map(({ message }) => message);
  let notes: () => ReturnType<typeof configNotes>;

  function start(): void {
    const { config, origin } = loadConfig({ env: {}, cwd: folder });
    notes = () => configNotes(config, origin);
  }

  it('is told while it differs, whatever its time says', () => {
    writeFileSync(file, 'market: { seed: 1 }\n');
    start();
    expect(messages()).toEqual([]);
    writeFileSync(file, 'market: { seed: 2 }\n');
    expect(notes()).toEqual([
      {
        name: 'config',
        status: 'warning',
        message: `${file} changed since the gateway was started, which still uses what it held then.`,
        advice: 'Restart to apply it; "stockpulse config check" reads it before.',
      },
    ]);
    writeFileSync(file, 'market: { seed: 1 }\n');
    expect(messages()).toEqual([]);
    rmSync(file);
    expect(messages()).toEqual([`${file} is gone or cannot be read; the running gateway still uses what it held.`]);
  });

  it('may have appeared', () => {
    start();
    expect(messages()).toEqual([]);
    writeFileSync(file, '');
    expect(messages()).toEqual([`${file} appeared since the gateway was started, which does not use it.`]);
  });
});
