import {
  arrayItems,
  decodeMessage,
  errorText,
  RPC,
  rpcError,
  STREAMABLE_HTTP_LEGACY,
  type BatchMessage,
  type Message,
  type NotificationMessage,
  type RequestMessage,
  type ResponseMessage,
} from '../../protocol/index.ts';
import { answerRequest } from '../answer.ts';
import type { Services } from '../frame.ts';
import { initializeClient, isRpcError } from '../legacy-messages.ts';
import type { Session, Sessions } from '../sessions.ts';
import { sendAccepted, sendAnswer, sendRefusal, type Exchange } from './exchange.ts';
import type { HttpRefusal } from './http-checks.ts';
import { isRefusal, refuse, sessionOf } from './http-session.ts';
import type { Responses } from './modern-port.ts';
import { PostReply, type Reply } from './post-reply.ts';

export interface LegacyParts {
  readonly services: Services;
  readonly sessions: Sessions;
  readonly responses: Responses;
}

const MAX_BATCH = 50;

const idOf = (message: Message): string | undefined => ('idText' in message ? message.idText : undefined);

async function initialize(exchange: Exchange, request: RequestMessage, { services, sessions }: LegacyParts): Promise<void> {
  const client = initializeClient(request, STREAMABLE_HTTP_LEGACY);
  if (isRpcError(client)) {
    sendAnswer(exchange.response, { text: errorText(request.idText, client), status: 200 });
    return;
  }
  const { endpoint, principal, bytesIn, response } = exchange;
  const session = sessions.open(principal, endpoint, client);
  if (session === undefined) {
    const refusal = refuse(503, 'The gateway is at its limit of sessions. Try again in a few seconds.', request.idText);
    sendRefusal(response, { ...refusal, headers: { 'retry-after': '5' } });
    return;
  }
  const { signal } = new AbortController();
  const incoming = { face: 'streamable-http', endpoint, principal, client, request, headers: undefined, bytesIn, signal };
  const answer = await answerRequest({ ...incoming, port: undefined, session: session.conversation }, services);
  if (answer.status !== 200) {
    sessions.end(session);
    return sendAnswer(response, answer);
  }
  sendAnswer(response, answer, { 'mcp-session-id': session.id });
}

/** One request of a session. A dropped connection does not cancel it: only `notifications/cancelled`, DELETE or its deadline do (PROTOCOL A4). */
async function replyTo(exchange: Exchange, session: Session, request: RequestMessage, outlet: PostReply): Promise<Reply> {
  const { idText } = request;
  const answer = await session.conversation.request(request, exchange.principal, exchange.bytesIn, outlet);
  // A canceled request needs no answer, but its POST does.
  const canceled = { text: errorText(idText, rpcError(RPC.internalError, 'The request was canceled.')), status: 200 };
  return { idText, answer: answer ?? canceled };
}

function take(session: Session, message: NotificationMessage | ResponseMessage): void {
  if (message.kind === 'notification') session.conversation.notice(message);
  else session.conversation.response(message);
}

/** A batch of revision 2025-03-26: each member is its own call; `initialize` may not be in one. */
async function serveBatch(exchange: Exchange, session: Session, batch: BatchMessage, responses: Responses): Promise<void> {
  if (session.client.revision !== '2025-03-26')
    return sendRefusal(exchange.response, refuse(400, 'Batches exist only in revision 2025-03-26; send one message per request.'));
  if (batch.size === 0 || batch.size > MAX_BATCH)
    return sendRefusal(exchange.response, refuse(400, `A batch holds 1 to ${MAX_BATCH} messages.`));
  const members = arrayItems(batch.text).map(decodeMessage);
  const due = members.filter((member) => member.kind !== 'notification' && member.kind !== 'response');
  for (const member of members) if (member.kind === 'notification' || member.kind === 'response') take(session, member);
  if (due.length === 0) return sendAccepted(exchange.response);
  const outlet = new PostReply(exchange, session, responses);
  outlet.finish(await Promise.all(due.map((member) => replyToMember(exchange, session, member, outlet))), true);
}

async function replyToMember(exchange: Exchange, session: Session, message: Message, outlet: PostReply): Promise<Reply> {
  if (message.kind === 'request') return replyTo(exchange, session, message, outlet);
  const idText = idOf(message) ?? 'null';
  const error = message.kind === 'invalid' ? message.error : rpcError(RPC.invalidRequest, 'A batch cannot hold a batch.');
  return { idText, answer: { text: errorText(idText, error), status: 200 } };
}

/** What is wrong with a message that only a session can have, where there is none: it may be a modern client's. */
function strayRefusal({ kind }: Message): HttpRefusal | undefined {
  if (kind === 'batch') return refuse(400, 'A batch exists only in a session of revision 2025-03-26; send one message per request.');
  return kind === 'response' ? refuse(400, 'A response belongs to a session: nothing was asked here.') : undefined;
}

/** A POST of a legacy client: `initialize` opens a session, everything else happens in one (S25 transports). */
export async function serveLegacy(exchange: Exchange, message: Exclude<Message, { kind: 'invalid' }>, parts: LegacyParts): Promise<void> {
  const stateless = exchange.request.headers['mcp-session-id'] === undefined;
  if (message.kind === 'request' && message.method === 'initialize' && stateless) return initialize(exchange, message, parts);
  const stray = stateless ? strayRefusal(message) : undefined;
  if (stray !== undefined) return sendRefusal(exchange.response, stray);
  const session = sessionOf(exchange, parts.sessions, idOf(message));
  if (isRefusal(session)) return sendRefusal(exchange.response, session);
  if (message.kind === 'batch') return serveBatch(exchange, session, message, parts.responses);
  if (message.kind !== 'request') {
    take(session, message);
    return sendAccepted(exchange.response);
  }
  const outlet = new PostReply(exchange, session, parts.responses);
  outlet.finish([await replyTo(exchange, session, message, outlet)], false);
}
