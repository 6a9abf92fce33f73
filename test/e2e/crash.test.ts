import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { endGateways, startGatewayProcess, tempFolder, type GatewayProcess } from '../support/gateway-process.ts';
import { askLocal } from '../support/local-socket.ts';
import { McpWire, textOf } from '../support/mcp-wire.ts';
import { canListProcesses, MARK, markedProcesses, newMark } from '../support/process-marks.ts';
import { PATIENCE_MS, rounds, until } from '../support/until.ts';
import { everythingStdio, fixtureStdio } from '../support/upstreams.ts';
import { ask, textAt } from '../support/wire.ts';

const long = { timeout: PATIENCE_MS * 30 };

afterAll(endGateways, PATIENCE_MS);

describe('kill -9 of the gateway', () => {
  /** Makes keys through the socket, one after the other, until the process is gone. Only acknowledged ones count. */
  async function writeUntilDeath(dataDir: string, prefix: string, acknowledged: Map<string, string>): Promise<void> {
    for (let i = 0; ; i++) {
      const name = `${prefix}-${i}`;
      try {
        const { status, json } = await askLocal(dataDir, 'POST', '/keys', { name, scopes: ['market:read'] });
        if (status === 201) acknowledged.set(name, textAt(json.secret));
      } catch {
        return;
      }
    }
  }

  async function expectAll(gateway: GatewayProcess, acknowledged: ReadonlyMap<string, string>): Promise<void> {
    const { json } = await askLocal(gateway.dataDir, 'GET', '/keys');
    const names = new Set((json.keys as unknown as { name: string }[]).map(({ name }) => name));
    expect([...acknowledged.keys()].filter((name) => !names.has(name))).toEqual([]);
    for (const secret of [...acknowledged.values()].slice(-20)) {
      const reply = await new McpWire(gateway.endpoint('/mcp/stockpulse'), secret).modern('tools/list');
      expect(reply.status).toBe(200);
    }
  }

  it('loses no acknowledged key, made by the command or by others meanwhile', long, async () => {
    const acknowledged = new Map<string, string>();
    let gateway = await startGatewayProcess();
    const { dataDir } = gateway;
    for (let round = 0; round < rounds(1, 20); round++) {
      const writers = [0, 1, 2].map((n) => writeUntilDeath(dataDir, `round-${round}-writer-${n}`, acknowledged));
      const name = `round-${round}-command`;
      const made = (await gateway.cliJson('keys', 'create', name)) as { secret: string };
      acknowledged.set(name, made.secret);
      await gateway.kill();
      await Promise.all(writers);
      gateway = await startGatewayProcess({ dataDir });
      expect(gateway.process.stdout).not.toMatch(/spk_|first-keys/);
      await expectAll(gateway, acknowledged);
    }
    expect(acknowledged.size).toBeGreaterThan(rounds(1, 20));
    await gateway.stop();
  });

  it.runIf(canListProcesses)('leaves children that the next start ends', long, async () => {
    const mark = newMark();
    const folder = await tempFolder();
    const grandchild = join(folder, 'grandchild.pid');
    const mcpServers = { stubborn: fixtureStdio({ stubborn: true, grandchild }, mark), everything: everythingStdio(mark) };
    const options = { config: { mcpServers }, env: { [MARK]: mark } };
    const first = await startGatewayProcess(options);
    const wire = new McpWire(first.endpoint('/mcp/stubborn'), first.agentKey);
    const pid = await until('the child answers', async () => Number(textOf(await wire.call('pid', {}))) || undefined);
    await first.kill();
    expect(markedProcesses(mark)).toContain(pid);
    const second = await startGatewayProcess({ ...options, dataDir: first.dataDir });
    await until('the old group is gone', () => !markedProcesses(mark).includes(pid));
    const again = new McpWire(second.endpoint('/mcp/stubborn'), second.agentKey);
    expect(Number(textOf(await again.call('pid', {})))).not.toBe(pid);
    await second.stop();
    await until('nothing is left', () => markedProcesses(mark).length === 0);
  });

  it('a torn file beside the database does not keep it from starting', async () => {
    const gateway = await startGatewayProcess();
    await gateway.kill();
    writeFileSync(join(gateway.dataDir, 'owner.json'), '{"pid":');
    const again = await startGatewayProcess({ dataDir: gateway.dataDir });
    expect((await new McpWire(again.endpoint('/mcp'), gateway.agentKey).modern('tools/list')).status).toBe(200);
    await again.stop();
  });
});

describe('start and stop', () => {
  it('leave no process and no listener, whatever was under way', long, async () => {
    const mark = newMark();
    const mcpServers = { everything: everythingStdio(mark), stubborn: fixtureStdio({ stubborn: true }, mark) };
    let dataDir = await tempFolder();
    for (let cycle = 0; cycle < rounds(4, 100); cycle++) {
      const gateway = await startGatewayProcess({ config: { mcpServers }, env: { [MARK]: mark }, dataDir });
      ({ dataDir } = gateway);
      const wire = new McpWire(gateway.endpoint('/mcp'), gateway.agentKey);
      // Sometimes the children are only just starting, sometimes a call is under way.
      if (cycle % 2 === 1) await wire.call('everything__echo', { message: 'hi' });
      const pending = cycle % 4 === 3 ? wire.call('stubborn__hang', {}).catch(() => undefined) : undefined;
      expect([cycle, await gateway.stop()]).toEqual([cycle, { code: 0, signal: null }]);
      await pending;
      if (canListProcesses) await until(`cycle ${cycle}: no process is left`, () => markedProcesses(mark).length === 0, 5000);
      await expect(ask(gateway.endpoint('/healthz'), { method: 'GET' })).rejects.toThrow(/ECONNREFUSED/);
    }
  });
});
