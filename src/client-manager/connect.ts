import type { Era, Implementation, JsonObject } from '../protocol/index.ts';
import type { Connection } from './connection.ts';
import type { Emit } from './events.ts';
import type { Failures } from './failures.ts';
import { connectHttp } from './http/connect.ts';
import type { Limits } from './limits.ts';
import { connectStdio } from './stdio/connect.ts';
import { connectSse } from './http/sse/connect.ts';
import type { ChildRecords } from './stdio/records.ts';
import type { UpstreamConfig } from './types.ts';
import { connectWs } from './http/ws/connect.ts';

export interface OpenOptions {
  readonly config: UpstreamConfig;
  readonly limits: Limits;
  readonly failures: Failures;
  /** How we introduce ourselves. */
  readonly gateway: Implementation;
  /** Where running children are recorded. */
  readonly records: ChildRecords;
  readonly emit: Emit;
  /** `probe` and `check` are short-lived: their children are named so in events. */
  readonly purpose: 'serve' | 'probe' | 'check';
  /** `auto` asks the server (PROTOCOL A9); an era skips the probe. It stands above the configured one. */
  readonly era: 'auto' | Era;
  /** The era of the connection before this one. */
  readonly expected?: Era | undefined;
  /** Client capabilities of a legacy `initialize`; none unless they are given. */
  readonly offers?: JsonObject | undefined;
}

/** An established connection over the configured transport, in the server's era or the one that is asked for. Throws a ConnectError. */
export function openConnection(options: OpenOptions, signal: AbortSignal): Promise<Connection> {
  const { config } = options;
  switch (config.transport) {
    case 'stdio':
      return connectStdio({ ...options, config }, signal);
    case 'sse':
      return connectSse({ ...options, config }, signal);
    case 'ws':
      return connectWs({ ...options, config }, signal);
    case 'http':
      return connectHttp({ ...options, config }, signal);
  }
}
