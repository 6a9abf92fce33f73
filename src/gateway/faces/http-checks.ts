import { isUtf8 } from 'node:buffer';
import type { IncomingHttpHeaders } from 'node:http';
import { errorText, RPC, rpcError, type RpcError } from '../../protocol/index.ts';

/** A refusal before any message was understood. */
export interface HttpRefusal {
  readonly status: number;
  readonly error: RpcError;
  readonly headers?: Readonly<Record<string, string>>;
  /** The request's id where it is known. */
  readonly idText?: string;
  /** The body was not read to its end, so the connection cannot be used again. */
  readonly closes?: boolean;
}

const invalidRequest = (message: string): RpcError => rpcError(RPC.invalidRequest, message);

export const refusalText = ({ idText = 'null', error }: HttpRefusal): string => errorText(idText, error);

function accepts(accept: string, type: string): boolean {
  const ranges = [type, `${type.slice(0, type.indexOf('/'))}/*`, '*/*'];
  return accept.split(',').some((part) => {
    const [range = '', ...parameters] = part.split(';').map((piece) => piece.trim().toLowerCase());
    return ranges.includes(range) && !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
  });
}

/** Whether a client takes an event stream. Not who says nothing: programs that know no streams send no Accept either. */
export function acceptsEvents(accept: string | undefined): boolean {
  return accept !== undefined && accepts(accept, 'text/event-stream');
}

/** What the headers of a POST say. */
export interface PostVerdict {
  readonly refusal: HttpRefusal | undefined;
  readonly events: boolean;
}

const verdicts = new Map<string, PostVerdict>();
const MAX_VERDICTS = 256;

/** Content-Type and Accept of a POST. Verdicts are remembered: clients send the same two headers with every request. */
export function checkPostHeaders(headers: IncomingHttpHeaders): PostVerdict {
  const key = `${headers['content-type'] ?? ''}\n${headers.accept ?? ''}\n${headers['content-encoding'] ?? ''}`;
  const known = verdicts.get(key);
  if (known !== undefined) return known;
  const verdict = { refusal: judge(headers), events: acceptsEvents(headers.accept) };
  if (verdicts.size < MAX_VERDICTS && key.length < 512) verdicts.set(key, verdict);
  return verdict;
}

function judge(headers: IncomingHttpHeaders): HttpRefusal | undefined {
  const type = headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  if (type !== 'application/json') {
    return { status: 415, error: invalidRequest('Send the message as Content-Type: application/json.'), closes: true };
  }
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    return { status: 415, error: invalidRequest('Send the body without Content-Encoding.'), closes: true };
  }
  // What a client accepts must include JSON: that is what we usually answer with. Absent means anything.
  if (headers.accept === undefined || headers.accept === '' || accepts(headers.accept, 'application/json')) return undefined;
  const error = invalidRequest('Not acceptable: send Accept: application/json, text/event-stream.');
  return { status: 406, error, closes: true };
}

export function bodyTooLarge(limit: number): HttpRefusal {
  // The connection stays: what is left of the body is read and dropped, or the client would see a reset instead of this answer.
  return { status: 413, error: invalidRequest(`The body is larger than ${limit} bytes.`) };
}

/** The body's text, or undefined if it is not UTF-8. */
export function bodyText(bytes: Buffer): string | undefined {
  return isUtf8(bytes) ? bytes.toString('utf8') : undefined;
}

export const notUtf8: HttpRefusal = { status: 400, error: rpcError(RPC.parseError, 'Parse error: the body is not valid UTF-8.') };
