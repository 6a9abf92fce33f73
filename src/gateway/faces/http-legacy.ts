import {
  arrayItems,
  decodeMessage,
  errorText,
  orFailure,
  RPC,
  rpcError,
  type BatchMessage,
  type InvalidMessage,
  type Message,
  type NotificationMessage,
  type RequestMessage,
  type ResponseMessage,
  type RpcError,
} from '../../protocol/index.ts';
import { answerRequest } from '../answer.ts';
import type { Services } from '../frame.ts';
import { initializeClient, isRpcError } from '../legacy-messages.ts';
import type { Session, Sessions } from '../sessions.ts';
import { tooFast } from '../sessions/flights.ts';
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

const isQuiet = (message: Message): message is NotificationMessage | ResponseMessage =>
  message.kind === 'notification' || message.kind === 'response';

const idOf = (message: Message): string | undefined => ('idText' in message ? message.idText : undefined);

async function initialize(exchange: Exchange, request: RequestMessage, { services, sessions }: LegacyParts): Promise<void> {
  const client = initializeClient(request);
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
  // A client that takes no stream cannot be given nothing, and one whose session has ended did not cancel.
  if (answer !== undefined || (exchange.events && !session.streams.ended)) return { idText, answer };
  return { idText, answer: { text: errorText(idText, rpcError(RPC.internalError, 'The request was canceled.')), status: 200 } };
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
  const members = arrayItems(batch.text).map((text) => orFailure(decodeMessage(text)));
  if (members.every(isQuiet)) {
    for (const member of members) take(session, member);
    return sendAccepted(exchange.response);
  }
  const outlet = new PostReply(exchange, session, responses);
  outlet.finish(await Promise.all(repliesTo(members, exchange, session, outlet)), true);
}

/** Takes the members in their order, so that one can cancel another before it. The guard has counted the first request, with the POST. */
function repliesTo(members: readonly Message[], exchange: Exchange, session: Session, outlet: PostReply): Promise<Reply>[] {
  const replies: Promise<Reply>[] = [];
  let requests = 0;
  for (const member of members) {
    if (isQuiet(member)) {
      take(session, member);
      continue;
    }
    const waitMs = member.kind === 'request' && ++requests > 1 ? exchange.guard.admit() : 0;
    replies.push(waitMs > 0 ? Promise.resolve(errorReply(member, tooFast(waitMs))) : replyToMember(exchange, session, member, outlet));
  }
  return replies;
}

async function replyToMember(exchange: Exchange, session: Session, message: Message, outlet: PostReply): Promise<Reply> {
  if (message.kind === 'request') return replyTo(exchange, session, message, outlet);
  return errorReply(message, message.kind === 'invalid' ? message.error : rpcError(RPC.invalidRequest, 'A batch cannot hold a batch.'));
}

function errorReply(message: Message, error: RpcError): Reply {
  const idText = idOf(message) ?? 'null';
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

/** Refuses what is no message. Where it was to be a response, what was asked fails now rather than by its deadline. */
export function refuseInvalid(exchange: Exchange, { error, idText, response }: InvalidMessage, sessions: Sessions): void {
  const session = response && sessionOf(exchange, sessions, undefined);
  if (response !== undefined && session !== undefined && !isRefusal(session)) take(session, response);
  sendRefusal(exchange.response, { status: 400, error, idText });
}
