import {
  isLegacyRevision,
  notificationText,
  requestText,
  serverFacts,
  type JsonObject,
  type LegacyRevision,
  type ServerFacts,
} from '../../protocol/index.ts';
import { ConnectError, RefusedError } from '../connection.ts';
import { ownExchange, refusal } from '../own-requests.ts';
import type { HttpChannel } from './channel.ts';
import { connectProblem, statusReason } from './reply.ts';

/** What `initialize` of Streamable HTTP came to (S25 transports, "Session Management"). */
export interface Session {
  readonly id: string | undefined;
  readonly revision: LegacyRevision;
  readonly facts: ServerFacts;
  /** Headers of all further requests. */
  readonly headers: readonly string[];
}

export interface SessionOptions {
  readonly channel: HttpChannel;
  /** Params of `initialize`. */
  readonly params: JsonObject;
  readonly timeoutMs: number;
}

/** The url takes no `initialize`: it may be that of an HTTP+SSE server (S25 transports, "Backwards Compatibility"). */
export class NoEndpointError extends RefusedError {}

const MAY_BE_SSE: ReadonlySet<number> = new Set([400, 404, 405]);
/** How long `notifications/initialized` may take. */
const ASIDE_MS = 5_000;

/** Makes a session. Throws a ConnectError. */
export async function openSession({ channel, params, timeoutMs }: SessionOptions, signal: AbortSignal): Promise<Session> {
  const exchange = ownExchange({ method: 'initialize', params, timeoutMs, signal });
  const reply = await channel.post(requestText(1, 'initialize', exchange.params), [], 1, exchange.expiresAt, exchange);
  const problem = connectProblem(reply, 'initialize');
  if (problem !== undefined) throw problem;
  const { response, status, broken } = reply;
  if (response === undefined) {
    const why = broken?.why === 'not_mcp' ? broken.what : 'is not an MCP server: it gave no JSON-RPC answer';
    const reason = `it ${status === 200 ? why : statusReason(reply)}`;
    throw MAY_BE_SSE.has(status) ? new NoEndpointError(reason) : new RefusedError(reason);
  }
  if (response.result === undefined) throw new RefusedError(refusal(response.error), response.error);
  const { protocolVersion } = response.result.value;
  if (!isLegacyRevision(protocolVersion))
    throw new ConnectError(`it answered initialize with the revision ${String(protocolVersion).slice(0, 40)}, which we do not speak`);
  const id = single(reply.headers['mcp-session-id']);
  const headers = ['mcp-protocol-version', protocolVersion, ...(id === undefined ? [] : ['mcp-session-id', id])];
  const session: Session = { id, revision: protocolVersion, facts: serverFacts(response.result.value), headers };
  await channel.post(notificationText('notifications/initialized'), headers, undefined, performance.now() + ASIDE_MS);
  return session;
}

const single = (value: string | string[] | undefined): string | undefined => (typeof value === 'string' ? value : value?.[0]);
