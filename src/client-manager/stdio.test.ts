import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { readdirSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { isAlive, kit, stdioConfig, until, type Kit } from './test-kit.ts';
import type { Limits } from './index.ts';
import type { UpstreamConfig } from './types.ts';

/** Children: isolation, ends of all kinds, bounds. */

let ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ends.toReversed()) await end();
  ends = [];
});

async function started(servers: readonly UpstreamConfig[], limits: Partial<Limits> = {}): Promise<Kit> {
  const one = await kit(servers, limits);
  ends.push(() => one.end());
  await one.manager.start();
  return one;
}

const modern = (name: string, ...flags: string[]): UpstreamConfig => stdioConfig(name, ['--era', 'modern', ...flags]);
const pidOf = ({ manager }: Kit, index = 0): number => manager.stats().byServer[index]?.pid ?? 0;

describe('a child that dies', () => {
  it('by kill -9 in mid-call fails that call clearly; the next works and the others never noticed', async () => {
    const one = await started([modern('a'), modern('b')]);
    const other = one.text('b', 'slow', { ms: 300 });
    const killed = one.call('a', 'hang');
    const pid = pidOf(one);
    await until(() => one.manager.stats().byServer[0]?.inFlight === 1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    process.kill(pid, 'SIGKILL');
    const outcome = await killed;
    expect(outcome).toMatchObject({ kind: 'failed', failure: { code: 'outcome_unknown', executed: 'unknown' } });
    expect(outcome.kind === 'failed' && outcome.failure.message).toMatch(/Server "a" .*SIGKILL.*look before you send it again/);
    expect(await one.text('a', 'echo', { text: 'again' })).toBe('again');
    expect(pidOf(one)).not.toBe(pid);
    expect(await other).toBe('done');
    expect(one.manager.stats()).toMatchObject({ children: 2, byServer: [{ restarts: 1 }, { restarts: 0 }] });
    expect(one.registry.get('a')?.tools.length).toBeGreaterThan(5);
  });

  it('by itself ends every call in flight, and is started again each time', async () => {
    const one = await started([modern('a')]);
    const hanging = [one.text('a', 'hang'), one.text('a', 'hang')];
    expect(await one.text('a', 'crash')).toBe('failed outcome_unknown unknown');
    expect(await Promise.all(hanging)).toEqual(Array(2).fill('failed outcome_unknown unknown'));
    for (let i = 0; i < 3; i++) {
      expect(await one.text('a', 'echo', { text: `${i}` })).toBe(`${i}`);
      expect(await one.text('a', 'crash')).toBe('failed outcome_unknown unknown');
    }
    expect(await one.text('a', 'count', { tool: 'crash' })).toBe('0');
  });

  it('keeps its catalogue while it backs off, and says when it is tried again', async () => {
    const one = await started([modern('a')], { backoffFirstMs: 60_000, backoffMaxMs: 60_000 });
    await one.text('a', 'crash');
    await until(() => one.manager.stats().byServer[0]?.state === 'ready');
    await one.text('a', 'crash');
    await until(() => one.manager.stats().byServer[0]?.state === 'backing_off');
    const entry = one.registry.get('a');
    expect(entry?.tools.length).toBeGreaterThan(5);
    expect(entry?.state).toMatchObject({ state: 'backing_off', reason: expect.stringContaining('exit code 7') as string });
    expect(await one.text('a', 'echo')).toBe('failed upstream_unavailable no');
    await one.manager.restart('a');
    expect(await one.text('a', 'echo', { text: 'back' })).toBe('back');
    await expect(one.manager.restart('nobody')).rejects.toMatchObject({ code: 'unknown_server' });
  });

  it('that never comes up is shown with the reason, during later attempts too, and nothing is said of a call', async () => {
    const dies = stdioConfig('dies', [], { args: ['-e', 'setTimeout(() => process.exit(3), 150)'], era: 'legacy' });
    const one = await started([dies]);
    const reason = 'its process ended with exit code 3 before it answered';
    await until(() => one.registry.get('dies')?.state.state === 'connecting');
    expect(one.registry.get('dies')?.state).toEqual({ state: 'connecting', reason });
    const failed = one.events.find(({ kind }) => kind === 'connect_failed');
    expect(failed).toMatchObject({ reason, detail: { detail: { code: 'outcome_unknown' } } });
    expect(JSON.stringify(failed)).not.toMatch(/look before|not sent/);
  });

  it('takes the processes that it started with it', async () => {
    const one = await started([modern('a')]);
    const grandchild = Number(await one.text('a', 'grandchild'));
    expect(isAlive(grandchild)).toBe(true);
    const pid = pidOf(one);
    process.kill(pid, 'SIGKILL');
    // The grandchild holds the pipe open, so a call in the same instant would be ambiguous.
    await until(() => pidOf(one) !== pid);
    expect(await one.text('a', 'echo', { text: 'again' })).toBe('again');
    await until(() => !isAlive(grandchild));
    const second = Number(await one.text('a', 'grandchild'));
    await one.manager.stop();
    await until(() => !isAlive(second));
  });

  it('is made to die if it ignores the end of stdin and SIGTERM', async () => {
    const one = await started([modern('a', '--stubborn')], { closeMs: 50, termMs: 100 });
    const pid = pidOf(one);
    await one.manager.stop();
    expect(isAlive(pid)).toBe(false);
    expect(one.events).toContainEqual(expect.objectContaining({ kind: 'child_exited', pid, signal: 'SIGKILL', wanted: true }));
  });
});

describe('the start', () => {
  it('shows every server at once in config order, and waits for none but itself', async () => {
    const slow = stdioConfig('slow', ['--era', 'legacy', '--start-delay', '60000'], { era: 'legacy' });
    const one = await kit([slow, modern('quick'), stdioConfig('broken', [], { command: 'no-such-command-here' })]);
    ends.push(() => one.end());
    const states = (): string[] => one.registry.list().map(({ name, state, tools }) => `${name} ${state.state} ${tools.length > 0}`);
    expect(states()).toEqual(['slow connecting false', 'quick connecting false', 'broken connecting false']);
    const starting = one.manager.start();
    expect(await one.text('quick', 'echo', { text: 'already' })).toBe('already');
    await until(() => one.registry.get('broken')?.state.state === 'backing_off');
    expect(states().slice(0, 2)).toEqual(['slow connecting false', 'quick ready true']);
    expect(await one.text('slow', 'echo', {}, { deadlineMs: 100 })).toBe('failed deadline_exceeded no');
    await one.manager.stop();
    await starting;
  });
});

describe('a child that misbehaves', () => {
  it('by flooding stderr or stdout slows nobody down but itself', async () => {
    const one = await started([modern('a'), modern('b'), modern('c')]);
    const floods = [one.text('a', 'flood_stderr', { bytes: 100e6 }), one.text('b', 'flood_stdout', { bytes: 50e6 })];
    let over = false;
    const flooding = Promise.all(floods).then((texts) => {
      over = true;
      return texts;
    });
    let during = 0;
    while (!over) {
      expect(await one.text('c', 'echo', { text: 'quick' })).toBe('quick');
      during++;
    }
    expect(await flooding).toEqual(['flooded', 'flooded']);
    expect(during).toBeGreaterThan(5);
    expect(await one.text('b', 'echo', { text: 'well' })).toBe('well');
    expect(one.events.filter(({ kind }) => kind === 'garbage').length).toBeLessThan(20);
  });

  it('by writing other things to stdout is understood all the same', async () => {
    const one = await started([stdioConfig('a', ['--era', 'legacy', '--garbage'])]);
    expect(await one.text('a', 'echo', { text: 'hi' })).toBe('hi');
    expect(one.events).toContainEqual(expect.objectContaining({ kind: 'garbage', sample: 'Listening on stdio...' }));
  });

  it('by sending a giant frame fails that call only', async () => {
    const one = await started([modern('a')], { frameBytes: 100_000 });
    const [big, echo] = await Promise.all([one.text('a', 'big', { bytes: 5e6 }), one.text('a', 'echo', { text: 'small' })]);
    expect(big).toBe('failed result_too_large unknown');
    expect(echo).toBe('small');
    expect(await one.text('a', 'big', { bytes: 90_000 })).toHaveLength(90_000);
    expect(one.manager.stats().byServer[0]?.restarts).toBe(0);
  });

  it('by sending a giant frame of nobody is ended with a clear reason', async () => {
    const one = await started([modern('a')], { frameBytes: 100 * 1024, noiseBytes: 1e9 });
    const script = `process.stdin.on('data', () => process.stdout.write('y'.repeat(1e6) + '\\n'))`;
    const bad = await started([stdioConfig('a', [], { args: ['-e', script], era: 'legacy' })], {
      frameBytes: 100 * 1024,
      backoffFirstMs: 60_000,
      backoffMaxMs: 60_000,
    });
    expect(bad.events).toContainEqual(expect.objectContaining({ kind: 'frame_too_large' }));
    expect(bad.registry.get('a')?.state.state).toBe('backing_off');
    expect(await one.text('a', 'echo', { text: 'other' })).toBe('other');
  });

  it('by hanging is bounded: more calls than its limit are refused, and it hinders no other', async () => {
    const one = await started([stdioConfig('a', ['--era', 'modern'], { maxInFlight: 3 }), modern('b')]);
    const controller = new AbortController();
    const hanging = Array.from({ length: 3 }, () => one.text('a', 'hang', {}, { signal: controller.signal }));
    expect(await one.text('a', 'echo')).toBe('failed busy no');
    expect(await one.text('b', 'echo', { text: 'free' })).toBe('free');
    expect(one.caps.list().find(({ name }) => name === 'upstream_calls:a')).toMatchObject({ size: 3, cap: 3 });
    expect(one.caps.list().find(({ name }) => name === 'upstream_queue:a')).toMatchObject({ size: 0, cap: 0, refused: 1 });
    controller.abort();
    expect(await Promise.all(hanging)).toEqual(Array(3).fill('failed canceled unknown'));
    expect(await one.text('a', 'echo', { text: 'free' })).toBe('free');
  });

  it('by not reading its input is told busy before memory grows', async () => {
    const script = `process.stdin.once('data', (d) => { const { id } = JSON.parse(String(d));
      process.stdout.write(JSON.stringify({ jsonrpc: '2.0', id, result: { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: { name: 'x', version: '1' } } }) + '\\n');
      process.stdin.once('data', (d) => { for (const line of String(d).trim().split('\\n')) { const { id, method } = JSON.parse(line);
        if (method === 'tools/list') process.stdout.write(JSON.stringify({ jsonrpc: '2.0', id, result: { tools: [] } }) + '\\n'); }
        process.stdin.pause(); }); }); setInterval(() => {}, 1000);`;
    const one = await started([stdioConfig('a', [], { args: ['-e', script], era: 'legacy', maxInFlight: 1_000 })], {
      stdinBytes: 1_000_000,
    });
    expect(one.manager.stats().byServer[0]?.state).toBe('ready');
    const text = 'x'.repeat(100_000);
    const outcomes = Promise.all(Array.from({ length: 100 }, () => one.text('a', 'echo', { text }, { deadlineMs: 500 })));
    const all = await outcomes;
    expect(all.filter((outcome) => outcome === 'failed busy no').length).toBeGreaterThan(50);
    expect(all.every((outcome) => /busy no|deadline_exceeded/.test(outcome))).toBe(true);
  });

  it('by asking for things is answered in the legacy era and ignored in the modern one', async () => {
    verifies('stdio-client-no-response');
    const asks = ['--asks', 'ping,roots/list,elicitation/create,strange/method'];
    const legacy = await started([stdioConfig('a', ['--era', 'legacy', ...asks])]);
    let heard: { method: string; answer: { error?: { code: number }; result?: unknown } }[] = [];
    while (heard.length < 4) heard = JSON.parse(await legacy.text('a', 'cancelled')) as typeof heard;
    expect(heard.map(({ method, answer }) => [method, answer.error?.code ?? answer.result])).toEqual([
      ['ping', {}],
      ['roots/list', { roots: [] }],
      ['elicitation/create', -32602],
      ['strange/method', -32601],
    ]);
    const modernOne = await started([modern('a', ...asks)]);
    expect(await modernOne.text('a', 'cancelled')).toBe('[]');
    expect(modernOne.events).toContainEqual(expect.objectContaining({ kind: 'server_request', method: 'ping', answer: 'ignored' }));
  });
});

describe('what goes over the wire', () => {
  it('is the client’s bytes on one line, with our name for the tool', async () => {
    verifies('stdio-client-lines', 'stdio-client-only-mcp', 's25-stdio-client-only-mcp');
    const one = await started([modern('a')]);
    const paramsText = '{\n  "name": "one__echo",\r\n  "arguments": { "text": "a\\nb", "big": 12345678901234567890 }\n}';
    expect(await one.text('a', '', {}, { paramsText, call: { subject: { member: 'name', value: 'echo' } } })).toBe('a\nb');
  });

  it('changes of the tools reach the registry', async () => {
    const one = await started([stdioConfig('a', ['--era', 'legacy'])], { refreshDelayMs: 10 });
    const { version } = one.registry;
    await one.text('a', 'change_tools');
    await until(() => one.registry.get('a')?.tools.some(({ definition }) => definition.name === 'added_later') === true);
    expect(one.registry.version).toBeGreaterThan(version);
  });

  it('the environment holds nothing of ours but the few names that programs need', async () => {
    process.env.PLANTED_SECRET = 'do-not-leak';
    ends.push(() => Promise.resolve(delete process.env.PLANTED_SECRET));
    const one = await started([stdioConfig('a', ['--era', 'modern'], { env: { OWN: 'yes' } })]);
    const env = JSON.parse(await one.text('a', 'env')) as Record<string, string>;
    expect(env.OWN).toBe('yes');
    expect(env.PLANTED_SECRET).toBeUndefined();
    expect(Object.keys(env).filter((name) => !['PATH', 'HOME', 'LANG', 'TMPDIR', 'OWN'].includes(name))).toEqual([]);
  });
});

describe('nothing is left', () => {
  it('after many cycles of connecting and stopping: no process, no record, no descriptor', async () => {
    const cycles = Math.round(8 * Number(process.env.STOCKPULSE_TEST_SCALE ?? 1));
    const dir = await mkdtemp(join(tmpdir(), 'client-manager-'));
    ends.push(() => rm(dir, { recursive: true, force: true }));
    const descriptors = (): number => (process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0);
    const pids: number[] = [];
    let before = 0;
    for (let i = 0; i < cycles; i++) {
      const one = await kit([modern('a'), stdioConfig('b', ['--era', 'legacy'])], {}, dir);
      await one.manager.start();
      expect(await one.text('a', 'echo', { text: 'x' })).toBe('x');
      pids.push(pidOf(one), pidOf(one, 1));
      if (i === 0) expect(readdirSync(dir).map((name) => statSync(join(dir, name)).mode & 0o777)).toEqual([0o600, 0o600]);
      await one.manager.stop();
      expect(one.manager.stats()).toMatchObject({ children: 0, byServer: [{ inFlight: 0 }, { inFlight: 0 }] });
      expect(one.caps.list()).toEqual([]);
      expect(readdirSync(dir)).toEqual([]);
      if (i === 1) before = descriptors();
    }
    expect(pids.filter((pid) => pid > 0 && isAlive(pid))).toEqual([]);
    expect(descriptors()).toBeLessThanOrEqual(before + 2);
  });

  it('after a stop in the middle of connecting', async () => {
    const one = await kit([stdioConfig('a', ['--start-delay', '60000']), stdioConfig('b', ['--silent', '--stubborn'])], {
      closeMs: 50,
      termMs: 50,
    });
    ends.push(() => one.end());
    const starting = one.manager.start();
    await until(() => one.manager.stats().children === 2);
    const waiting = one.text('a', 'echo');
    const pids = one.events.flatMap((event) => (event.kind === 'child_started' ? [event.pid] : []));
    await one.manager.stop();
    await starting;
    expect(await waiting).toBe('failed upstream_unavailable no');
    expect(one.manager.stats().children).toBe(0);
    await until(() => !pids.some(isAlive));
  });

  it('after a check: the report says what was found', async () => {
    const one = await started([]);
    expect(await one.manager.check(stdioConfig('x', ['--era', 'legacy', '--tools', '3']))).toMatchObject({
      ok: true,
      eras: ['legacy'],
      revision: '2025-11-25',
      info: { name: 'fixture' },
      problem: undefined,
      warnings: [],
    });
    expect(await one.manager.check(stdioConfig('x', ['--exit']))).toMatchObject({
      ok: false,
      problem: expect.stringContaining('exit code 3') as string,
      stderr: ['fatal: this server never starts'],
    });
    expect(one.manager.stats().children).toBe(0);
    expect(one.registry.list()).toEqual([]);
    await expect(readFile(join(one.dir, 'x'))).rejects.toThrow();
  });
});
