import type { Era, Implementation, JsonObject } from '../protocol/index.ts';
import type { EgressGuard } from '../security/index.ts';
import { messageOf } from '../shared/index.ts';
import { ConnectError, type Connection } from './connection.ts';
import type { AskEra } from './eras.ts';
import type { Emit } from './events.ts';
import type { Failures } from './failures.ts';
import { connectHttp } from './http/connect.ts';
import type { Limits } from './limits.ts';
import { connectStdio } from './stdio/connect.ts';
import { ownOffers } from './own-requests.ts';
import { connectSse } from './http/sse/connect.ts';
import type { ChildRecords } from './stdio/records.ts';
import type { HttpConfig, UpstreamConfig } from './types.ts';
import { connectWs } from './http/ws/connect.ts';

export interface OpenOptions {
  /** Where we may connect to; everywhere unless it is given. */
  readonly egress?: EgressGuard | undefined;
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
export async function openConnection(options: OpenOptions, signal: AbortSignal): Promise<Connection> {
  const { config } = options;
  if (config.transport !== 'stdio') judgeUrl(config, options.egress);
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

/** Throws a ConnectError for a place that may not be reached. A url that is none is its transport's to refuse. */
function judgeUrl({ url }: HttpConfig, egress: EgressGuard | undefined): void {
  if (egress === undefined || !URL.canParse(url)) return;
  try {
    egress.check(url, 'configured');
  } catch (error) {
    throw new ConnectError(`its url may not be used: ${messageOf(error)}`);
  }
}
