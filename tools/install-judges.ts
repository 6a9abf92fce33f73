/**
 * Installs programs of others: the clients and servers that the end-to-end tests drive (test/judges), or what stands in the folder that is
 * its argument (bench/npm). Does nothing while the folder's lock file is the one that was installed. npm itself runs on the Node that runs this: an older one would pick other versions.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const DEADLINE_MS = 300_000;
const name = process.argv[2] ?? 'test/judges';
const folder = fileURLToPath(new URL(`../${name}/`, import.meta.url));
const stampFile = join(folder, 'node_modules/.installed');
const NETWORK = /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ENOTCACHED|network)\b/;

/** What the installed packages must match: the lock file and the major version of Node, which picks native ones. */
function wantedStamp(): string {
  const lock = readFileSync(join(folder, 'package-lock.json'));
  return `${createHash('sha256').update(lock).digest('hex')} ${process.platform}-${process.arch}-${process.versions.modules}`;
}

/** npm's own script: the one that runs us, else the one on PATH. */
function npmScript(): string | undefined {
  const running = process.env.npm_execpath;
  if (running !== undefined && /npm-cli\.[cm]?js$/.test(running)) return running;
  const folders = [dirname(process.execPath), ...(process.env.PATH ?? '').split(delimiter)].filter((path) => path !== '');
  const found = folders
    .flatMap((path) => [join(path, 'npm'), join(path, 'node_modules/npm/bin/npm-cli.js')])
    .filter((path) => existsSync(path));
  return found.map((path) => realpathSync(path)).find((path) => /npm-cli\.[cm]?js$/.test(path));
}

function install(npm: string): string | undefined {
  const args = [
    npm,
    'ci',
    '--prefix',
    folder,
    '--ignore-scripts',
    '--include=optional',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
    '--fetch-retries=1',
  ];
  const { status, stdout, stderr, error } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8', timeout: DEADLINE_MS });
  if (status === 0) return undefined;
  const output = `${stderr ?? ''}${stdout ?? ''}`;
  if (NETWORK.test(output) || error !== undefined)
    return 'the npm registry cannot be reached. Check the network or the registry setting of npm, and try again.';
  return output.trim().split('\n').slice(0, 5).join(' ');
}

function main(): number {
  const wanted = wantedStamp();
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === wanted) return 0;
  const npm = npmScript();
  const problem = npm === undefined ? 'npm was not found beside this Node or on PATH.' : install(npm);
  if (problem !== undefined) {
    console.error(`install-judges: the packages of ${name} could not be installed: ${problem}`);
    return 1;
  }
  writeFileSync(stampFile, wanted);
  return 0;
}

process.exitCode = main();
