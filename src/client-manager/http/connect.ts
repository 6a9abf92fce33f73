import { LATEST_MODERN } from '../../protocol/index.ts';
import { ConnectError, type Connection } from '../connection.ts';
import { initializeParams } from '../own-requests.ts';
import { connectSse } from './sse/connect.ts';
import { HttpChannel } from './channel.ts';
import { discover } from './discover.ts';
import { LegacyHttpConnection } from './legacy.ts';
import { ModernHttpConnection } from './modern.ts';
import { NoEndpointError } from './session.ts';
import type { HttpConnectOptions } from './options.ts';

/**
 * Connects over Streamable HTTP in the server's era, or the one that is asked for (PROTOCOL A9). A url that takes no `initialize` but gives
 * an event stream is that of an HTTP+SSE server (S25 transports, "Backwards Compatibility"). Throws a ConnectError.
 */
export async function connectHttp(options: HttpConnectOptions, signal: AbortSignal): Promise<Connection> {
  if (!URL.canParse(options.config.url)) throw new ConnectError('its url is not a valid URL');
  const channel = new HttpChannel(options);
  try {
    return await connect(channel, options, signal);
  } catch (error) {
    await channel.close();
    if (error instanceof NoEndpointError) return fallBack(error, options, signal);
    throw error;
  }
}

async function connect(channel: HttpChannel, options: HttpConnectOptions, signal: AbortSignal): Promise<Connection> {
  const { config, era, limits, gateway, offers = {} } = options;
  if (era !== 'legacy') {
    const discovery = await discover(channel, { gateway, timeoutMs: limits.connectMs, signal });
    if (discovery !== undefined) return new ModernHttpConnection({ ...options, channel, discovery });
    if (era === 'modern')
      throw new ConnectError(`it does not speak ${LATEST_MODERN}: set "era" to "auto" or "legacy" in its configuration`);
  }
  const mayAsk = Object.keys(offers).length > 0;
  const asked = mayAsk && options.asked !== false;
  const params = initializeParams(gateway, offers);
  const connection = await LegacyHttpConnection.open({ ...options, channel, params, asked, roots: config.roots }, signal);
  if (mayAsk) connection.openStream();
  return connection;
}

async function fallBack(refused: NoEndpointError, options: HttpConnectOptions, signal: AbortSignal): Promise<Connection> {
  let connection: Connection;
  try {
    connection = await connectSse(options, signal);
  } catch {
    throw refused;
  }
  options.emit({ kind: 'transport_fallback', transport: 'sse' });
  return connection;
}
