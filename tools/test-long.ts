/**
 * `npm run test:long`: the same tests as `npm test` at full counts, with what ran written to docs/evidence/tests.json. The count of
 * rounds is `STOCKPULSE_TEST_SCALE` (20 unless set).
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const scale = Number(process.env.STOCKPULSE_TEST_SCALE ?? 20);
const folder = mkdtempSync(join(tmpdir(), 'stockpulse-long-'));
const output = join(folder, 'report.json');

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly startTime: number;
    readonly endTime: number;
    readonly assertionResults: readonly unknown[];
  }[];
}

function git(...args: string[]): string {
  return execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();
}

execFileSync(process.execPath, [join(root, 'tools/install-judges.ts')], { stdio: 'inherit' });
const began = Date.now();
const vitest = spawnSync(
  process.execPath,
  [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${output}`],
  {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, STOCKPULSE_TEST_SCALE: String(scale) },
  },
);
const report = JSON.parse(readFileSync(output, 'utf8')) as Report;
rmSync(folder, { recursive: true, force: true });
const evidence = {
  commit: git('rev-parse', 'HEAD') + (git('status', '--porcelain') === '' ? '' : ' with changes'),
  at: new Date(began).toISOString(),
  node: process.version,
  scale,
  seconds: Math.round((Date.now() - began) / 1000),
  passed: report.numPassedTests,
  failed: report.numFailedTests,
  skipped: report.numPendingTests,
  files: report.testResults
    .map(({ name, status, startTime, endTime, assertionResults }) => ({
      file: relative(root, name),
      status,
      tests: assertionResults.length,
      seconds: Math.round((endTime - startTime) / 100) / 10,
    }))
    .sort((a, b) => a.file.localeCompare(b.file)),
};
writeFileSync(join(root, 'docs/evidence/tests.json'), `${JSON.stringify(evidence, null, 2)}\n`);
process.exit(vitest.status ?? 1);
