import type { Command } from 'commander';
import type { LoadedConfig } from '../../config/index.ts';
import type { AppPort, Gateway } from '../app-port.ts';
import { withHelp, withJson, type Cli, type JsonOption } from '../cli.ts';
import type { CliContext } from '../context.ts';
import { CliError, codeOf, EXIT } from '../failure.ts';
import { saveFirstKeys } from '../first-keys.ts';
import { note, say } from '../output.ts';
import { readSettingsAloud } from '../settings.ts';
import { Shutdown } from '../shutdown.ts';
import { laterText, welcomeText } from '../welcome.ts';

function announcement(context: CliContext, app: AppPort, loaded: LoadedConfig, gateway: Gateway): string {
  const { url, firstKeys, agentKeyFile } = gateway;
  if (firstKeys === undefined) return laterText(app.VERSION, url);
  const { config, source } = loaded;
  const keysFile = context.stdout.isTTY === true ? undefined : saveFirstKeys(config.dataDir, firstKeys);
  return welcomeText({
    version: app.VERSION,
    url,
    keys: firstKeys,
    keysFile,
    ownAgentKey: config.security.bootstrapApiKey === firstKeys.agent,
    agentKeyFile,
    dataDir: config.dataDir,
    configFile: source,
    node: context.node,
    script: context.script,
    cwd: context.cwd,
  });
}

async function begin(app: AppPort, loaded: LoadedConfig): Promise<Gateway> {
  const { config, origin } = loaded;
  try {
    return await app.startGateway(config, { log: 'stderr', origin });
  } catch (error) {
    const owner = codeOf(error) === 'already_running' ? app.findOwner(config.dataDir) : undefined;
    if (owner === undefined) throw error;
    throw new CliError('already_running', `already running, pid ${owner.pid}, ${owner.url ?? 'starting'}`, EXIT.alreadyRunning);
  }
}

/** The same for programs. Keys are never in it: the first start names the file that has them. */
function readyReport(app: AppPort, loaded: LoadedConfig, gateway: Gateway): unknown {
  const { url, socketPath, firstKeys } = gateway;
  const { dataDir } = loaded.config;
  const keysFile = firstKeys === undefined ? null : saveFirstKeys(dataDir, firstKeys);
  return { ready: true, url, version: app.VERSION, pid: process.pid, dataDir, socketPath, keysFile };
}

/** Runs the gateway until a signal ends it. */
export async function start(context: CliContext, options: JsonOption): Promise<number> {
  const loaded = readSettingsAloud(context);
  const shutdown = new Shutdown({ signals: context.signals, exit: context.exit, note: (text) => note(context, text) });
  try {
    const app = await context.loadApp();
    const gateway = await begin(app, loaded);
    if (shutdown.signal.aborted) note(context, 'Ended before it was ready.');
    else if (options.json) say(context, JSON.stringify(readyReport(app, loaded, gateway)));
    else say(context, announcement(context, app, loaded, gateway));
    await shutdown.requested;
    await gateway.close();
    return shutdown.failed ? EXIT.failed : EXIT.ok;
  } finally {
    shutdown.dispose();
  }
}

export function addStart(program: Command, cli: Cli): void {
  const command = withJson(program.command('start').description('run the gateway here until Ctrl-C or SIGTERM'));
  withHelp(command, ['start', 'start   # PORT=8081 STOCKPULSE_DATA_DIR=./data in front of it change port and folder']);
  command.action(cli.run((options: JsonOption) => start(cli.context, options)));
}
