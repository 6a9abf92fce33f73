/** Shared by the tests of this room: the two databases to run against, and child processes to kill. */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { vi } from 'vitest';
import { openStorage, type Storage, type StorageKind, type StorageOptions } from './index.ts';

// Real databases and processes on a busy machine: a slow one is no failure.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

/** 1 in `npm test`; more in `npm run test:long`. */
export const scale = Number(process.env['STOCKPULSE_TEST_SCALE'] ?? 1);

const adminUrl = 'postgres://postgres@127.0.0.1:5432/test';

async function onServer(text: string): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl, connectionTimeoutMillis: 2000 });
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}

const unreachable = await onServer('select 1').then(
  () => undefined,
  () => 'no PostgreSQL at 127.0.0.1:5432',
);

/** Where one test's data lives. */
export interface Place {
  readonly dataDir: string;
  readonly databaseUrl: string | undefined;
  open(options?: Partial<StorageOptions>): Promise<Storage>;
  remove(): Promise<void>;
}

export interface Target {
  readonly kind: StorageKind;
  /** Why it cannot be tested here. */
  readonly skip: string | undefined;
  place(): Promise<Place>;
}

export const tempFolder = (): Promise<string> => mkdtemp(join(tmpdir(), 'stockpulse-storage-'));

const toPlace = (dataDir: string, databaseUrl: string | undefined, remove: () => Promise<void>): Place => ({
  dataDir,
  databaseUrl,
  open: (options = {}) => openStorage({ dataDir, databaseUrl, migrations: [], ...options }),
  remove,
});

let template: Promise<string> | undefined;

/** Making a folder takes seconds; copying one does not. */
async function makeTemplate(): Promise<string> {
  const folder = await tempFolder();
  const storage = await openStorage({ dataDir: folder, migrations: [] });
  await storage.close();
  return folder;
}

async function embeddedPlace(): Promise<Place> {
  template ??= makeTemplate();
  const dataDir = await tempFolder();
  await cp(await template, dataDir, { recursive: true });
  return toPlace(dataDir, undefined, () => rm(dataDir, { recursive: true, force: true }));
}

async function serverPlace(): Promise<Place> {
  const name = `storage_${randomBytes(6).toString('hex')}`;
  await onServer(`create database ${name}`);
  const dataDir = await tempFolder();
  return toPlace(dataDir, `postgres://postgres@127.0.0.1:5432/${name}`, async () => {
    await onServer(`drop database ${name} with (force)`);
    await rm(dataDir, { recursive: true, force: true });
  });
}

/** Call it after the last test of a file. */
export async function removeTemplate(): Promise<void> {
  if (template) await rm(await template, { recursive: true, force: true });
  template = undefined;
}

export const targets: readonly Target[] = [
  { kind: 'pglite', skip: undefined, place: embeddedPlace },
  { kind: 'postgres', skip: unreachable, place: serverPlace },
];

export const title = (target: Target): string => (target.skip === undefined ? target.kind : `${target.kind} (skipped: ${target.skip})`);

/** A child process whose standard output is read line by line. */
export interface Child {
  readonly pid: number;
  readonly lines: string[];
  /** Resolves with the first line that starts so; rejects if the child ends before. */
  line(start: string): Promise<string>;
  /** Ends it the hard way, and waits until it is gone and its output is read. */
  kill(): Promise<void>;
  readonly ended: Promise<number | null>;
}

const script = fileURLToPath(new URL('./test-child.ts', import.meta.url));

export function startChild(verb: string, ...args: string[]): Child {
  const child: ChildProcessByStdio<null, Readable, null> = spawn(process.execPath, [script, verb, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: tmpdir(),
  });
  const lines: string[] = [];
  const watchers = new Set<() => void>();
  let over = false;
  const notify = (): void => watchers.forEach((watch) => watch());
  createInterface({ input: child.stdout }).on('line', (text) => {
    lines.push(text);
    notify();
  });
  const ended = new Promise<number | null>((resolve) => {
    child.on('close', (code) => {
      over = true;
      notify();
      resolve(code);
    });
  });
  const line = (start: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const watch = (): void => {
        const found = lines.find((text) => text.startsWith(start));
        if (found === undefined && !over) return;
        watchers.delete(watch);
        if (found === undefined) reject(new Error(`the child ended without "${start}": ${lines.slice(-3).join(' | ')}`));
        else resolve(found);
      };
      watchers.add(watch);
      watch();
    });
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  return { pid: child.pid ?? 0, lines, line, kill, ended };
}
