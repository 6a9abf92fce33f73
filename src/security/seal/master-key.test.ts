import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AppError } from '../../shared/index.ts';
import { masterKey } from './master-key.ts';

let dir: string;
const path = (): string => join(dir, 'master.key');

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'master-key-'));
});

afterEach(() => rmSync(dir, { recursive: true, force: true }));

function codeOf(make: () => unknown): string {
  try {
    make();
  } catch (error) {
    return error instanceof AppError ? error.code : String(error);
  }
  return 'none';
}

describe('the master key', () => {
  it('is made once, for its owner only', () => {
    const key = masterKey(dir, undefined);
    expect(key).toHaveLength(32);
    expect(statSync(path()).mode & 0o777).toBe(0o600);
    expect(readdirSync(dir)).toEqual(['master.key']);
    const text = readFileSync(path(), 'utf8');
    expect(masterKey(dir, undefined)).toEqual(key);
    expect(readFileSync(path(), 'utf8')).toBe(text);
  });

  it('comes from the setting where there is one, and leaves the folder alone', () => {
    const key = masterKey(dir, 'sixteen letters!');
    expect(key).toHaveLength(32);
    expect(masterKey(dir, 'sixteen letters!')).toEqual(key);
    expect(masterKey(dir, 'sixteen letters?')).not.toEqual(key);
    expect(readdirSync(dir)).toEqual([]);
  });

  it('is refused where the setting is too short', () => {
    for (const setting of ['', 'x', 'fifteen letters']) expect(codeOf(() => masterKey(dir, setting))).toBe('master_key_invalid');
  });

  it.each(['', 'short', Buffer.alloc(31).toString('base64url'), Buffer.alloc(33).toString('base64url'), '???'])(
    'is refused where the file holds %j, which stays as it is',
    (text) => {
      writeFileSync(path(), text);
      expect(codeOf(() => masterKey(dir, undefined))).toBe('master_key_invalid');
      expect(readFileSync(path(), 'utf8')).toBe(text);
    },
  );

  it('fails where the folder cannot be written, and where the file cannot be read', () => {
    expect(codeOf(() => masterKey(join(dir, 'missing'), undefined))).toMatch(/ENOENT/);
    expect(codeOf(() => masterKey('/dev/null', undefined))).toMatch(/ENOTDIR/);
  });

  it('is one key for processes that start at the same moment', async () => {
    const module = new URL('master-key.ts', import.meta.url).href;
    const script = `
      const { masterKey } = await import(${JSON.stringify(module)});
      console.log('ready');
      for await (const _line of process.stdin) break;
      console.log(masterKey(${JSON.stringify(dir)}, undefined).toString('hex'));
      process.exit();`;
    const children = Array.from({ length: 4 }, () =>
      spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['pipe', 'pipe', 'inherit'] }),
    );
    const outputs = children.map((child) => createInterface({ input: child.stdout })[Symbol.asyncIterator]());
    for (const output of outputs) expect((await output.next()).value).toBe('ready');
    for (const child of children) child.stdin.write('go\n');
    const keys = await Promise.all(outputs.map(async (output) => String((await output.next()).value)));
    for (const child of children) if (child.exitCode === null) await once(child, 'exit');
    expect(new Set(keys).size).toBe(1);
    expect(keys[0]).toBe(masterKey(dir, undefined).toString('hex'));
    expect(readdirSync(dir)).toEqual(['master.key']);
  });
});
