import {
  LATEST_MODERN,
  mirrorHeaders,
  requestText,
  verdictOf,
  type Era,
  type EraVerdict,
  type Implementation,
  type ModernRevision,
  type ServerFacts,
} from '../../protocol/index.ts';
import { ConnectError, type Exchange } from '../connection.ts';
import { erasOf, incompatible } from '../eras.ts';
import { ownExchange, ownMeta } from '../own-requests.ts';
import type { HttpChannel } from './channel.ts';
import type { HttpReply } from './exchange.ts';
import { connectProblem } from './reply.ts';

let lastId = 0;

/** One modern request with the headers that mirror it (PROTOCOL C3). */
export function postModern(channel: HttpChannel, exchange: Exchange, revision: ModernRevision): Promise<HttpReply> {
  const mirrored = mirrorHeaders(revision, exchange.method, exchange.mirror, exchange.headerParams);
  const headers: string[] = [];
  for (const name in mirrored) headers.push(name, mirrored[name] as string);
  const id = ++lastId;
  return channel.post(requestText(id, exchange.method, exchange.params), headers, id, exchange.expiresAt, exchange);
}

export interface DiscoverOptions {
  readonly gateway: Implementation;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** What a modern server says of itself. */
export interface Discovery {
  readonly revision: ModernRevision;
  readonly eras: readonly Era[];
  readonly facts: ServerFacts;
}

/** Undefined for a legacy server. Throws a ConnectError for an answer that is no verdict (PROTOCOL A9). */
export async function discover(channel: HttpChannel, options: DiscoverOptions): Promise<Discovery | undefined> {
  const { gateway, timeoutMs, signal } = options;
  let revision: ModernRevision = LATEST_MODERN;
  for (let round = 0; round < 2; round++) {
    const params = { _meta: ownMeta(revision, gateway) };
    const exchange = ownExchange({ method: 'server/discover', params, timeoutMs, signal });
    const reply = await postModern(channel, exchange, revision);
    const problem = connectProblem(reply, 'server/discover');
    if (problem !== undefined) throw problem;
    const verdict: EraVerdict = reply.response === undefined ? { era: 'legacy' } : verdictOf(reply.response);
    if (verdict.era === 'legacy') return undefined;
    if (verdict.era === 'incompatible') throw new ConnectError(incompatible(verdict.supported));
    revision = verdict.revision;
    if (verdict.era === 'modern') return { revision, eras: erasOf(reply.response), facts: verdict.facts };
  }
  throw new ConnectError(`it refuses the revision ${revision} that it lists as supported`);
}
