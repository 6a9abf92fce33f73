import { once } from 'node:events';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { appError, Harness } from './fake-app.ts';

let harness = new Harness();

afterEach(async () => {
  await harness.end();
});

function fresh(): Harness {
  harness = new Harness();
  return harness;
}

/** Waits until stdout holds `text`. */
async function printed(h: Harness, text: string): Promise<void> {
  while (!h.stdout.all.includes(text)) await once(h.stdout, 'data');
}

describe('start', () => {
  it('prints a later start without a key, and ends with 0 on a signal', async () => {
    const h = fresh();
    const run = h.run('start');
    await printed(h, 'ready at');
    expect(h.stdout.all).toMatch(/StockPulse MCP ready at http:\/\/127\.0\.0\.1:8080\n$/);
    h.signals.emit('SIGTERM');
    h.signals.emit('SIGTERM');
    expect(await run).toBe(0);
    expect(h.closed).toBe(1);
    expect(h.exits).toEqual([]);
    expect(h.signals.eventNames()).toEqual([]);
  });

  it('prints the keys once on a terminal', async () => {
    const h = fresh();
    h.stdout.isTTY = true;
    h.firstKeys = { agent: 'AGENT', approver: 'APPROVER' };
    const run = h.run('start');
    await printed(h, 'ready at');
    expect(h.stdout.all).toContain('  AGENT\n');
    expect(h.stdout.all.split('APPROVER')).toHaveLength(2);
    h.signals.emit('SIGINT');
    expect(await run).toBe(0);
  });

  it('off a terminal writes them for this user alone, over whatever stood there', async () => {
    const h = fresh();
    const file = join(h.dataDir, 'first-keys.txt');
    writeFileSync(file, 'old', { mode: 0o644 });
    h.firstKeys = { agent: 'AGENT', approver: 'APPROVER' };
    const run = h.run('start');
    await printed(h, 'ready at');
    expect(h.stdout.all).toContain(file);
    expect(h.stdout.all + h.stderr.all).not.toMatch(/AGENT|APPROVER/);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file, 'utf8')).toMatch(/AGENT\n.*APPROVER\n/);
    h.signals.emit('SIGTERM');
    await run;
  });

  it('--json prints one line when it is ready, with the file of the keys and never the keys', async () => {
    const h = fresh();
    h.stdout.isTTY = true;
    h.firstKeys = { agent: 'AGENT', approver: 'APPROVER' };
    const run = h.run('start', '--json');
    await printed(h, '\n');
    expect(JSON.parse(h.stdout.all)).toMatchObject({
      ready: true,
      url: 'http://127.0.0.1:8080',
      keysFile: join(h.dataDir, 'first-keys.txt'),
    });
    expect(h.stdout.all).not.toMatch(/AGENT|APPROVER/);
    h.signals.emit('SIGTERM');
    expect(await run).toBe(0);
  });

  it('names who runs already and exits with 3', async () => {
    const h = await fresh().running();
    h.startErrors.push(appError('already_running', 'taken'));
    expect(await h.run('start')).toBe(3);
    expect(h.stderr.all).toContain('already running, pid 4711, http://127.0.0.1:8080');
  });

  it('exits with 4 if the port is taken, with the words of the host', async () => {
    const h = fresh();
    h.startErrors.push(appError('port_in_use', 'Port 8080 is taken. Use PORT=8081 npm start.'));
    expect(await h.run('start')).toBe(4);
    expect(h.stderr.all).toBe('stockpulse: Port 8080 is taken. Use PORT=8081 npm start.\n');
  });

  it('closes and fails on a defect', async () => {
    const h = fresh();
    const run = h.run('start');
    await printed(h, 'ready at');
    h.signals.emit('uncaughtException', new Error('boom'));
    expect(await run).toBe(1);
    expect(h.closed).toBe(1);
  });

  it('a signal while starting is not lost', async () => {
    const h = fresh();
    const run = h.run('start');
    h.signals.emit('SIGINT');
    expect(await run).toBe(0);
    expect(h.closed).toBe(1);
    expect(h.stdout.all).toBe('');
  });

  it('warnings of the configuration come first, on stderr', async () => {
    const h = fresh();
    h.env = { REDIS_URL: 'redis://localhost' };
    const run = h.run('start');
    await printed(h, 'ready at');
    expect(h.stderr.all).toContain('warning: redis.url is accepted but not used yet');
    h.signals.emit('SIGTERM');
    await run;
  });
});
