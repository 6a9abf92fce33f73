import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const LAUNCHER = new URL('../../bin/stockpulse.js', import.meta.url);

/** Stands in for src/main.ts: says how it was started, then does what its first argument says. */
const MAIN = `
import { writeSync } from 'node:fs';
process.emitWarning('types are stripped', 'ExperimentalWarning');
process.on('SIGTERM', () => { writeSync(1, 'TERM\\n'); process.exit(5); });
process.on('disconnect', () => { writeSync(2, 'launcher gone\\n'); process.exit(0); });
process.channel?.unref();
const by: string = process.env['STARTED_BY'] ?? 'current';
writeSync(1, JSON.stringify({ argv: process.argv.slice(2), by, pid: process.pid }) + '\\n');
const [what, value] = process.argv.slice(2);
if (what === 'exit') process.exit(Number(value));
if (what === 'die') process.kill(process.pid, 'SIGKILL');
if (what === 'stay') setInterval(() => {}, 1000);
if (what === 'warn') process.emitWarning('this one matters');
`;

let root = '';
let project = '';

beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'stockpulse launcher ')));
  project = join(root, 'the project');
  for (const folder of ['bin', 'src', 'elsewhere']) mkdirSync(join(project, folder), { recursive: true });
  copyFileSync(LAUNCHER, join(project, 'bin', 'stockpulse.js'));
  writeFileSync(join(project, 'package.json'), '{"type":"module"}');
  writeFileSync(join(project, 'src', 'main.ts'), MAIN);
  // An old Node: the launcher asks for nothing but its version and execve.
  writeFileSync(join(root, 'old.cjs'), "Object.defineProperty(process, 'version', { value: 'v20.1.0' }); process.execve = undefined;");
  writeFileSync(join(root, 'old-execve.cjs'), "Object.defineProperty(process, 'version', { value: 'v22.18.0' });");
});

afterEach(() => {
  rmSync(root, { recursive: true });
});

/** A shell script that passes for a Node of `version`: it marks what it starts. */
function fakeNode(file: string, mark: string, version?: string): void {
  mkdirSync(join(file, '..'), { recursive: true });
  const answer = version === undefined ? '' : `[ "$1" = --version ] && { echo ${version}; exit 0; }\n`;
  writeFileSync(file, `#!/bin/sh\n${answer}STARTED_BY='${mark}' exec '${process.execPath}' "$@"\n`);
  chmodSync(file, 0o755);
}

function packagedNode(folder: string, mark: string, version?: string): void {
  const home = join(folder, 'node_modules', `node-${process.platform}-${process.arch}`);
  fakeNode(join(home, 'bin', 'node'), mark, version);
  writeFileSync(join(home, 'package.json'), '{"version":"24.0.0"}');
}

interface LaunchOptions {
  readonly preload?: 'old.cjs' | 'old-execve.cjs';
  readonly args?: readonly string[];
  readonly script?: string;
  readonly path?: string;
}

