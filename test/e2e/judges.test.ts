import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { endGateways, tempFolder } from '../support/gateway-process.ts';
import { HTTP_CLIENTS, loadJudges, STDIO_CLIENTS } from '../support/judges.ts';
import { ROOT } from '../support/paths.ts';
import { run } from '../support/processes.ts';
import { PATIENCE_MS } from '../support/until.ts';

afterAll(endGateways, PATIENCE_MS);

it('the clients that the tests name are those that there are', async () => {
  const judges = await loadJudges();
  expect(Object.keys(judges.http)).toEqual([...HTTP_CLIENTS]);
  expect(Object.keys(judges.stdio)).toEqual([...STDIO_CLIENTS]);
});

it('their runners fit the types of the packages that they drive', async () => {
  const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
  const { code, stdout } = await run(process.execPath, [compiler, '-p', join(ROOT, 'test/judges')]);
  expect([code, stdout]).toEqual([0, '']);
});

it(
  'without a registry the installation fails in one line that says so',
  async () => {
    const folder = await tempFolder();
    await mkdir(join(folder, 'test/judges'), { recursive: true });
    await mkdir(join(folder, 'cache'));
    await cp(join(ROOT, 'tools/install-judges.ts'), join(folder, 'tools/install-judges.ts'));
    for (const file of ['package.json', 'package-lock.json']) await cp(join(ROOT, 'test/judges', file), join(folder, 'test/judges', file));
    const env = { npm_config_registry: 'http://127.0.0.1:1', npm_config_cache: join(folder, 'cache') };
    const { code, stdout, stderr } = await run(process.execPath, [join(folder, 'tools/install-judges.ts')], { env });
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(stderr).toMatch(/^install-judges: .*registry cannot be reached/);
  },
  PATIENCE_MS * 2,
);
