import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Gateway } from '../../src/app.ts';
import { startGatewayHere } from './gateway-app.ts';
import { tempFolder } from './gateway-process.ts';
import { askLocal } from './local-socket.ts';
import { McpWire } from './mcp-wire.ts';
import { metric } from './metrics.ts';
import { dropDatabases, newDatabase, postgresMissing } from './postgres.ts';
import { until } from './until.ts';
import type { ServerBlock } from './upstreams.ts';
import { ask, textAt } from './wire.ts';

/**
 * The gateway inside the test's own process, with upstreams, several keys and its gauges at hand. Whoever starts it closes it. Its database is
 * PostgreSQL where one is there, as the embedded one takes long to open on a busy machine.
 */
export class GatewayHere {
  readonly dataDir: string;
  readonly key: string;
  readonly #env: Readonly<Record<string, string>>;
  #gateway: Gateway;

  private constructor(dataDir: string, env: Readonly<Record<string, string>>, gateway: Gateway) {
    this.dataDir = dataDir;
    this.key = gateway.firstKeys?.agent ?? '';
    this.#env = env;
    this.#gateway = gateway;
  }

  static async start(mcpServers: Readonly<Record<string, ServerBlock>>, settings: object = {}): Promise<GatewayHere> {
    const dataDir = await tempFolder();
    await writeFile(join(dataDir, 'stockpulse.yaml'), JSON.stringify({ mcpServers, ...settings }));
    const env: Record<string, string> = (await postgresMissing()) === undefined ? { DATABASE_URL: await newDatabase() } : {};
    const here = new GatewayHere(dataDir, env, await startGatewayHere(dataDir, env));
    await here.connected(Object.keys(mcpServers));
    return here;
  }

  get url(): string {
    return this.#gateway.url;
  }

  get gateway(): Gateway {
    return this.#gateway;
  }

  wire(server?: string, key: string = this.key): McpWire {
    return new McpWire(`${this.url}/mcp${server === undefined ? '' : `/${server}`}`, key);
  }

  /** Another principal with the same rights. */
  async newKey(name: string): Promise<string> {
    const { status, json } = await askLocal(this.dataDir, 'POST', '/keys', { name, scopes: ['market:read'] });
    if (status !== 201) throw new Error(`no key: ${status} ${JSON.stringify(json)}`);
    return textAt(json.secret);
  }

  async metrics(): Promise<string> {
    return (await ask(`${this.url}/metrics`, { method: 'GET' })).text;
  }

  /** What a bounded collection holds. */
  async holds(name: string): Promise<number> {
    return metric(await this.metrics(), 'stockpulse_bounded_size', { name });
  }

  async connected(servers: readonly string[]): Promise<void> {
    await until(`connected: ${servers.join(', ')}`, async () => {
      const text = await this.metrics();
      return servers.every((server) => metric(text, 'stockpulse_upstream_state', { server, state: 'ready' }) === 1);
    });
  }

  /** The same gateway once more, on the same folder: another process to everybody outside. */
  async restart(): Promise<void> {
    await this.#gateway.close();
    this.#gateway = await startGatewayHere(this.dataDir, this.#env);
  }

  async close(): Promise<void> {
    await this.#gateway.close();
    await dropDatabases();
  }
}
