import type { Socket } from 'node:net';
import { STATUS_CODES, type ServerResponse } from 'node:http';
import { plainAddress } from '../security/index.ts';
import type { HttpEvent } from './options.ts';
import { errorPayload } from './refusal.ts';

const LEFT = 'HPE_INVALID_EOF_STATE';

interface ParseError extends Error {
  readonly code?: string;
}

function verdict(code: string | undefined): { status: number; code: string; message: string } {
  if (code === 'HPE_HEADER_OVERFLOW')
    return { status: 431, code: 'headers_too_large', message: 'The request headers are too large: send fewer or shorter ones.' };
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return { status: 408, code: 'request_timeout', message: 'The request did not arrive in time: send headers and body without pausing.' };
  return { status: 400, code: 'malformed_http', message: 'This is not a valid HTTP/1.1 request.' };
}

/** A response that has begun on this connection: more bytes would corrupt it. */
function hasBegun(socket: Socket): boolean {
  const response = (socket as Socket & { _httpMessage?: ServerResponse })._httpMessage;
  return response?.headersSent === true;
}

/** Answers what never became a request: malformed HTTP, oversized headers, headers or a body that come too slowly. */
export function clientErrorHandler(onEvent: ((event: HttpEvent) => void) | undefined) {
  return (error: ParseError, socket: Socket): void => {
    if (error.code === 'ECONNRESET' || !socket.writable || hasBegun(socket)) {
      socket.destroy();
      return;
    }
    const { status, code, message } = verdict(error.code);
    // A client that leaves in mid-request is no event: it happens whenever one is refused early.
    if (error.code !== LEFT) onEvent?.({ kind: 'malformed', code, status, address: plainAddress(socket.remoteAddress ?? '') });
    const body = errorPayload('plain', status, { code, message });
    const head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n`;
    socket.end(head + body, () => socket.destroy());
  };
}
