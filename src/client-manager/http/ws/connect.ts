import { LATEST_MODERN } from '../../../protocol/index.ts';
import { ConnectError, type Connection } from '../../connection.ts';
import { DuplexConnection } from '../../duplex/connection.ts';
import { discover, initialize, type Introduction } from '../../duplex/handshake.ts';
import { openSocket } from './open.ts';
import { WsWire } from './wire.ts';
import type { HttpConnectOptions } from '../options.ts';

/**
 * Connects over a WebSocket with the subprotocol `mcp`, by the rules of stdio: with `auto` the server is asked on the connection itself, and
 * a legacy one gets `initialize` as the first message of a fresh connection (PROTOCOL A9). Throws a ConnectError.
 */
export async function connectWs(options: HttpConnectOptions, signal: AbortSignal): Promise<Connection> {
  const { era, limits, gateway } = options;
  if (era !== 'legacy') {
    const timeoutMs = era === 'auto' ? limits.probeMs : limits.connectMs;
    const modern = await attempt(options, signal, (wire) => discover(wire.duplex, { gateway, timeoutMs, signal }));
    if (modern !== undefined) return modern;
    if (signal.aborted) throw new ConnectError('the attempt was canceled');
    if (era === 'modern')
      throw new ConnectError(`it does not speak ${LATEST_MODERN}: set "era" to "auto" or "legacy" in its configuration`);
  }
  const legacy = await attempt(options, signal, (wire) => introduce(wire, options, signal));
  if (legacy === undefined) throw new ConnectError('it did not answer initialize');
  return legacy;
}

function introduce({ duplex }: WsWire, { gateway, offers, limits }: HttpConnectOptions, signal: AbortSignal): Promise<Introduction> {
  const silence = (): string => duplex.over ?? 'it did not answer initialize in time';
  return initialize(duplex, { gateway, offers, silence, timeoutMs: limits.connectMs, signal });
}

/** A connection over which the server has introduced itself, or undefined with nothing left of it. */
async function attempt(
  options: HttpConnectOptions,
  signal: AbortSignal,
  meet: (wire: WsWire) => Promise<Introduction | undefined>,
): Promise<Connection | undefined> {
  const socket = await openSocket(options, signal);
  const wire = new WsWire({ ...options, socket, roots: options.config.roots });
  let introduction: Introduction | undefined;
  try {
    introduction = await meet(wire);
  } finally {
    if (introduction === undefined) await wire.close();
  }
  if (introduction === undefined) return undefined;
  return new DuplexConnection({ kind: 'ws', duplex: wire.duplex, introduction, end: () => wire.close() });
}
