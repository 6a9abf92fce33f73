import { afterAll, describe, expect, it } from 'vitest';
import { endGateways, startGatewayProcess, type GatewayProcess } from '../support/gateway-process.ts';
import { askLocal } from '../support/local-socket.ts';
import { McpWire, textOf } from '../support/mcp-wire.ts';
import { dropDatabases, newDatabase, postgresMissing } from '../support/postgres.ts';
import { PATIENCE_MS, until } from '../support/until.ts';
import { ask, type Reply } from '../support/wire.ts';

const missing = await postgresMissing();

const call = (gateway: GatewayProcess, key: string): Promise<Reply> =>
  new McpWire(gateway.endpoint('/mcp/stockpulse'), key).call('get_market_status', {});

const made = async (gateway: GatewayProcess, name: string): Promise<{ id: string; secret: string }> => {
  const { key, secret } = (await gateway.cliJson('keys', 'create', name)) as { key: { id: string }; secret: string };
  return { id: key.id, secret };
};

/** Each made a master key of its own: the one that is not the database's says so, and what does not work. */
async function saysWhoseKeyIsOther(pair: readonly GatewayProcess[]): Promise<void> {
  const told = pair.filter((gateway) => gateway.logLines().some(({ event }) => event === 'master_key_differs'));
  expect(told).toHaveLength(1);
  for (const gateway of pair) {
    const { checks } = (await gateway.cliJson('doctor')) as { checks: { name: string; status: string; advice?: string }[] };
    const { json } = await askLocal(gateway.dataDir, 'GET', '/status');
    const own = checks.filter(({ name }) => name === 'master key');
    const advice = expect.stringContaining('STOCKPULSE_MASTER_KEY') as string;
    expect(own).toEqual(told.includes(gateway) ? [expect.objectContaining({ status: 'warning', advice })] : []);
    expect(json.warnings).toHaveLength(own.length);
  }
}

afterAll(async () => {
  await endGateways();
  if (missing === undefined) await dropDatabases();
}, PATIENCE_MS);

describe.skipIf(missing !== undefined)(`on PostgreSQL${missing === undefined ? '' : ` (skipped: ${missing})`}`, () => {
  it(
    'one gateway keeps its keys over a kill -9',
    async () => {
      const env = { DATABASE_URL: await newDatabase() };
      const first = await startGatewayProcess({ env });
      const { secret } = await made(first, 'survivor');
      await first.kill();
      const again = await startGatewayProcess({ env, dataDir: first.dataDir });
      expect(again.process.stdout).not.toMatch(/spk_|first-keys/);
      for (const key of [first.agentKey, secret]) expect(textOf(await call(again, key))).toMatch(/^SIMULATED/);
      expect((await again.stop()).code).toBe(0);
    },
    PATIENCE_MS * 2,
  );

  it(
    'two replicas that start at once make one pair of first keys, and see each other’s changes',
    async () => {
      const env = { DATABASE_URL: await newDatabase() };
      const pair = await Promise.all([startGatewayProcess({ env }), startGatewayProcess({ env })]);
      const [maker] = pair.filter(({ agentKey }) => agentKey !== '');
      const [other] = pair.filter((gateway) => gateway !== maker);
      if (maker === undefined || other === undefined) throw new Error('nobody made the first keys');
      expect([other.agentKey, other.approverKey]).toEqual(['', '']);
      await saysWhoseKeyIsOther(pair);
      const { json } = await askLocal(other.dataDir, 'GET', '/keys');
      expect(json.keys).toHaveLength(2);
      // Its own change makes it read all keys again.
      await made(other, 'made-there');
      expect((await call(other, maker.agentKey)).status).toBe(200);
      await maker.cliJson('keys', 'revoke', 'agent');
      expect((await call(maker, maker.agentKey)).status).toBe(401);
      await until('the other replica knows of the end', async () => (await call(other, maker.agentKey)).status === 401, PATIENCE_MS * 2);
    },
    PATIENCE_MS * 4,
  );
});

describe('a database that is not there', () => {
  it(
    'is named, without its password, and nothing listens',
    async () => {
      const env = { DATABASE_URL: 'postgres://someone:planted-password-31c7@127.0.0.1:1/nowhere' };
      const failure = await startGatewayProcess({ env }).then(
        () => '',
        (error: unknown) => String(error),
      );
      expect(failure).toMatch(/127\.0\.0\.1:1|database/i);
      expect(failure).not.toContain('planted-password-31c7');
    },
    PATIENCE_MS,
  );

  it.skipIf(missing !== undefined)(
    'after it was there: /readyz says so, and market data goes on',
    async () => {
      const gateway = await startGatewayProcess({ env: { DATABASE_URL: await newDatabase() } });
      const ready = (): Promise<Reply> => ask(gateway.endpoint('/readyz'), { method: 'GET' });
      expect((await ready()).status).toBe(200);
      // The server ends every connection of this gateway: the pool must notice and go on.
      await dropDatabases();
      await until('it is not ready', async () => (await ready()).status === 503);
      expect(textOf(await call(gateway, gateway.agentKey))).toMatch(/^SIMULATED/);
      expect((await gateway.stop()).code).toBe(0);
    },
    PATIENCE_MS * 2,
  );
});
