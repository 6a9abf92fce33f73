import { looksModern, RPC, rpcError } from '../../protocol/index.ts';
import { checkLegacyVersionHeader } from '../legacy-messages.ts';
import type { Session, Sessions } from '../sessions.ts';
import { sendRefusal, type Exchange } from './exchange.ts';
import { acceptsEvents, type HttpRefusal } from './http-checks.ts';
import type { Responses } from './modern-port.ts';
import { SseStream } from './sse-stream.ts';

export const refuse = (status: number, message: string, idText?: string): HttpRefusal => ({
  status,
  error: rpcError(RPC.invalidRequest, message),
  ...(idText === undefined ? {} : { idText }),
});

/** The session that the headers name, or the refusal that lets the client recover (404: initialize again). */
export function sessionOf(exchange: Exchange, sessions: Sessions, idText: string | undefined): Session | HttpRefusal {
  const { headers } = exchange.request;
  const id = headers['mcp-session-id'];
  if (typeof id !== 'string') return refuse(400, 'Bad Request: the header Mcp-Session-Id is required; send initialize first.', idText);
  const session = sessions.find(id, exchange.principal.id, exchange.endpoint.path);
  if (session === undefined) return refuse(404, 'Session not found: it ended or never existed. Send initialize to open a new one.', idText);
  const version = checkLegacyVersionHeader(headers['mcp-protocol-version'] as string | undefined);
  return version === undefined ? session : { status: 400, error: version, ...(idText === undefined ? {} : { idText }) };
}

export const isRefusal = (value: Session | HttpRefusal): value is HttpRefusal => 'error' in value;

/** DELETE ends the session. */
export function endSession(exchange: Exchange, sessions: Sessions): void {
  const session = sessionOf(exchange, sessions, undefined);
  if (isRefusal(session)) return sendRefusal(exchange.response, session);
  sessions.end(session);
  exchange.response.writeHead(204);
  exchange.response.end();
}

const FULL: HttpRefusal = {
  ...refuse(503, 'The gateway is at its limit of open streams, or about to stop. Try again in a few seconds.'),
  headers: { 'retry-after': '5' },
};

/**
 * GET: a stream for what belongs to no request, or with Last-Event-ID the continuation of one that broke (S25 transports, "Listening for
 * Messages from the Server", "Resumability and Redelivery").
 */
export function serveStream(exchange: Exchange, sessions: Sessions, { live }: Responses): void {
  const { response, guard } = exchange;
  const { headers } = exchange.request;
  const version = headers['mcp-protocol-version'];
  if (headers['mcp-session-id'] === undefined || (typeof version === 'string' && looksModern(version.trim()))) {
    const why = 'There is no stream to get without a session: send JSON-RPC messages by POST.';
    return sendRefusal(response, { ...refuse(405, why), headers: { allow: 'POST' } });
  }
  if (!acceptsEvents(headers.accept)) return sendRefusal(response, refuse(406, 'Not acceptable: send Accept: text/event-stream.'));
  const session = sessionOf(exchange, sessions, undefined);
  if (isRefusal(session)) return sendRefusal(response, session);
  if (live.retired) return sendRefusal(response, FULL);
  const open = (): SseStream | undefined => {
    const stream = SseStream.open(response, live, {
      recheck: () => {
        if (!guard.authenticate().ok) stream?.end();
      },
    });
    return stream;
  };
  const { streams, conversation } = session;
  const lastEventId = headers['last-event-id'];
  if (typeof lastEventId === 'string' && lastEventId !== '') {
    // 204 is what ends the attempts of a client that keeps an event stream open (WHATWG HTML, "Server-sent events").
    if (streams.isOver(lastEventId)) return void response.writeHead(204).end();
    if (!streams.resume(lastEventId, open))
      return sendRefusal(response, refuse(400, 'There is no such event in this session: open a new stream without Last-Event-ID.'));
  } else {
    const stream = open();
    if (stream !== undefined) streams.listen(stream);
  }
  if (!response.headersSent) return sendRefusal(response, FULL);
  if (streams.listening) conversation.hearing.through(streams);
}
