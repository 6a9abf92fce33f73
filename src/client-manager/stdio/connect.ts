import {
  isLegacyRevision,
  LATEST_MODERN,
  serverFacts,
  verdictOf,
  type Era,
  type EraVerdict,
  type Implementation,
  type ModernRevision,
  type ResponseMessage,
  type Revision,
  type ServerFacts,
} from '../../protocol/index.ts';
import { ConnectError, type Connection, type Exchange, type Reply } from '../connection.ts';
import { erasOf, incompatible } from '../eras.ts';
import type { Failures } from '../failures.ts';
import { initializeParams, ownExchange, ownMeta, refusal } from '../own-requests.ts';
import { StdioChannel } from './channel.ts';
import { Child, type ChildOptions } from './child.ts';

export interface StdioConnectOptions extends ChildOptions {
  readonly failures: Failures;
  readonly gateway: Implementation;
  /** The era of the connection before this one, if there was one. */
  readonly expected?: Era | undefined;
}

interface Facts {
  readonly era: Era;
  readonly revision: Revision;
  readonly eras: readonly Era[];
  readonly facts: ServerFacts;
}

/** A child that has introduced itself. */
class StdioConnection implements Connection {
  readonly era: Era;
  readonly via: string;
  readonly revision: Revision;
  readonly eras: readonly Era[];
  readonly facts: ServerFacts;
  readonly pid: number;
  readonly lost: Promise<string>;
  readonly #child: Child;
  readonly #channel: StdioChannel;

  constructor(child: Child, channel: StdioChannel, { era, revision, eras, facts }: Facts) {
    this.era = era;
    this.via = `stdio-${era}`;
    this.revision = revision;
    this.eras = eras;
    this.facts = facts;
    this.pid = child.pid;
    this.lost = channel.lost;
    this.#child = child;
    this.#channel = channel;
    channel.era = era;
  }

  get inFlight(): number {
    return this.#channel.inFlight;
  }

  exchange(exchange: Exchange): Promise<Reply> {
    return this.#channel.exchange(exchange);
  }

  onToolsChanged(listener: () => void): void {
    this.#channel.toolsChanged = listener;
  }

  async close(): Promise<void> {
    this.#channel.close();
    await this.#child.stop();
  }
}

/** A child and the channel to it, while it is not known yet whether it can be used. */
interface Attempt {
  readonly child: Child;
  readonly channel: StdioChannel;
}

async function begin(options: StdioConnectOptions): Promise<Attempt> {
  const child = await Child.start(options);
  return { child, channel: new StdioChannel({ ...options, child }) };
}

async function abandon({ child, channel }: Attempt, patienceMs?: number): Promise<void> {
  channel.close();
  await child.stop(patienceMs);
}

/**
 * Starts the server and connects in its era, or the configured one. With `auto` a sibling is asked first: if it answers as a modern
 * server it becomes the connection, else it is ended and a fresh process gets `initialize` as its first message (PROTOCOL A9).
 * Throws a ConnectError.
 */
export async function connectStdio(options: StdioConnectOptions, signal: AbortSignal): Promise<Connection> {
  const { era } = options.config;
  if (era === 'legacy') return initialize(options, signal);
  // A server that was legacy before most likely still is: it starts beside its probe, so that calls wait for one start, not two.
  const early = era === 'auto' && options.expected === 'legacy' ? settle(initialize(options, signal)) : undefined;
  const modern = await settle(tryModern(options, signal));
  const legacy = await early;
  if (modern.value === undefined && modern.error === undefined) {
    if (legacy !== undefined) return valueOf(legacy);
    if (signal.aborted) throw new ConnectError('the attempt was canceled');
    return initialize(options, signal);
  }
  await legacy?.value?.close();
  return valueOf(modern) as Connection;
}

type Settled<T> = { readonly value: T; readonly error: undefined } | { readonly value: undefined; readonly error: Error };

