import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Command } from 'commander';
import type { Config } from '../../config/index.ts';
import type { AppPort, Gateway } from '../app-port.ts';
import { withHelp, type Cli } from '../cli.ts';
import type { CliContext } from '../context.ts';
import { CliError, codeOf, EXIT } from '../failure.ts';
import { saveFirstKeys } from '../first-keys.ts';
import { note } from '../output.ts';
import { reachableOwner, type ReachableOwner } from '../owner.ts';
import { relay } from '../relay.ts';
import { readSettingsAloud } from '../settings.ts';
import { Shutdown } from '../shutdown.ts';

interface StdioOptions {
  readonly server?: string;
}

const SERVER = /^[a-z0-9-]{1,64}$/;

async function agentKey(dataDir: string): Promise<string> {
  const file = join(dataDir, 'agent.key');
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch {
    const message = `The agent key cannot be read from ${file}. The first start writes it; write the secret of a key there (mode 0600).`;
    throw new CliError('agent_key_missing', message, EXIT.unreachable);
  }
}

async function relayTo(
  context: CliContext,
  config: Config,
  owner: ReachableOwner,
  options: StdioOptions,
  signal: AbortSignal,
): Promise<void> {
  const { stdin, stdout } = context;
  const path = options.server === undefined ? '/mcp' : `/mcp/${options.server}`;
  const key = await agentKey(config.dataDir);
  const drainMs = (config.limits.callSeconds + 5) * 1000;
  await relay({ socketPath: owner.socketPath, path, key, stdin, stdout, drainMs, signal });
}

/** Starts a gateway of our own: on the configured port, else on a free one, since nobody asked for a certain port here. */
async function becomeOwner(app: AppPort, config: Config): Promise<Gateway> {
  try {
    return await app.startGateway(config, { log: 'stderr' });
  } catch (error) {
    if (codeOf(error) !== 'port_in_use') throw error;
    return app.startGateway({ ...config, server: { ...config.server, port: 0 } }, { log: 'stderr' });
  }
}

async function serve(context: CliContext, config: Config, gateway: Gateway, options: StdioOptions, shutdown: Shutdown): Promise<void> {
  if (gateway.firstKeys !== undefined)
    note(context, `The keys of this first start are in ${saveFirstKeys(config.dataDir, gateway.firstKeys)}.`);
  note(context, `Nobody ran on ${config.dataDir}: this process serves it at ${gateway.url} until its input ends.`);
  const { server } = options;
  try {
    const served = gateway.serveStdio(context.stdin, context.stdout, server === undefined ? {} : { server });
    await Promise.race([served, shutdown.requested]);
  } finally {
    // From here on closing has a deadline, whoever asked for it.
    shutdown.request(EXIT.ok);
    await gateway.close();
  }
}

/** Speaks MCP on stdin and stdout: through the running gateway, or as the gateway if none runs. */
export async function stdio(context: CliContext, options: StdioOptions): Promise<number> {
  if (options.server !== undefined && !SERVER.test(options.server))
    throw new CliError('invalid_request', 'A server name is made of a-z, 0-9 and -.', EXIT.usage);
  const { config } = readSettingsAloud(context);
  const shutdown = new Shutdown({ signals: context.signals, exit: context.exit, note: (text) => note(context, text) });
  const { signal } = shutdown;
  try {
    const app = await context.loadApp();
    // Two hosts may start at once: whoever loses the race relays to the winner.
    for (let attempt = 1; ; attempt++) {
      const owner = await reachableOwner(app, config.dataDir, signal);
      if (owner !== undefined) {
        await relayTo(context, config, owner, options, signal);
        break;
      }
      const gateway = await becomeOwner(app, config).catch((error: unknown) => {
        if (codeOf(error) === 'already_running' && attempt < 5) return undefined;
        throw error;
      });
      if (gateway !== undefined) {
        await serve(context, config, gateway, options, shutdown);
        break;
      }
      await wait(attempt * 100);
    }
    return shutdown.failed ? EXIT.failed : EXIT.ok;
  } finally {
    shutdown.dispose();
  }
}

export function addStdio(program: Command, cli: Cli): void {
  const command = program
    .command('stdio')
    .description('speak MCP on stdin and stdout, for desktop hosts; through the running gateway, or as the gateway if none runs')
    .option('--server <name>', 'offer this server alone, names untouched (default: all servers)');
  withHelp(command, ['stdio', 'stdio --server stockpulse']);
  command.action(cli.run((options: StdioOptions) => stdio(cli.context, options)));
}
