import { AppError } from '../shared/index.ts';
import { RPC, rpcError, rpcErrorText, type RpcError } from './errors.ts';
import { arrayItems, duplicateKey, memberOf, objectSpan, type ObjectSpan } from './json-text.ts';
import { nestsDeeper } from './json-scan.ts';
import { surely, unsureKey } from './json-sure.ts';
import { isObject, type JsonObject } from './meta.ts';

/** The `params` of a message: the parsed value for looking, text and spans for forwarding. */
export interface Params {
  readonly value: JsonObject;
  /** The text that the spans point into. */
  readonly text: string;
  readonly span: ObjectSpan;
  /** The members of `_meta`, where there is one. */
  readonly meta: ObjectSpan | undefined;
}

export interface RequestMessage {
  readonly kind: 'request';
  /** The JSON text of the id, kept as it came so that it goes back unchanged. */
  readonly idText: string;
  readonly id: string | number;
  readonly method: string;
  readonly params: Params | undefined;
}

export interface NotificationMessage {
  readonly kind: 'notification';
  readonly method: string;
  readonly params: Params | undefined;
}

export interface ResponseMessage {
  readonly kind: 'response';
  readonly id: string | number | null;
  readonly result: { readonly text: string; readonly value: JsonObject } | undefined;
  readonly error: RpcError | undefined;
}

export interface InvalidMessage {
  readonly kind: 'invalid';
  /** The request's id where it could be read, else `null`. */
  readonly idText: string;
  readonly error: RpcError;
  /** Of a malformed response: what it comes to for whoever asked. It is not answered itself. */
  readonly response?: ResponseMessage;
}

/** A JSON array: a batch in 2025-03-26, invalid in every other revision. */
export interface BatchMessage {
  readonly kind: 'batch';
  readonly text: string;
  readonly size: number;
}

export type Message = RequestMessage | NotificationMessage | ResponseMessage | BatchMessage | InvalidMessage;

/** Deepest nesting that we accept of a message, the message itself included. */
export const MAX_DEPTH = 128;

const invalid = (error: RpcError, idText = 'null'): InvalidMessage => ({ kind: 'invalid', error, idText });

const malformed = (message: string, idText?: string): InvalidMessage =>
  invalid(rpcError(RPC.invalidRequest, `Invalid Request: ${message}`), idText);

const isId = (value: unknown): value is string | number =>
  typeof value === 'string' || (typeof value === 'number' && Number.isInteger(value));

/** A response that cannot be read: what was asked fails, instead of waiting for a better answer. */
const unreadable = (message: string, id: unknown): InvalidMessage => ({
  ...malformed(message),
  response: {
    kind: 'response',
    id: isId(id) ? id : null,
    result: undefined,
    error: rpcError(RPC.internalError, 'The answer was malformed.'),
  },
});

function paramsOf(text: string, at: number, value: JsonObject): Params | string {
  const span = objectSpan(text, at, MAX_DEPTH - 2);
  const twice = duplicateKey(span);
  if (twice !== undefined) return `params has the member "${twice}" twice.`;
  if (!isObject(value._meta)) return { value, text, span, meta: undefined };
  const metaMember = memberOf(span, '_meta');
  const meta = metaMember && objectSpan(text, metaMember.start, MAX_DEPTH - 3);
  const twiceInMeta = meta && duplicateKey(meta);
  if (twiceInMeta !== undefined) return `params._meta has the member "${twiceInMeta}" twice.`;
  return { value, text, span, meta };
}

function decodeParams(text: string, envelope: ObjectSpan, value: unknown): Params | undefined | string {
  if (value === undefined) return undefined;
  if (!isObject(value)) return 'params must be an object.';
  const member = memberOf(envelope, 'params');
  return member && paramsOf(text, member.start, value);
}

/** Results are not read a second time: nothing is decided by them that their sender could not decide otherwise. */
const isResponse = (value: JsonObject): boolean => value.result !== undefined || value.error !== undefined;

const NOT_2_0 = 'the member "jsonrpc" must be "2.0".';

/** What has no method is no request: under its id an error would answer one of ours. */
const withoutMethod = (value: JsonObject, message: string): InvalidMessage =>
  isResponse(value) ? unreadable(message, value.id) : malformed(message);