const settle = <T>(promise: Promise<T>): Promise<Settled<T>> =>
  promise.then(
    (value) => ({ value, error: undefined }),
    (error: unknown) => ({ value: undefined, error: error instanceof Error ? error : new ConnectError('it could not be started', error) }),
  );

function valueOf<T>(settled: Settled<T>): T {
  if (settled.error !== undefined) throw settled.error;
  return settled.value as T;
}

async function tryModern(options: StdioConnectOptions, signal: AbortSignal): Promise<Connection | undefined> {
  const isProbe = options.config.era === 'auto';
  const attempt = await begin(isProbe ? { ...options, purpose: options.purpose === 'check' ? 'check' : 'probe' } : options);
  try {
    const found = await discover(attempt.channel, options, signal);
    if (found !== undefined) return new StdioConnection(attempt.child, attempt.channel, found);
    if (!isProbe) throw new ConnectError(await silence(attempt));
  } catch (error) {
    await abandon(attempt);
    throw withStderr(error, attempt.child);
  }
  await abandon(attempt, 200);
  return undefined;
}

async function silence({ child }: Attempt): Promise<string> {
  if (!child.running) return `${await child.exited} before it answered`;
  return `it does not speak ${LATEST_MODERN}: set "era" to "auto" or "legacy" in its configuration`;
}

/** Undefined if the answer, the silence or the exit says legacy. */
async function discover(channel: StdioChannel, options: StdioConnectOptions, signal: AbortSignal): Promise<Facts | undefined> {
  const timeoutMs = options.config.era === 'auto' ? options.limits.probeMs : options.limits.connectMs;
  let revision: ModernRevision = LATEST_MODERN;
  for (let round = 0; round < 2; round++) {
    const params = { _meta: ownMeta(revision, options.gateway) };
    const reply = await channel.exchange(ownExchange({ method: 'server/discover', params, timeoutMs, signal }));
    const verdict: EraVerdict = reply.kind === 'response' ? verdictOf(reply) : { era: 'legacy' };
    if (verdict.era === 'legacy') return undefined;
    if (verdict.era === 'incompatible') throw new ConnectError(incompatible(verdict.supported));
    revision = verdict.revision;
    if (verdict.era === 'modern') return { era: 'modern', revision, eras: erasOf(reply as ResponseMessage), facts: verdict.facts };
  }
  throw new ConnectError(`it refuses the revision ${revision} that it lists as supported`);
}

async function initialize(options: StdioConnectOptions, signal: AbortSignal): Promise<Connection> {
  const attempt = await begin(options);
  const { child, channel } = attempt;
  channel.era = 'legacy';
  try {
    const params = initializeParams(options.gateway);
    const timeoutMs = options.limits.connectMs;
    const reply = await channel.exchange(ownExchange({ method: 'initialize', params, timeoutMs, signal }));
    if (reply.kind === 'failed')
      throw new ConnectError(
        child.running ? 'it did not answer initialize in time' : `${await child.exited} before it answered`,
        reply.failure,
      );
    if (reply.result === undefined) throw new ConnectError(refusal(reply.error), reply.error);
    const { protocolVersion } = reply.result.value;
    if (!isLegacyRevision(protocolVersion))
      throw new ConnectError(`it answered initialize with the revision ${String(protocolVersion).slice(0, 40)}, which we do not speak`);
    channel.notify('notifications/initialized');
    return new StdioConnection(child, channel, {
      era: 'legacy',
      revision: protocolVersion,
      eras: ['legacy'],
      facts: serverFacts(reply.result.value),
    });
  } catch (error) {
    await abandon(attempt);
    throw withStderr(error, child);
  }
}

/** The last words of a child that did not come up: usually they say why. */
function withStderr(error: unknown, child: Child): unknown {
  return error instanceof ConnectError ? new ConnectError(error.reason, error.detail, child.stderr) : error;
}
