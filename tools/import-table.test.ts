import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rooms } from './import-table.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
let tree = '';

/** What the linter says about a tree with one importing file in it. */
function lint(file: string, source: string): string {
  const path = join(tree, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${source}\n`);
  const run = spawnSync(process.execPath, [join(root, 'node_modules/oxlint/bin/oxlint'), '--disable-nested-config', '.'], {
    cwd: tree,
    encoding: 'utf8',
  });
  rmSync(path);
  return run.stdout + run.stderr;
}

describe('the import table', () => {
  beforeAll(() => {
    tree = mkdtempSync(join(tmpdir(), 'stockpulse-lint-'));
    symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'));
    mkdirSync(join(tree, 'tools'));
    for (const file of ['oxlint.config.ts', 'tsconfig.json', 'package.json', 'tools/import-table.ts'])
      copyFileSync(join(root, file), join(tree, file));
    for (const name of [
      'src/gateway/index.ts',
      'src/shared/index.ts',
      'src/shared/inside.ts',
      'stockpulse/index.ts',
      'src/app.ts',
      'src/http/index.ts',
    ]) {
      mkdirSync(dirname(join(tree, name)), { recursive: true });
      writeFileSync(join(tree, name), 'export const thing = 1;\n');
    }
  });
  afterAll(() => rmSync(tree, { recursive: true, force: true }));

  it('names every room that exists', () => {
    const folders = readdirSync(join(root, 'src'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
    expect(Object.keys(rooms)).toEqual(expect.arrayContaining(folders.map(({ name }) => name)));
  });

  it.each([
    ['src/protocol/a.ts', '../gateway/index.ts', 'protocol may import only: shared'],
    ['src/protocol/deep/a.ts', '../../gateway/index.ts', 'protocol may import only: shared'],
    ['src/protocol/a.ts', '../shared/inside.ts', 'A room is entered only through its index.ts'],
    ['src/http/a.ts', '../gateway/index.ts', 'http may import only'],
    ['src/gateway/a.ts', '../../stockpulse/index.ts', 'Only app.ts may import stockpulse'],
    ['src/gateway/a.ts', '../app.ts', 'Only cli and main.ts import app.ts'],
    ['stockpulse/a.ts', '../src/shared/index.ts', 'stockpulse imports nothing of the gateway'],
    ['bench/a.ts', '../src/gateway/index.ts', 'bench speaks HTTP only'],
    ['test/e2e/a.ts', '../../src/shared/inside.ts', 'Tests enter a room through its index.ts'],
  ])('refuses %s importing %s', (file, specifier, message) => {
    expect(lint(file, `export { thing } from '${specifier}';`)).toContain(message);
  });

  it.each([
    ['src/protocol/a.ts', 'fastify', 'fastify belongs to'],
    ['src/gateway/a.ts', 'kysely', 'kysely belongs to'],
    ['src/security/a.ts', 'pg', 'pg belongs to'],
  ])('refuses %s importing the package %s', (file, name, message) => {
    expect(lint(file, `import * as thing from '${name}';\nexport const used = thing;`)).toContain(message);
  });

  it('allows what the table allows', () => {
    const output = lint('src/gateway/a.ts', "export { thing } from '../shared/index.ts';");
    expect(output).not.toContain('restricted');
    expect(existsSync(join(tree, 'src/gateway/index.ts'))).toBe(true);
  });
});
