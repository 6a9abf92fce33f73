import {
  isLegacyRevision,
  LATEST_MODERN,
  serverFacts,
  verdictOf,
  type Era,
  type EraVerdict,
  type Implementation,
  type JsonObject,
  type ModernRevision,
  type ResponseMessage,
  type Revision,
  type ServerFacts,
} from '../../protocol/index.ts';
import { ConnectError, RefusedError } from '../connection.ts';
import { erasOf, incompatible } from '../eras.ts';
import { ownProblem } from '../failures.ts';
import { initializeParams, ownExchange, ownMeta, refusal } from '../own-requests.ts';
import type { Duplex } from './duplex.ts';

/** What a server said when it introduced itself. */
export interface Introduction {
  readonly era: Era;
  readonly revision: Revision;
  readonly eras: readonly Era[];
  readonly facts: ServerFacts;
}

export interface HandshakeOptions {
  readonly gateway: Implementation;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Asks the server whether it is modern. Undefined if the answer, the silence or the end of the connection says legacy (PROTOCOL A9). */
export async function discover(duplex: Duplex, { gateway, timeoutMs, signal }: HandshakeOptions): Promise<Introduction | undefined> {
  let revision: ModernRevision = LATEST_MODERN;
  for (let round = 0; round < 2; round++) {
    const params = { _meta: ownMeta(revision, gateway) };
    const reply = await duplex.exchange(ownExchange({ method: 'server/discover', params, timeoutMs, signal }));
    const verdict: EraVerdict = reply.kind === 'response' ? verdictOf(reply) : { era: 'legacy' };
    if (verdict.era === 'legacy') return undefined;
    if (verdict.era === 'incompatible') throw new ConnectError(incompatible(verdict.supported));
    revision = verdict.revision;
    if (verdict.era === 'modern') return { era: 'modern', revision, eras: erasOf(reply as ResponseMessage), facts: verdict.facts };
  }
  throw new ConnectError(`it refuses the revision ${revision} that it lists as supported`);
}

export interface InitializeOptions extends HandshakeOptions {
  /** Client capabilities to declare. */
  readonly offers: JsonObject | undefined;
  /** Why there was no answer. */
  readonly silence: () => string | Promise<string>;
}

/** The legacy handshake. Throws a ConnectError. */
export async function initialize(duplex: Duplex, options: InitializeOptions): Promise<Introduction> {
  const { gateway, timeoutMs, signal, offers, silence } = options;
  duplex.era = 'legacy';
  const params = initializeParams(gateway, offers);
  const reply = await duplex.exchange(ownExchange({ method: 'initialize', params, timeoutMs, signal }));
  if (reply.kind === 'failed') throw new ConnectError(await silence(), ownProblem(reply.failure));
  if (reply.result === undefined) throw new RefusedError(refusal(reply.error), reply.error);
  const { protocolVersion } = reply.result.value;
  if (!isLegacyRevision(protocolVersion))
    throw new ConnectError(`it answered initialize with the revision ${String(protocolVersion).slice(0, 40)}, which we do not speak`);
  duplex.notify('notifications/initialized');
  return { era: 'legacy', revision: protocolVersion, eras: ['legacy'], facts: serverFacts(reply.result.value) };
}
