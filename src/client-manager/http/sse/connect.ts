import type { SseEvent } from '../../../protocol/index.ts';
import { ConnectError, DeniedError, type Connection } from '../../connection.ts';
import { DuplexConnection } from '../../duplex/connection.ts';
import { initialize } from '../../duplex/handshake.ts';
import { HttpChannel } from '../channel.ts';
import type { StreamEnd } from '../event-stream.ts';
import { networkReason, statusReason } from '../reply.ts';
import { settledWithin } from '../../waiting.ts';
import { SseWire } from './wire.ts';
import type { HttpConnectOptions } from '../options.ts';

const LATE = 'it opened no event stream with an "endpoint" event in time';

/** Connects over HTTP+SSE of 2024-11-05, which knows the legacy era only. Throws a ConnectError. */
export async function connectSse(options: HttpConnectOptions, signal: AbortSignal): Promise<Connection> {
  const { config, limits, gateway, offers, era } = options;
  if (!URL.canParse(config.url)) throw new ConnectError('its url is not a valid URL');
  if (era === 'modern')
    throw new ConnectError('HTTP+SSE exists in the legacy era only: set "era" to "auto" or "legacy" in its configuration');
  const channel = new HttpChannel(options);
  const wire = new SseWire({ ...options, channel });
  try {
    const endpoint = settledWithin(wire.endpoint, limits.connectMs, signal);
    const path = pathOf(await endpoint, config.url);
    wire.open(path);
    const silence = (): string => wire.duplex.over ?? 'it did not answer initialize in time';
    const introduction = await initialize(wire.duplex, { gateway, offers, silence, timeoutMs: limits.connectMs, signal });
    // It must be there before the first call, and POSTs may overtake each other.
    await wire.idle();
    return new DuplexConnection({ kind: 'sse', duplex: wire.duplex, introduction, end: () => wire.close() });
  } catch (error) {
    await wire.close();
    throw error;
  }
}

/** The path that messages are sent to. It must be of the same origin: whoever we trust with our credentials is in the configuration. */
function pathOf(event: SseEvent | StreamEnd | 'late' | 'canceled', url: string): string {
  if (event === 'late') throw new ConnectError(LATE);
  if (event === 'canceled') throw new ConnectError('the attempt was canceled');
  if ('why' in event) throw problem(event);
  const endpoint = URL.canParse(event.data, url) ? new URL(event.data, url) : undefined;
  if (endpoint === undefined) throw new ConnectError('its "endpoint" event names no valid URL');
  if (endpoint.origin !== new URL(url).origin)
    throw new ConnectError(`its "endpoint" event names another origin (${endpoint.origin.slice(0, 200)}), to which nothing is sent`);
  return endpoint.pathname + endpoint.search;
}

function problem(end: StreamEnd): ConnectError {
  if (end.why === 'error') return new ConnectError(networkReason(end.error), end.error);
  if (end.why !== 'status') return new ConnectError('it is no HTTP+SSE server: it opened no event stream', end);
  if (end.status === 401 || end.status === 403) return new DeniedError(end.status);
  return new ConnectError(`it ${statusReason(end)}`, { status: end.status });
}
