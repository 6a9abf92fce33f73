import type { IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';
import { messageOf } from '../../../shared/index.ts';
import { ConnectError, DeniedError } from '../../connection.ts';
import { configuredHeaders } from '../headers.ts';
import { networkReason, statusReason } from '../reply.ts';
import type { HttpConnectOptions } from '../options.ts';

const SUBPROTOCOL = 'mcp';
/** Larger messages than a frame are read to their end, so that the call that they answer learns of it, up to so many times the limit. */
export const ENDLESS = 4;

type SocketOptions = Pick<HttpConnectOptions, 'config' | 'limits' | 'egress'>;

/** An open WebSocket; the configured headers go with the upgrade. Throws a ConnectError, with nothing left running. */
export async function openSocket(options: SocketOptions, signal: AbortSignal): Promise<WebSocket> {
  const socket = create(options);
  const { promise, resolve, reject } = Promise.withResolvers<WebSocket>();
  const onAbort = (): void => reject(new ConnectError('the attempt was canceled'));
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  socket.once('open', () => resolve(socket));
  socket.once('unexpected-response', (_request, response) => reject(refusal(response)));
  // It stays: without a listener an error would end the process.
  socket.on('error', (error) => reject(problem(error)));
  socket.once('close', () => reject(new ConnectError('the connection was closed')));
  try {
    return await promise;
  } catch (error) {
    socket.terminate();
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function create({ config: { url, headers }, limits, egress }: SocketOptions): WebSocket {
  try {
    return new WebSocket(url, [SUBPROTOCOL], {
      headers: Object.fromEntries(configuredHeaders(headers)),
      handshakeTimeout: limits.connectMs,
      maxPayload: ENDLESS * limits.frameBytes,
      perMessageDeflate: false,
      followRedirects: false,
      ...(egress === undefined ? {} : { lookup: egress.lookup('configured') }),
    });
  } catch (error) {
    if (error instanceof ConnectError) throw error;
    throw new ConnectError('its url or headers in the configuration are not valid for a WebSocket', messageOf(error));
  }
}

function refusal({ statusCode: status = 0, headers }: IncomingMessage): ConnectError {
  if (status === 401 || status === 403) return new DeniedError(status);
  if (status === 404) return new ConnectError('it has no WebSocket at this url (HTTP 404): check the url in the configuration');
  return new ConnectError(`it ${statusReason({ status, headers })} instead of opening a WebSocket`, { status });
}

function problem(error: Error): ConnectError {
  if (/subprotocol/i.test(error.message))
    return new ConnectError(`its WebSocket does not agree to the subprotocol "${SUBPROTOCOL}"`, error);
  if (/handshake has timed out/i.test(error.message)) return new ConnectError('it did not open the WebSocket in time', error);
  return new ConnectError(networkReason(error), error);
}
