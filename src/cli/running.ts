import type { LoadedConfig } from '../config/index.ts';
import { adminRoutes, type StatusReply } from '../contract/index.ts';
import type { CliContext } from './context.ts';
import { ManagementClient } from './management.ts';

const DEADLINE_MS = 3000;

/** What the gateway that runs on the data folder says of itself; undefined if none runs or answers. */
export async function runningStatus(context: CliContext, dataDir: string): Promise<StatusReply | undefined> {
  const socketPath = (await context.loadApp()).findOwner(dataDir)?.socketPath;
  if (socketPath === undefined) return undefined;
  try {
    return await new ManagementClient(socketPath).ask(adminRoutes.getStatus, {}, { deadlineMs: DEADLINE_MS });
  } catch {
    return undefined;
  }
}

/** Says so if the running gateway reads another file than this process does. */
export function otherFile({ source }: LoadedConfig, { pid, config }: StatusReply): string | undefined {
  if (config.file === (source ?? null)) return undefined;
  return `The running gateway (pid ${pid}) was started with ${config.file ?? 'no configuration file'}, not with ${source ?? 'none'}.`;
}
