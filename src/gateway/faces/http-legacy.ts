import {
  arrayItems,
  decodeMessage,
  errorText,
  methodNotFound,
  RPC,
  rpcError,
  STREAMABLE_HTTP_LEGACY,
  type BatchMessage,
  type ClientFacts,
  type Message,
  type NotificationMessage,
  type RequestMessage,
} from '../../protocol/index.ts';
import { answerRequest, LEGACY_METHODS } from '../answer.ts';
import type { Services } from '../frame.ts';
import { cancelNamed, checkLegacyVersionHeader, inFlightKey, initializeClient, isRpcError } from '../legacy-messages.ts';
import type { Answer } from '../render.ts';
import type { Session, Sessions } from '../sessions.ts';
import { sendAccepted, sendAnswer, sendAnswerThisTurn, sendRefusal, type Exchange } from './exchange.ts';
import type { HttpRefusal } from './http-checks.ts';

const MAX_BATCH = 50;

const refuse = (status: number, message: string, idText?: string): HttpRefusal => ({
  status,
  error: rpcError(RPC.invalidRequest, message),
  ...(idText === undefined ? {} : { idText }),
});

const idOf = (message: Message): string | undefined => ('idText' in message ? message.idText : undefined);

/** The session that the headers name, or the refusal that lets the client recover (404: initialize again). */
function sessionOf(exchange: Exchange, sessions: Sessions, idText: string | undefined): Session | HttpRefusal {
  const { headers } = exchange.request;
  const id = headers['mcp-session-id'];
  if (typeof id !== 'string') return refuse(400, 'Bad Request: the header Mcp-Session-Id is required; send initialize first.', idText);
  const session = sessions.find(id, exchange.principal.id, exchange.endpoint.path);
  if (session === undefined) return refuse(404, 'Session not found: it ended or never existed. Send initialize to open a new one.', idText);
  const version = checkLegacyVersionHeader(headers['mcp-protocol-version'] as string | undefined);
  return version === undefined ? session : { status: 400, error: version, ...(idText === undefined ? {} : { idText }) };
}

const isRefusal = (value: Session | HttpRefusal): value is HttpRefusal => 'error' in value;

function answerIn(
  exchange: Exchange,
  client: ClientFacts,
  request: RequestMessage,
  signal: AbortSignal,
  services: Services,
): Promise<Answer> {
  const { endpoint, principal, bytesIn } = exchange;
  return answerRequest({ face: 'streamable-http', endpoint, principal, client, request, headers: undefined, bytesIn, signal }, services);
}

async function initialize(exchange: Exchange, request: RequestMessage, sessions: Sessions, services: Services): Promise<void> {
  const client = initializeClient(request, STREAMABLE_HTTP_LEGACY);
  if (isRpcError(client)) {
    sendAnswer(exchange.response, { text: errorText(request.idText, client), status: 200 });
    return;
  }
  const session = sessions.open(exchange.principal.id, exchange.endpoint.path, client);
  if (session === undefined) {
    const refusal = refuse(503, 'The gateway is at its limit of sessions. Try again in a few seconds.', request.idText);
    sendRefusal(exchange.response, { ...refusal, headers: { 'retry-after': '5' } });
    return;
  }
  const answer = await answerIn(exchange, client, request, new AbortController().signal, services);
  if (answer.status !== 200) {
    sessions.end(session);
    return sendAnswer(exchange.response, answer);
  }
  sendAnswer(exchange.response, answer, { 'mcp-session-id': session.id });
}

