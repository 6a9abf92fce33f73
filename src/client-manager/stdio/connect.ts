import { LATEST_MODERN, type Era, type Implementation, type JsonObject } from '../../protocol/index.ts';
import { ConnectError, type Connection } from '../connection.ts';
import { DuplexConnection } from '../duplex/connection.ts';
import { discover, initialize as introduce, type Introduction } from '../duplex/handshake.ts';
import type { Failures } from '../failures.ts';
import { StdioChannel } from './channel.ts';
import { Child, type ChildOptions } from './child.ts';

export interface StdioConnectOptions extends ChildOptions {
  readonly failures: Failures;
  readonly gateway: Implementation;
  readonly era: 'auto' | Era;
  readonly offers?: JsonObject | undefined;
  /** The era of the connection before this one, if there was one. */
  readonly expected?: Era | undefined;
}

/** A child and the channel to it, while it is not known yet whether it can be used. */
interface Attempt {
  readonly child: Child;
  readonly channel: StdioChannel;
}

async function begin(options: StdioConnectOptions): Promise<Attempt> {
  const child = await Child.start(options);
  return { child, channel: new StdioChannel({ ...options, child, roots: options.config.roots }) };
}

function connectionOf({ child, channel: { duplex } }: Attempt, introduction: Introduction): Connection {
  return new DuplexConnection({ kind: 'stdio', duplex, introduction, pid: child.pid, end: () => child.stop() });
}

async function abandon({ child, channel }: Attempt, patienceMs?: number): Promise<void> {
  channel.duplex.end('the connection was closed by the gateway');
  await child.stop(patienceMs);
}

/**
 * Starts the server and connects in its era, or the one that is asked for. With `auto` a sibling is asked first: if it answers as a modern
 * server it becomes the connection, else it is ended and a fresh process gets `initialize` as its first message (PROTOCOL A9).
 * Throws a ConnectError.
 */
export async function connectStdio(options: StdioConnectOptions, signal: AbortSignal): Promise<Connection> {
  const { era } = options;
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
  const isProbe = options.era === 'auto';
  const attempt = await begin(isProbe ? { ...options, purpose: options.purpose === 'check' ? 'check' : 'probe' } : options);
  try {
    const { gateway, limits } = options;
    const timeoutMs = isProbe ? limits.probeMs : limits.connectMs;
    const found = await discover(attempt.channel.duplex, { gateway, timeoutMs, signal });
    if (found !== undefined) return connectionOf(attempt, found);
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

async function initialize(options: StdioConnectOptions, signal: AbortSignal): Promise<Connection> {
  const attempt = await begin(options);
  const { child, channel } = attempt;
  const silence = async (): Promise<string> =>
    child.running ? 'it did not answer initialize in time' : `${await child.exited} before it answered`;
  try {
    const { gateway, offers, limits } = options;
    return connectionOf(attempt, await introduce(channel.duplex, { gateway, offers, silence, timeoutMs: limits.connectMs, signal }));
  } catch (error) {
    await abandon(attempt);
    throw withStderr(error, child);
  }
}

/** The last words of a child that did not come up: usually they say why. */
function withStderr(error: unknown, child: Child): unknown {
  return error instanceof ConnectError ? new ConnectError(error.reason, error.detail, child.stderr) : error;
}
