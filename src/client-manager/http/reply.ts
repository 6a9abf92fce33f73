import type { Message } from '../../protocol/index.ts';
import { ConnectError, DeniedError, type Reply } from '../connection.ts';
import type { Failures } from '../failures.ts';
import type { Broken, HttpReply } from './exchange.ts';

const NETWORK: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  ENOTFOUND: 'its host name was not found',
  EAI_AGAIN: 'its host name could not be looked up',
  EHOSTUNREACH: 'its host cannot be reached',
  ENETUNREACH: 'its network cannot be reached',
  ETIMEDOUT: 'connecting took too long',
  UND_ERR_CONNECT_TIMEOUT: 'connecting took too long',
  ECONNRESET: 'the connection was closed',
  UND_ERR_SOCKET: 'the connection was closed',
  UND_ERR_INVALID_ARG: 'its url or headers in the configuration are not valid HTTP',
};

/** What went wrong on the network, in public words: no address, no path. */
export function networkReason(error: Error): string {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  // It says which address, and what to do.
  if (code === 'address_refused') return error.message.replace(/\.$/, '');
  const known = NETWORK[code];
  if (known !== undefined) return known;
  if (/CERT|SIGNATURE|ISSUER|ALTNAME|SSL|TLS/.test(code)) return `its TLS certificate was not accepted (${code})`;
  return code === '' ? 'the request failed' : `the request failed (${code})`;
}

/** True where the request itself cannot be written as HTTP: the connection is as good as before. */
export function isUnsendable(error: Error): boolean {
  return (error as NodeJS.ErrnoException).code === 'UND_ERR_INVALID_ARG';
}

/** What an HTTP status that is no answer says, in public words. */
export function statusReason(reply: Pick<HttpReply, 'status' | 'headers'>): string {
  const { status } = reply;
  if (status >= 300 && status < 400)
    return `redirects (HTTP ${status}) to ${targetOrigin(reply)}, and redirects are not followed: set the url that it leads to in the configuration`;
  if (status === 404) return 'has no MCP endpoint at this url (HTTP 404): check the url in the configuration';
  if (status === 405) return 'does not take POST at this url (HTTP 405): check the url in the configuration';
  return `answered with HTTP ${status}`;
}

/** Where a redirect points, as far as strangers may know. */
function targetOrigin({ headers: { location } }: Pick<HttpReply, 'headers'>): string {
  const origin = location !== undefined && URL.canParse(location) ? new URL(location).origin : 'null';
  return origin === 'null' ? 'another address' : origin.slice(0, 200);
}

/** What stands behind a status for the log: where a redirect points, without a query or credentials, which are secrets. */
function statusDetail({ status, headers: { location } }: HttpReply): unknown {
  if (location === undefined) return { status };
  const path = location.replace(/[?#].*$/s, '').replace(/^([^/]*\/\/)[^/]*@/, '$1');
  return { status, location: path.slice(0, 200) };
}

function retryAfter(reply: HttpReply): number {
  const seconds = Number(reply.headers['retry-after']);
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 3_600) * 1_000 : 1_000;
}

function ofBroken(broken: Broken, reply: HttpReply, failures: Failures, tookMs: number): Reply {
  const executed = reply.started ? 'unknown' : 'no';
  switch (broken.why) {
    case 'canceled':
      return failures.canceled(executed);
    case 'deadline':
      return failures.deadline(tookMs, executed);
    case 'too_large':
      return failures.tooLarge();
    case 'not_mcp':
      return failures.protocol(broken.what, { status: reply.status });
    case 'no_response':
      return failures.outcomeUnknown('closed the stream without an answer', { status: reply.status });
    case 'error':
      if (isUnsendable(broken.error))
        return failures.refused('cannot be sent this request over HTTP: a header would not be valid', 'no', broken.error);
      return reply.started
        ? failures.outcomeUnknown('closed the connection before it answered', broken.error)
        : failures.unavailable(networkReason(broken.error), broken.error);
  }
}

/**
 * The upstream's answer in one POST, or why there is none. Statuses that are ours to solve (401, 403, 404 on a session) never
 * reach the client as such (PROTOCOL C2). `tookMs` is what the call was given, for the message of a deadline.
 */
export function replyOf(reply: HttpReply, failures: Failures, tookMs: number): Reply {
  const { status, response, broken } = reply;
  if (status === 401 || status === 403) return failures.needsCredentials(status);
  if (status === 429 || (status === 503 && response === undefined))
    return failures.busy(`it answered with HTTP ${status}`, 'unknown', retryAfter(reply));
  if (response !== undefined) return status === 200 ? response : { ...response, status };
  const decided = broken === undefined || broken.why === 'not_mcp' || broken.why === 'no_response';
  if (status >= 300 && decided) return failures.refused(statusReason(reply), 'unknown', statusDetail(reply));
  return ofBroken(broken ?? { why: 'no_response' }, reply, failures, tookMs);
}

/** Why no connection comes of the answer to `method`, where that says nothing about the server's era (PROTOCOL A9). */
export function connectProblem(reply: HttpReply, method: string): ConnectError | undefined {
  const { status, broken } = reply;
  if (broken?.why === 'error') return new ConnectError(networkReason(broken.error), broken.error);
  if (broken?.why === 'deadline') return new ConnectError(`it did not answer ${method} in time`);
  if (broken?.why === 'canceled') return new ConnectError('the attempt was canceled');
  if (broken?.why === 'too_large') return new ConnectError(`its answer to ${method} is too large`);
  if (status === 401 || status === 403) return new DeniedError(status);
  if (status === 408 || status === 429 || status >= 500 || (status >= 300 && status < 400))
    return new ConnectError(`it ${statusReason(reply)}`, statusDetail(reply));
  return undefined;
}

/** What a message is that came in place of the answer to a request. */
export function noAnswer({ kind }: Message): string {
  if (kind === 'response') return 'answered with the id of another request';
  return kind === 'invalid' ? 'answered with something that is not JSON-RPC' : `answered a request with a ${kind}`;
}
