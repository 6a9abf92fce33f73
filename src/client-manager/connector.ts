import type { Era, Implementation } from '../protocol/index.ts';
import { messageOf } from '../shared/index.ts';
import type { EgressGuard } from '../security/index.ts';
import { openConnection } from './connect.ts';
import type { ToolJudge } from './pins/tool-judge.ts';
import { ConnectError, type Connection } from './connection.ts';
import { discoverAll, type Discovered } from './discovery.ts';
import type { AskEra } from './eras.ts';
import type { Emit } from './events.ts';
import { Failures } from './failures.ts';
import type { Limits } from './limits.ts';
import type { ChildRecords } from './stdio/records.ts';
import type { UpstreamConfig } from './types.ts';

export interface ConnectorOptions {
  /** Decides what is shown of the server's tools; everything is unless it is given. */
  readonly judge?: ToolJudge | undefined;
  /** Where we may connect to; everywhere unless it is given. */
  readonly egress?: EgressGuard | undefined;
  readonly config: UpstreamConfig;
  readonly limits: Limits;
  readonly gateway: Implementation;
  readonly records: ChildRecords;
  readonly emit: Emit;
  readonly purpose: 'serve' | 'check';
  /** Stands above the configured one. */
  readonly era: 'auto' | Era;
  /** The era of the connection before this one. */
  readonly expected?: Era | undefined;
  readonly onRefused?: AskEra | undefined;
  /** In whose words calls over the connection fail. */
  readonly failures?: Failures;
}

export interface Connected {
  readonly connection: Connection;
  readonly discovered: Discovered;
  /** Milliseconds until the server had introduced itself, and then until its lists were read. */
  readonly connectMs: number;
  readonly listMs: number;
}

/**
 * One attempt: connect, and read the lists. It takes at most `connectMs`. Throws a ConnectError, with nothing left running.
 */
export async function connectOnce(options: ConnectorOptions, signal: AbortSignal): Promise<Connected> {
  const { config, limits } = options;
  const timeout = AbortSignal.timeout(limits.connectMs);
  try {
    return await attempt(options, AbortSignal.any([signal, timeout]));
  } catch (error) {
    const stderr = error instanceof ConnectError ? error.stderr : [];
    if (timeout.aborted && !signal.aborted) throw new ConnectError(`it was not ready within ${limits.connectMs} ms`, error, stderr);
    if (error instanceof ConnectError) throw error;
    throw new ConnectError(`the connection to "${config.name}" failed in an unexpected way`, messageOf(error));
  }
}

async function attempt(options: ConnectorOptions, signal: AbortSignal): Promise<Connected> {
  const { config, limits, gateway, failures = new Failures(config.name, limits.frameBytes) } = options;
  const begun = performance.now();
  const connection = await openConnection({ ...options, failures }, signal);
  const connected = performance.now();
  try {
    const discovered = await discoverAll(connection, {
      gateway,
      limits,
      scopes: config.scopes,
      policies: config.tools,
      judge: options.judge,
      signal,
    });
    return { connection, discovered, connectMs: connected - begun, listMs: performance.now() - connected };
  } catch (error) {
    await connection.close();
    throw error;
  }
}
