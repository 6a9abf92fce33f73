import { once } from 'node:events';
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { acquireOwnership, AlreadyOwnedError, readOwner, type OwnerInfo } from '../index.ts';
import { scale, startChild, tempFolder, type Child } from '../test-support.ts';

let dataDir: string;
let children: Child[];

beforeEach(async () => {
  dataDir = join(await tempFolder(), 'data');
  children = [];
});

afterEach(async () => {
  await Promise.all(children.map((child) => child.kill()));
  await rm(join(dataDir, '..'), { recursive: true, force: true });
});

const child = (verb: string): Child => {
  const started = startChild(verb, dataDir);
  children.push(started);
  return started;
};

const probe = async (): Promise<OwnerInfo | null> =>
  JSON.parse((await child('probe').line('owner ')).slice('owner '.length)) as OwnerInfo | null;

const info = (url: string): OwnerInfo => ({ pid: process.pid, url, startedAt: '2026-11-22T10:00:00.000Z', version: '1.2.3' });

describe('ownership of the data folder', () => {
  it('makes a private folder, and is told to whoever asks until it ends', async () => {
    expect(readOwner(dataDir)).toBeUndefined();
    const ownership = await acquireOwnership(dataDir);
    expect((await stat(dataDir)).mode & 0o777).toBe(0o700);
    expect(readOwner(dataDir)).toMatchObject({ pid: process.pid });
    const described = { ...info('http://127.0.0.1:8080'), socketPath: join(dataDir, 'admin.sock') };
    ownership.describe(described);
    for (const file of ['owner.lock', 'owner.json']) expect((await stat(join(dataDir, file))).mode & 0o777).toBe(0o600);
    expect(readOwner(dataDir)).toEqual(described);
    expect(await probe()).toEqual(described);
    ownership.release();
    ownership.release();
    expect(readOwner(dataDir)).toBeUndefined();
    expect(await probe()).toBeNull();
  });

  it('is refused to a second process, which learns pid and url, and to the same process', async () => {
    const ownership = await acquireOwnership(dataDir);
    ownership.describe(info('http://127.0.0.1:9'));
    const refused = JSON.parse((await child('hold').line('refused ')).slice('refused '.length)) as OwnerInfo;
    expect(refused).toEqual(info('http://127.0.0.1:9'));
    const again: unknown = await acquireOwnership(dataDir).catch((error: unknown) => error);
    expect(again).toBeInstanceOf(AlreadyOwnedError);
    expect(again).toMatchObject({ code: 'already_running', owner: info('http://127.0.0.1:9') });
    expect((again as Error).message).toContain(`already running, pid ${process.pid}, http://127.0.0.1:9`);
    ownership.release();
  });

  it('survives a probe from its own process, from another thread of it and from other processes', async () => {
    const ownership = await acquireOwnership(dataDir);
    readOwner(dataDir);
    const index = new URL('../index.ts', import.meta.url).href;
    const code = `import { workerData, parentPort } from 'node:worker_threads';
      const { readOwner } = await import(${JSON.stringify(index)});
      parentPort.postMessage(readOwner(workerData)?.pid ?? 0);`;
    const worker = new Worker(code, { eval: true, workerData: dataDir, execArgv: ['--input-type=module'] });
    expect(await once(worker, 'message')).toEqual([process.pid]);
    await worker.terminate();
    await Promise.all([probe(), probe()]);
    await child('hold').line('refused');
    ownership.release();
  });

  it('is freed by kill -9, and nothing of the dead owner is believed', async () => {
    const owner = child('hold');
    await owner.line('owned');
    expect(readOwner(dataDir)).toMatchObject({ pid: owner.pid, version: '9.9.9' });
    await owner.kill();
    expect(readOwner(dataDir)).toBeUndefined();
    expect(await readFile(join(dataDir, 'owner.json'), 'utf8')).toContain('9.9.9');
    const ownership = await acquireOwnership(dataDir);
    expect(readOwner(dataDir)).toMatchObject({ pid: process.pid, version: '' });
    ownership.release();
  });

  it('goes to exactly one of several that start at the same time', async () => {
    for (let round = 0; round < Math.max(2, scale); round += 1) {
      const rivals = [1, 2, 3].map(() => child('hold'));
      const first = await Promise.all(rivals.map((rival) => Promise.race([rival.line('owned'), rival.line('refused')])));
      expect(first.filter((line) => line === 'owned')).toHaveLength(1);
      const winner = rivals[first.indexOf('owned')]!;
      for (const line of first.filter((text) => text !== 'owned')) expect(line).toContain(`"pid":${winner.pid}`);
      await Promise.all(rivals.map((rival) => rival.kill()));
    }
  });

  it('is not lost to probes that happen at the same moment', async () => {
    const probing = setInterval(() => readOwner(dataDir), 1);
    try {
      await mkdir(dataDir, { recursive: true });
      for (let round = 0; round < 3; round += 1) {
        const owner = child('hold');
        expect(await owner.line('owned')).toBe('owned');
        await owner.kill();
      }
    } finally {
      clearInterval(probing);
    }
  });

  it('cannot be had in a place that is no folder, and the message says what to do', async () => {
    await writeFile(dataDir, '');
    await expect(acquireOwnership(dataDir)).rejects.toMatchObject({
      code: 'data_dir_unusable',
      message: expect.stringContaining('STOCKPULSE_DATA_DIR') as string,
    });
    expect(readOwner(dataDir)).toBeUndefined();
  });
});
