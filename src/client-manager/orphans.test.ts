import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { ChildRecords } from './stdio/records.ts';
import { identityOf } from './stdio/processes.ts';
import { isAlive, kit, STDIO_SCRIPT, until, type Kit } from './test-kit.ts';

/** Children of a gateway that was killed with -9 end with the next start; strangers never do. */

let ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ends.toReversed()) await end();
  ends = [];
});

async function folder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'orphans-'));
  ends.push(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

/** A gateway of its own process with one stubborn child that has a grandchild; killed with -9 once both run. */
async function killedGateway(dir: string, flags: readonly string[]): Promise<{ child: number; grandchild: number }> {
  const script = `
    const { createClientManager } = await import(${JSON.stringify(new URL('./index.ts', import.meta.url).href)});
    const { Registry } = await import(${JSON.stringify(new URL('../registry/index.ts', import.meta.url).href)});
    const { Caps, systemClock } = await import(${JSON.stringify(new URL('../shared/index.ts', import.meta.url).href)});
    const manager = createClientManager({
      servers: [{ name: 'a', transport: 'stdio', command: process.execPath, args: ${JSON.stringify([STDIO_SCRIPT, '--era', 'modern', ...flags])}, env: {}, era: 'modern', scopes: [], deadlineMs: 5000, maxInFlight: 5, maxLeases: 8, roots: [], unlisted: 'refuse', tools: {} }],
      registry: new Registry(), caps: new Caps(), clock: systemClock, gateway: { name: 'g', version: '1' }, childrenDir: ${JSON.stringify(join(dir, 'children'))}, onEvent: () => {},
    });
    await manager.start();
    console.log(manager.stats().byServer[0].pid);
    setInterval(() => {}, 1000);`;
  const owner = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(owner.stdout, 'data')) as [Buffer];
  const child = Number(String(line));
  const grandchild = Number(await readFile(join(dir, 'grandchild'), 'utf8'));
  owner.kill('SIGKILL');
  await once(owner, 'exit');
  ends.push(() => Promise.resolve([child, grandchild].filter(isAlive).forEach((pid) => process.kill(pid, 'SIGKILL'))));
  return { child, grandchild };
}

async function nextStart(dir: string): Promise<Kit> {
  const one = await kit([], {}, join(dir, 'children'));
  ends.push(() => one.end());
  await one.manager.start();
  return one;
}

describe('after kill -9 of the gateway', () => {
  it('the next start ends the child and all that it started', async () => {
    const dir = await folder();
    const { child, grandchild } = await killedGateway(dir, ['--stubborn', '--grandchild', join(dir, 'grandchild')]);
    expect([isAlive(child), isAlive(grandchild)]).toEqual([true, true]);
    const one = await nextStart(dir);
    await until(() => !isAlive(child) && !isAlive(grandchild));
    expect(one.events).toEqual([{ kind: 'orphan_ended', server: 'a', pid: child }]);
    expect(await readdir(join(dir, 'children'))).toEqual([]);
  });

  it.runIf(process.platform === 'linux')('the next start ends a group whose leader is gone (needs /proc)', async () => {
    const dir = await folder();
    const { child, grandchild } = await killedGateway(dir, ['--grandchild', join(dir, 'grandchild')]);
    await until(() => identityOf(child) === undefined);
    expect(isAlive(grandchild)).toBe(true);
    const one = await nextStart(dir);
    await until(() => !isAlive(grandchild));
    expect(one.events).toEqual([{ kind: 'orphan_ended', server: 'a', pid: child }]);
  });
});

describe('strangers', () => {
  const record = (pid: number, more: Record<string, unknown>): string =>
    JSON.stringify({ pid, identity: 'other', server: 'a', boot: 'other', seenAt: 0, owner: { pid: 999_999_999, identity: 'x' }, ...more });

  it('who have the recorded number are left alone', async () => {
    const dir = await folder();
    const children = join(dir, 'children');
    new ChildRecords(children).add(process.pid, 'a');
    const stranger = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore', detached: true });
    const pid = stranger.pid ?? 0;
    ends.push(() => Promise.resolve(isAlive(pid) && process.kill(pid, 'SIGKILL')));
    await writeFile(join(children, `${pid}.json`), record(pid, {}));
    await writeFile(join(children, '12.json'), 'not a record');
    const one = await nextStart(dir);
    expect(isAlive(pid)).toBe(true);
    expect(one.events).toEqual([{ kind: 'orphan_left', server: 'a', pid, reason: 'its number belongs to another process now' }]);
    // The record of a gateway that still runs (here: this process) stays.
    expect(await readdir(children)).toEqual([`${process.pid}.json`]);
  });
});
