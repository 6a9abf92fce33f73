/** `npm run docs:matrix` runs the matrix and writes docs/matrix.md from what it saw; `npm test` compares. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from '../support/paths.ts';
import { WRITE } from './page.ts';

const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
const env = { ...process.env, [WRITE]: '1' };
const { status } = spawnSync(process.execPath, [vitest, 'run', 'test/matrix'], { cwd: ROOT, env, stdio: 'inherit' });
process.exitCode = status ?? 1;
