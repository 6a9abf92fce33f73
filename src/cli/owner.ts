import { setTimeout as wait } from 'node:timers/promises';
import type { AppPort, Owner } from './app-port.ts';
import { CliError, EXIT } from './failure.ts';

const STARTING_MS = 15_000;
const LOOK_EVERY_MS = 100;

export type ReachableOwner = Owner & { readonly socketPath: string };

/**
 * The process that owns the data folder, once it listens; undefined if there is none.
 * Throws CliError `still_starting` if it does not get that far in time.
 */
export async function reachableOwner(app: AppPort, dataDir: string, signal?: AbortSignal): Promise<ReachableOwner | undefined> {
  let pid = 0;
  for (let waited = 0; waited < STARTING_MS; waited += LOOK_EVERY_MS) {
    const owner = app.findOwner(dataDir);
    if (owner === undefined) return undefined;
    const { socketPath } = owner;
    if (socketPath !== undefined) return { ...owner, socketPath };
    pid = owner.pid;
    await wait(LOOK_EVERY_MS, undefined, signal === undefined ? {} : { signal });
  }
  throw new CliError(
    'still_starting',
    `The gateway (pid ${pid}) is starting and does not listen yet. Try again in a moment.`,
    EXIT.unreachable,
  );
}
