import type { Config } from '../config/index.ts';
import type { AppPort, Gateway } from './app-port.ts';
import type { CliContext } from './context.ts';
import { codeOf } from './failure.ts';
import { saveFirstKeys } from './first-keys.ts';
import { ManagementClient } from './management.ts';
import { note } from './output.ts';
import { reachableOwner } from './owner.ts';
import { readSettings } from './settings.ts';

/** A gateway to talk to, and what must be closed afterwards. */
interface Session {
  readonly socketPath: string;
  readonly offline: Gateway | undefined;
}

function keepFirstKeys(context: CliContext, config: Config, gateway: Gateway): void {
  if (gateway.firstKeys === undefined) return;
  const file = saveFirstKeys(config.dataDir, gateway.firstKeys);
  note(context, `This was the first use of ${config.dataDir}: its agent key and approver key are in ${file}.`);
}

async function open(context: CliContext, app: AppPort, config: Config): Promise<Session> {
  const owner = await reachableOwner(app, config.dataDir);
  if (owner !== undefined) return { socketPath: owner.socketPath, offline: undefined };
  try {
    const offline = await app.startGateway(config, { offline: true, log: 'silent' });
    keepFirstKeys(context, config, offline);
    return { socketPath: offline.socketPath, offline };
  } catch (error) {
    // Somebody started it between the two looks.
    const other = codeOf(error) === 'already_running' ? await reachableOwner(app, config.dataDir) : undefined;
    if (other === undefined) throw error;
    return { socketPath: other.socketPath, offline: undefined };
  }
}

/** Talks to the running gateway; if none runs, to storage alone for the time of `use`. Verbs that need servers are refused then (`offline`). */
export async function withManagement<T>(context: CliContext, use: (client: ManagementClient, config: Config) => Promise<T>): Promise<T> {
  const { config } = readSettings(context);
  const session = await open(context, await context.loadApp(), config);
  try {
    return await use(new ManagementClient(session.socketPath), config);
  } finally {
    await session.offline?.close();
  }
}
