#!/usr/bin/env node
// Plain JavaScript for old runtimes too: it finds a Node that can run src/ and hands over to it.
import { spawn, spawnSync } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const WANTED = 24;
const here = realpathSync(fileURLToPath(import.meta.url));
const windows = process.platform === 'win32';
const binary = windows ? 'node.exe' : 'node';

function major(version) {
  const found = /^v?(\d+)\./.exec(version);
  return found ? Number(found[1]) : 0;
}

/** The Node that came with the dependencies. It is resolved from the project, so a hoisted one is found as well. */
function packaged() {
  const name = `node-${windows ? 'win' : process.platform}-${process.arch}`;
  try {
    const manifest = createRequire(here).resolve(`${name}/package.json`);
    return [join(dirname(manifest), 'bin', binary)];
  } catch {
    return [];
  }
}

function onPath() {
  const folders = (process.env.PATH || '').split(delimiter);
  return folders.filter(Boolean).map((folder) => join(folder, binary));
}

/** True if it starts here and is new enough: the packaged one needs glibc, for instance. */
function usable(node) {
  const { status, stdout } = spawnSync(node, ['--version'], { encoding: 'utf8', timeout: 10000, stdio: ['ignore', 'pipe', 'ignore'] });
  return status === 0 && major(stdout) >= WANTED;
}

/** On a terminal and under a supervisor a signal may come to us alone; the child hears of it too. */
function forwardSignals(child) {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => child.kill(signal));
}

function endLike(code, signal) {
  if (signal === null) process.exit(code === null ? 1 : code);
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}

/** Room for what calls leave behind: with less of it V8 collects more often, and keeps more (docs/decisions/0008-fast-lane.md). */
function flags() {
  return ['start', 'stdio'].includes(process.argv[2]) ? ['--min-semi-space-size=16'] : [];
}

/** Runs this file again on `node`, in our place where the system lets us, else as a child that ends when we do. */
function handOver(node) {
  const args = [...flags(), here, ...process.argv.slice(2)];
  if (!windows && typeof process.execve === 'function') process.execve(node, [node, ...args], process.env);
  // The channel carries nothing: its end tells the child that this process was killed.
  const child = spawn(node, args, { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] });
  forwardSignals(child);
  child.on('error', (error) => {
    console.error(`stockpulse: ${node} did not start: ${error.message}`);
    process.exit(1);
  });
  child.on('exit', endLike);
}

/** Node announces its experimental features on stderr; they are ours to know, not the user's. */
function quietExperiments() {
  const printers = process.listeners('warning');
  process.removeAllListeners('warning');
  process.on('warning', (warning) => {
    if (warning.name !== 'ExperimentalWarning') for (const print of printers) print.call(process, warning);
  });
}

if (major(process.version) >= WANTED) {
  quietExperiments();
  try {
    await import('../src/main.ts');
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    console.error(`stockpulse: ${error.message}`);
    console.error('The dependencies are not complete: run `npm ci` in the folder of this project.');
    process.exitCode = 1;
  }
} else {
  const node = [...packaged(), ...onPath()].find(usable);
  if (node) handOver(node);
  else {
    console.error(`stockpulse: needs Node ${WANTED} or newer; this is ${process.version} and no other was found.`);
    console.error('Run `npm ci` again with optional packages (without --omit=optional), which brings one along,');
    console.error(`or install Node ${WANTED} from https://nodejs.org and put it on PATH.`);
    process.exitCode = 1;
  }
}