/** One request of a session. A dropped connection does not cancel it: only `notifications/cancelled`, DELETE or its deadline do (PROTOCOL A4). */
async function serveRequest(exchange: Exchange, session: Session, request: RequestMessage, services: Services): Promise<Answer> {
  if (!LEGACY_METHODS.has(request.method) || request.method === 'initialize') {
    const error =
      request.method === 'initialize'
        ? rpcError(RPC.invalidRequest, 'This session is initialized already.')
        : methodNotFound(request.method);
    return { text: errorText(request.idText, error), status: 200 };
  }
  const key = inFlightKey(request.id);
  if (session.inFlight.has(key))
    return { text: errorText(request.idText, rpcError(RPC.invalidRequest, 'A request with this id is still in flight.')), status: 200 };
  const controller = new AbortController();
  session.inFlight.set(key, controller);
  try {
    return await answerIn(exchange, session.client, request, controller.signal, services);
  } finally {
    session.inFlight.delete(key);
  }
}

function notice(session: Session, message: NotificationMessage): void {
  if (message.method === 'notifications/cancelled') cancelNamed(message.params, session.inFlight);
}

/** A batch of revision 2025-03-26: each member is its own call; `initialize` may not be in one. */
async function serveBatch(exchange: Exchange, session: Session, batch: BatchMessage, services: Services): Promise<void> {
  if (session.client.revision !== '2025-03-26')
    return sendRefusal(exchange.response, refuse(400, 'Batches exist only in revision 2025-03-26; send one message per request.'));
  if (batch.size === 0 || batch.size > MAX_BATCH)
    return sendRefusal(exchange.response, refuse(400, `A batch holds 1 to ${MAX_BATCH} messages.`));
  const texts = await Promise.all(arrayItems(batch.text).map((text) => serveMember(exchange, session, decodeMessage(text), services)));
  const answers = texts.filter((text) => text !== undefined);
  if (answers.length === 0) sendAccepted(exchange.response);
  else sendAnswer(exchange.response, { text: `[${answers.join(',')}]`, status: 200 });
}

async function serveMember(exchange: Exchange, session: Session, message: Message, services: Services): Promise<string | undefined> {
  if (message.kind === 'request') return (await serveRequest(exchange, session, message, services)).text;
  if (message.kind === 'invalid') return errorText(message.idText, message.error);
  if (message.kind === 'batch') return errorText('null', rpcError(RPC.invalidRequest, 'A batch cannot hold a batch.'));
  if (message.kind === 'notification') notice(session, message);
  return undefined;
}

/** What is wrong with a message that only a session can have, where there is none: it may be a modern client's. */
function strayRefusal({ kind }: Message): HttpRefusal | undefined {
  if (kind === 'batch') return refuse(400, 'A batch exists only in a session of revision 2025-03-26; send one message per request.');
  return kind === 'response' ? refuse(400, 'A response belongs to a session: nothing was asked here.') : undefined;
}

/** A POST of a legacy client: `initialize` opens a session, everything else happens in one (S25 transports). */
export async function serveLegacy(
  exchange: Exchange,
  message: Exclude<Message, { kind: 'invalid' }>,
  sessions: Sessions,
  services: Services,
): Promise<void> {
  if (message.kind === 'request' && message.method === 'initialize' && exchange.request.headers['mcp-session-id'] === undefined) {
    return initialize(exchange, message, sessions, services);
  }
  const stray = exchange.request.headers['mcp-session-id'] === undefined ? strayRefusal(message) : undefined;
  if (stray !== undefined) return sendRefusal(exchange.response, stray);
  const session = sessionOf(exchange, sessions, idOf(message));
  if (isRefusal(session)) return sendRefusal(exchange.response, session);
  switch (message.kind) {
    case 'request':
      return sendAnswerThisTurn(exchange.response, await serveRequest(exchange, session, message, services));
    case 'batch':
      return serveBatch(exchange, session, message, services);
    case 'notification':
      notice(session, message);
      return sendAccepted(exchange.response);
    case 'response':
      return sendAccepted(exchange.response);
  }
}

/** DELETE ends the session. */
export function endSession(exchange: Exchange, sessions: Sessions): void {
  const session = sessionOf(exchange, sessions, undefined);
  if (isRefusal(session)) return sendRefusal(exchange.response, session);
  sessions.end(session);
  exchange.response.writeHead(204);
  exchange.response.end();
}