function launch({ preload, args = [], script = join(project, 'bin', 'stockpulse.js'), path = '' }: LaunchOptions): ChildProcess {
  const flags = preload === undefined ? [] : ['--require', join(root, preload)];
  return spawn(process.execPath, [...flags, script, ...args], {
    cwd: join(project, 'elsewhere'),
    env: { PATH: path },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

async function outcome(child: ChildProcess): Promise<{ code: number | null; signal: string | null; out: string; err: string }> {
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error('no pipes');
  const [[code, signal], out, err] = await Promise.all([once(child, 'close'), text(stdout), text(stderr)]);
  return { code: code as number | null, signal: signal as string | null, out, err };
}

const told = (out: string): unknown => JSON.parse(out.split('\n')[0] ?? '');

async function firstLine(child: ChildProcess): Promise<{ pid: number }> {
  if (child.stdout === null) throw new Error('no pipe');
  const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
  return JSON.parse(chunk.toString().split('\n')[0] ?? '') as { pid: number };
}

describe.skipIf(process.platform === 'win32')('the launcher', () => {
  it('runs in the same process if Node is new enough, and says nothing of experiments', async () => {
    const child = launch({ args: ['exit', '3'] });
    const { code, out, err } = await outcome(child);
    expect(told(out)).toEqual({ argv: ['exit', '3'], by: 'current', pid: child.pid });
    expect(code).toBe(3);
    expect(err).toBe('');
  });

  it('lets other warnings through', async () => {
    expect((await outcome(launch({ args: ['warn'] }))).err).toContain('this one matters');
  });

  it('starts the packaged Node from an old one, with the arguments as they are and its exit code', async () => {
    packagedNode(project, 'packaged');
    const { code, out, err } = await outcome(launch({ preload: 'old.cjs', args: ['exit', '7', 'a b', '', '--x=$HOME'] }));
    expect(told(out)).toMatchObject({ argv: ['exit', '7', 'a b', '', '--x=$HOME'], by: 'packaged' });
    expect(code).toBe(7);
    expect(err).toBe('');
  });

  it('takes the place of the old process where the system lets it', async () => {
    packagedNode(project, 'packaged');
    const child = launch({ preload: 'old-execve.cjs', args: ['exit', '0'] });
    expect(told((await outcome(child)).out)).toMatchObject({ by: 'packaged', pid: child.pid });
  });

  it('finds a hoisted package, also through a symbolic link', async () => {
    packagedNode(root, 'hoisted');
    const script = join(root, 'stockpulse link');
    symlinkSync(join(project, 'bin', 'stockpulse.js'), script);
    expect(told((await outcome(launch({ preload: 'old.cjs', args: ['exit', '0'], script }))).out)).toMatchObject({ by: 'hoisted' });
  });

  it('passes over a packaged one that does not start here, and an old one on PATH', async () => {
    packagedNode(project, 'packaged');
    writeFileSync(join(project, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin', 'node'), 'not a program');
    fakeNode(join(root, 'path one', 'node'), 'old', 'v22.0.0');
    fakeNode(join(root, 'path two', 'node'), 'on PATH');
    const path = `${join(root, 'path one')}:${join(root, 'path two')}`;
    expect(told((await outcome(launch({ preload: 'old.cjs', args: ['exit', '0'], path }))).out)).toMatchObject({ by: 'on PATH' });
  });

  it('says what to install if there is none', async () => {
    const { code, out, err } = await outcome(launch({ preload: 'old.cjs', args: ['start'], path: join(root, 'nothing') }));
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toContain('needs Node 24 or newer; this is v20.1.0');
    expect(err).toContain('npm ci');
  });

  it('passes a signal on and ends with the code of the child', async () => {
    packagedNode(project, 'packaged');
    const child = launch({ preload: 'old.cjs', args: ['stay'] });
    await firstLine(child);
    const ended = outcome(child);
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ code: 5, out: 'TERM\n' });
  });

  it('dies of what killed the child', async () => {
    packagedNode(project, 'packaged');
    expect(await outcome(launch({ preload: 'old.cjs', args: ['die'] }))).toMatchObject({ code: null, signal: 'SIGKILL' });
  });

  it('leaves no child behind when it is killed itself', async () => {
    packagedNode(project, 'packaged');
    const child = launch({ preload: 'old.cjs', args: ['stay'] });
    await firstLine(child);
    const ended = outcome(child);
    child.kill('SIGKILL');
    // The pipes close only when the grandchild has ended too.
    expect((await ended).err).toBe('launcher gone\n');
  });

  it('names npm ci if the dependencies are missing', async () => {
    writeFileSync(join(project, 'src', 'main.ts'), "import 'commander';");
    const { code, err } = await outcome(launch({}));
    expect(code).toBe(1);
    expect(err).toContain('run `npm ci`');
  });
});
