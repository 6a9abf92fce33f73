import type { Era, Implementation, JsonObject } from '../protocol/index.ts';
import type { Connection } from './connection.ts';
import type { AskEra } from './eras.ts';
import type { Emit } from './events.ts';
import type { Failures } from './failures.ts';
import { connectHttp } from './http/connect.ts';
import type { Limits } from './limits.ts';
import { connectStdio } from './stdio/connect.ts';
import { ownOffers } from './own-requests.ts';
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
  /** What a client offers in whose name the legacy `initialize` is; without it that is in our own, which offers the configured roots. */
  readonly offers?: JsonObject | undefined;
  /** A server that answers has refused a request as none of its era does. */
  readonly onRefused?: AskEra | undefined;
}

/** An established connection over the configured transport, in the server's era or the one that is asked for. Throws a ConnectError. */
export function openConnection(options: OpenOptions, signal: AbortSignal): Promise<Connection> {
  const { config } = options;
  const asked = options.offers !== undefined;
  const own = { ...options, offers: options.offers ?? ownOffers(config.roots) };
  switch (config.transport) {
    case 'stdio':
      return connectStdio({ ...own, config }, signal);
    case 'sse':
      return connectSse({ ...own, config }, signal);
    case 'ws':
      return connectWs({ ...own, config }, signal);
    case 'http':
      return connectHttp({ ...own, config, asked }, signal);
  }
}
