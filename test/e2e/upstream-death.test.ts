import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endGateways, showLogOnFailure, startGatewayProcess, tempFolder, type GatewayProcess } from '../support/gateway-process.ts';
import { McpWire, textOf } from '../support/mcp-wire.ts';
import { metric } from '../support/metrics.ts';
import { canListProcesses, commandLine, markedProcesses, newMark } from '../support/process-marks.ts';
import { PATIENCE_MS, until } from '../support/until.ts';
import { everythingStdio, filesystemStdio, fixtureStdio } from '../support/upstreams.ts';
import type { Reply } from '../support/wire.ts';

const mark = newMark();
let gateway: GatewayProcess;
let folder: string;

const wireOf = (server: string): McpWire => new McpWire(gateway.endpoint(`/mcp/${server}`), gateway.agentKey);
const metrics = (): Promise<string> => gateway.metrics();
const inFlight = async (server: string): Promise<number> => metric(await metrics(), 'stockpulse_upstream_in_flight', { server });

/** A tool result that says that the call failed, names the server, and what the caller can know about its effect. */
function expectClearFailure(reply: Reply, server: string): void {
  expect([reply.status, reply.json?.result?.isError]).toEqual([200, true]);
  const facts = JSON.parse(textOf(reply)) as { code: string; message: string; executed: string };
  expect(facts).toMatchObject({ code: 'outcome_unknown', executed: 'unknown', retryable: false });
  expect(facts.message).toContain(server);
}

beforeAll(async () => {
  folder = await tempFolder();
  await writeFile(join(folder, 'note.txt'), 'a note');
  const mcpServers = {
    // It says that the tool only reads: then ten such calls would be one, and be repeated.
    everything: { ...everythingStdio(mark), tools: { 'trigger-long-running-operation': { sideEffect: 'write' } } },
    files: filesystemStdio(folder, mark),
    modern: fixtureStdio({ era: 'modern' }, mark),
    legacy: fixtureStdio({ era: 'legacy' }, mark),
    // Servers that never come up, or are noise: they must trouble nobody.
    silent: fixtureStdio({ startDelay: 2_000_000_000 }, mark),
    broken: fixtureStdio({ exit: true }, mark),
    missing: { command: '/no/such/program' },
  };
  gateway = await startGatewayProcess({ config: { mcpServers }, env: { STOCKPULSE_E2E_MARK: mark } });
  await gateway.connected(['everything', 'files', 'modern', 'legacy']);
}, PATIENCE_MS * 2);

showLogOnFailure(() => gateway);
afterAll(endGateways, PATIENCE_MS);

describe('a child killed with -9 in mid-call', () => {
  it.each([
    ['modern', 'echo', { text: 'hi' }, 'hi'],
    ['legacy', 'echo', { text: 'hi' }, 'hi'],
  ])('%s fixture: the call fails clearly, the next works, the others never noticed', async (server, tool, args, answer) => {
    const wire = wireOf(server);
    const pid = Number(textOf(await wire.call('pid', {})));
    const other = wireOf('everything').call('trigger-long-running-operation', { duration: 2, steps: 2 });
    const doomed = wire.call('hang', {});
    await until('both calls are under way', async () => (await inFlight(server)) === 1 && (await inFlight('everything')) === 1);
    process.kill(pid, 'SIGKILL');
    expectClearFailure(await doomed, server);
    expect(textOf(await wire.call(tool, args))).toBe(answer);
    expect(Number(textOf(await wire.call('pid', {})))).not.toBe(pid);
    expect(textOf(await other)).toMatch(/completed/);
    expect(await inFlight(server)).toBe(0);
  });

  it.runIf(canListProcesses)('server-everything, with ten calls under way: each fails clearly, none is answered twice', async () => {
    const wire = wireOf('everything');
    const isTarget = (id: number): boolean => commandLine(id).includes('server-everything');
    const pid = await until('the child runs', () => markedProcesses(mark).find(isTarget));
    const files = wireOf('files').call('read_text_file', { path: join(folder, 'note.txt') });
    const doomed = Array.from({ length: 10 }, () => wire.call('trigger-long-running-operation', { duration: 600, steps: 1 }));
    await until('all calls are under way', async () => (await inFlight('everything')) === 10);
    process.kill(pid, 'SIGKILL');
    for (const reply of await Promise.all(doomed)) expectClearFailure(reply, 'everything');
    expect(textOf(await files)).toBe('a note');
    expect(textOf(await wire.call('echo', { message: 'again' }))).toBe('Echo: again');
    expect(markedProcesses(mark).filter(isTarget)).toHaveLength(1);
  });

  it('a session of a legacy client outlives the child', async () => {
    const session = await wireOf('legacy').open('2025-11-25');
    const pid = Number(textOf(await session.call('pid', {})));
    const restarts = async (): Promise<number> => metric(await metrics(), 'stockpulse_upstream_restarts', { server: 'legacy' });
    const before = await restarts();
    process.kill(pid, 'SIGKILL');
    await until('it was connected again', async () => (await restarts()) > before);
    expect(textOf(await session.call('echo', { text: 'same session' }))).toBe('same session');
  });
});

describe('servers that misbehave', () => {
  it('those that never came up are named in the call that wants them, and listed with their reason', async () => {
    for (const server of ['broken', 'missing']) {
      const reply = await wireOf(server).call('echo', {});
      expect(reply.json?.result?.isError).toBe(true);
      expect(textOf(reply)).toMatch(new RegExp(`upstream_unavailable.*${server}`));
    }
    const { servers } = (await gateway.cliJson('servers', 'list')) as { servers: { name: string; state: string; reason?: string }[] };
    const states = Object.fromEntries(servers.map(({ name, state }) => [name, state]));
    expect(states).toMatchObject({
      stockpulse: 'ready',
      everything: 'ready',
      files: 'ready',
      broken: 'backing_off',
      missing: 'backing_off',
    });
    expect(servers.find(({ name }) => name === 'missing')?.reason).toMatch(/\/no\/such\/program/);
  });

  it('they do not hold up the list of all tools', async () => {
    const reply = await new McpWire(gateway.endpoint('/mcp'), gateway.agentKey).modern('tools/list');
    expect(reply.text).toContain('"everything__echo"');
    expect(reply.text).toContain('"get_stock_price"');
  });

  it('one that floods stderr and stdout affects nobody', async () => {
    const flood = wireOf('modern').call('flood_stderr', { bytes: 50_000_000 });
    const garbage = wireOf('legacy').call('flood_stdout', { bytes: 20_000_000 });
    for (let i = 0; i < 10; i++)
      expect(textOf(await wireOf('files').call('read_text_file', { path: join(folder, 'note.txt') }))).toBe('a note');
    expect(textOf(await flood)).toBe('flooded');
    expect((await garbage).status).toBe(200);
    expect(textOf(await wireOf('legacy').call('echo', { text: 'fine' }))).toBe('fine');
  });

  it('a crash of its own in mid-call is the same as being killed', async () => {
    expectClearFailure(await wireOf('modern').call('crash', {}), 'modern');
    expect(textOf(await wireOf('modern').call('echo', { text: 'back' }))).toBe('back');
  });
});
