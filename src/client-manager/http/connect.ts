import { LATEST_MODERN, verdictOf, type EraVerdict, type Implementation, type ModernRevision } from '../../protocol/index.ts';
import { ConnectError, type Connection } from '../connection.ts';
import { erasOf, incompatible } from '../eras.ts';
import type { Emit } from '../events.ts';
import type { Failures } from '../failures.ts';
import type { Limits } from '../limits.ts';
import { initializeParams, ownExchange, ownMeta } from '../own-requests.ts';
import type { HttpConfig } from '../types.ts';
import { HttpChannel } from './channel.ts';
import { LegacyHttpConnection } from './legacy.ts';
import { ModernHttpConnection, postModern } from './modern.ts';
import { connectProblem } from './reply.ts';

export interface HttpConnectOptions {
  readonly config: HttpConfig;
  readonly limits: Limits;
  readonly failures: Failures;
  readonly gateway: Implementation;
  readonly emit: Emit;
}

/** Connects in the server's era, or the configured one (PROTOCOL A9). Throws a ConnectError. */
export async function connectHttp(options: HttpConnectOptions, signal: AbortSignal): Promise<Connection> {
  const { config, limits } = options;
  if (!URL.canParse(config.url)) throw new ConnectError('its url is not a valid URL');
  const channel = new HttpChannel({ config, maxBytes: limits.frameBytes, connectMs: limits.connectMs });
  try {
    const modern = config.era === 'legacy' ? undefined : await discover(channel, options, signal);
    if (modern !== undefined) return modern;
    if (config.era === 'modern')
      throw new ConnectError(`it does not speak ${LATEST_MODERN}: set "era" to "auto" or "legacy" in its configuration`);
    const params = initializeParams(options.gateway);
    return await LegacyHttpConnection.open({ ...options, channel, params, timeoutMs: limits.connectMs }, signal);
  } catch (error) {
    await channel.close();
    throw error;
  }
}

async function discover(channel: HttpChannel, options: HttpConnectOptions, signal: AbortSignal): Promise<Connection | undefined> {
  let revision: ModernRevision = LATEST_MODERN;
  for (let round = 0; round < 2; round++) {
    const params = { _meta: ownMeta(revision, options.gateway) };
    const exchange = ownExchange({ method: 'server/discover', params, timeoutMs: options.limits.connectMs, signal });
    const reply = await postModern(channel, exchange, revision);
    const problem = connectProblem(reply, 'server/discover');
    if (problem !== undefined) throw problem;
    const verdict: EraVerdict = reply.response === undefined ? { era: 'legacy' } : verdictOf(reply.response);
    if (verdict.era === 'legacy') return undefined;
    if (verdict.era === 'incompatible') throw new ConnectError(incompatible(verdict.supported));
    revision = verdict.revision;
    if (verdict.era === 'modern')
      return new ModernHttpConnection({
        channel,
        failures: options.failures,
        revision,
        eras: erasOf(reply.response),
        facts: verdict.facts,
      });
  }
  throw new ConnectError(`it refuses the revision ${revision} that it lists as supported`);
}
