import { sleep } from '../shared/index.ts';

export interface RecheckOptions {
  readonly everyMs: number;
  /** Asks the server on the side; must not reject. */
  readonly speaksModern: () => Promise<boolean>;
  /** True while no call is under way. */
  readonly isIdle: () => boolean;
  readonly signal: AbortSignal;
}

const IDLE_POLL_MS = 100;

/**
 * Resolves once a server with a legacy verdict has turned modern and no call would be cut by connecting anew: the verdict is asked
 * for again from time to time (PROTOCOL A9). Stays pending for ever once the signal is aborted.
 */
export function turnedModern(options: RecheckOptions): Promise<string> {
  return new Promise((resolve) => {
    watch(options).then(resolve, () => undefined);
  });
}

async function watch({ everyMs, speaksModern, isIdle, signal }: RecheckOptions): Promise<string> {
  do await sleep(everyMs, signal);
  while (!(await speaksModern()));
  while (!isIdle()) await sleep(IDLE_POLL_MS, signal);
  return 'it speaks a modern revision now';
}