function decodeObject(text: string, parsed: JsonObject): Message {
  const envelope = objectSpan(text, 0, MAX_DEPTH - 1);
  const value = isResponse(parsed) ? parsed : surely(text, parsed);
  const twice = duplicateKey(envelope);
  const wrong = value.jsonrpc !== '2.0' ? NOT_2_0 : twice === undefined ? undefined : `the member "${twice}" stands twice.`;
  if (value.method === undefined) return wrong === undefined ? decodeResponse(text, value, envelope) : withoutMethod(value, wrong);
  const idMember = memberOf(envelope, 'id');
  const idText = idMember && isId(value.id) ? text.slice(idMember.start, idMember.end) : undefined;
  if (wrong !== undefined) return malformed(wrong, idText);
  if (typeof value.method !== 'string' || value.method === '') return malformed('"method" must be a non-empty string.', idText);
  const params = decodeParams(text, envelope, value.params);
  if (typeof params === 'string') return malformed(params, idText);
  const unsure = unsureKey(text, value);
  if (unsure !== undefined) return malformed(`a member "${unsure.slice(0, 100)}" stands twice.`, idText);
  if (idMember === undefined) return { kind: 'notification', method: value.method, params };
  if (idText === undefined) return malformed('"id" must be a string or an integer.');
  return { kind: 'request', idText, id: value.id as string | number, method: value.method, params };
}

function decodeError(text: string, envelope: ObjectSpan, { code, message, data }: JsonObject): RpcError {
  const error = rpcError(code as number, typeof message === 'string' ? message : 'Unknown error', data);
  const outer = data === undefined ? undefined : memberOf(envelope, 'error');
  const member = outer && memberOf(objectSpan(text, outer.start), 'data');
  const dataText = member && text.slice(member.start, member.end);
  return dataText === undefined || dataText === JSON.stringify(data) ? error : { ...error, dataText };
}

function decodeResponse(text: string, value: JsonObject, envelope: ObjectSpan): Message {
  const id = isId(value.id) ? value.id : null;
  if (isObject(value.error) && Number.isInteger(value.error.code))
    return { kind: 'response', id, result: undefined, error: decodeError(text, envelope, value.error) };
  const member = memberOf(envelope, 'result');
  if (member !== undefined && isObject(value.result) && id !== null) {
    return { kind: 'response', id, result: { text: text.slice(member.start, member.end), value: value.result }, error: undefined };
  }
  const message = 'it is neither a request (with "method") nor a response (with "result" or "error").';
  // An SDK whose handler gave nothing sends its answer without any result.
  return value.id === undefined ? withoutMethod(value, message) : unreadable(message, value.id);
}

/** Throws `json_too_deep`, so that nobody who takes the batch apart meets what no single message could hold. */
function decodeBatch(text: string, size: number): BatchMessage {
  arrayItems(text, 0, MAX_DEPTH - 1);
  return { kind: 'batch', text, size };
}

/** From here on a text is searched for deep nesting before it is parsed: JSON.parse would take its time for all levels. */
const LONG = 8192;

const TOO_DEEP = `the message is nested deeper than ${MAX_DEPTH} levels.`;

/**
 * One JSON-RPC message from its text (S26 basic, "Messages"). Never throws: whatever is wrong comes back as `invalid` with the
 * error to answer. Values stay the text they were; what is forwarded is spliced from it.
 */
export function decodeMessage(text: string): Message {
  if (text.length > LONG && nestsDeeper(text, MAX_DEPTH)) return malformed(TOO_DEEP);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return invalid(rpcError(RPC.parseError, 'Parse error: the body is not valid JSON.'));
  }
  try {
    if (Array.isArray(value)) return decodeBatch(text, value.length);
    return isObject(value) ? decodeObject(text, value) : malformed('a message is a JSON object.');
  } catch (error) {
    if (error instanceof AppError && error.code === 'json_too_deep')
      return isObject(value) && value.method === undefined ? withoutMethod(value, TOO_DEEP) : malformed(TOO_DEEP);
    throw error;
  }
}

/** The message; for a response that is malformed the failure of what it answers. */
export function orFailure(message: Message): Message {
  return message.kind === 'invalid' ? (message.response ?? message) : message;
}

/** A request's text. `params` is JSON text. */
export function requestText(id: number, method: string, params: string): string {
  return `{"jsonrpc":"2.0","id":${id},"method":${JSON.stringify(method)},"params":${params}}`;
}

export function notificationText(method: string, params?: string): string {
  return `{"jsonrpc":"2.0","method":${JSON.stringify(method)}${params === undefined ? '' : `,"params":${params}`}}`;
}

export function resultText(idText: string, result: string): string {
  return `{"jsonrpc":"2.0","id":${idText},"result":${result}}`;
}

export function errorText(idText: string, error: RpcError): string {
  return `{"jsonrpc":"2.0","id":${idText},"error":${rpcErrorText(error)}}`;
}
