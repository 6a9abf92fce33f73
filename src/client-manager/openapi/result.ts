import { isObject, type JsonObject, type JsonText, type SideEffect } from '../../protocol/index.ts';
import { parseExact } from './exact.ts';
import type { ApiReply } from './fetch.ts';
import { isJson, isText, mediaType } from './media.ts';
import { narrowing, nextPage } from './paging.ts';
import { cutText, decoded, headerOf, type BodyRead } from './read-body.ts';
import { shrink } from './shrink.ts';
import type { ApiOperation } from './types.ts';

/** An answer whose body was read. */
export interface Answer {
  readonly operation: ApiOperation;
  readonly args: JsonObject;
  readonly sideEffect: SideEffect;
  readonly reply: Pick<ApiReply, 'status' | 'headers'>;
  readonly read: BodyRead;
  /** Bytes of text behind which it is cut. */
  readonly maxTextBytes: number;
}

interface Parts {
  readonly texts: readonly string[];
  /** JSON text of the structured content. */
  readonly structured?: string | undefined;
  readonly isError?: boolean | undefined;
}

function resultOf({ texts, structured, isError }: Parts): JsonText {
  const content = texts.filter((text) => text !== '').map((text) => ({ type: 'text', text }));
  const members = [
    `"content":${JSON.stringify(content)}`,
    ...(structured === undefined ? [] : [`"structuredContent":${structured}`]),
    ...(isError === true ? ['"isError":true'] : []),
  ];
  const value: Record<string, unknown> = { content };
  if (structured !== undefined) value.structuredContent = JSON.parse(structured) as unknown;
  if (isError === true) value.isError = true;
  return { text: `{${members.join(',')}}`, value };
}

/** A result that is an error of the tool. */
export const errorResult = (...texts: string[]): JsonText => resultOf({ texts, isError: true });

/** Tools answer with objects: a list is wrapped as `{ items }`, anything else as `{ value }`. */
function asObject(value: unknown): unknown {
  if (Array.isArray(value)) return { items: value as unknown[] };
  return isObject(value) ? value : { value };
}

function parsed(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: parseExact(text) };
  } catch {
    return undefined;
  }
}

function askForLess(operation: ApiOperation): string {
  const names = narrowing(operation).slice(0, 6);
  return names.length === 0 ? 'Ask for less if the tool has arguments for that.' : `Ask for less with ${names.join(', ')}.`;
}

function jsonResult({ value }: { readonly value: unknown }, answer: Answer): JsonText {
  const { operation, args, reply, maxTextBytes } = answer;
  const whole = asObject(value);
  const json = JSON.stringify(whole);
  const bytes = Buffer.byteLength(json);
  const link = headerOf(reply, 'link');
  if (bytes <= maxTextBytes) return resultOf({ texts: [json, nextPage(link, undefined, operation, args) ?? ''], structured: json });
  const next = nextPage(link, value, operation, args) ?? '';
  const less = shrink(whole, maxTextBytes);
  if (less !== undefined) {
    const note = `The answer has ${bytes} bytes and was cut: ${less.notes.join('; ')}. ${askForLess(operation)} ${next}`.trim();
    return resultOf({ texts: [less.json, note], structured: less.json });
  }
  const note = `The answer has ${bytes} bytes; these are the first ${maxTextBytes}. ${askForLess(operation)} ${next}`.trim();
  // What declares an outputSchema must answer with structured content.
  const structured = operation.definition.outputSchema === undefined ? undefined : json;
  return resultOf({ texts: [cutText(json, maxTextBytes), note], structured });
}

function textResult(text: string, { operation, args, reply, maxTextBytes }: Answer): JsonText {
  const next = nextPage(headerOf(reply, 'link'), undefined, operation, args) ?? '';
  const bytes = Buffer.byteLength(text);
  if (bytes <= maxTextBytes) return resultOf({ texts: [text, next] });
  const note = `The answer has ${bytes} bytes; these are the first ${maxTextBytes}. ${askForLess(operation)} ${next}`.trim();
  return resultOf({ texts: [cutText(text, maxTextBytes), note] });
}

const TOLD_HEADERS = ['content-type', 'content-length', 'last-modified', 'etag', 'location', 'retry-after'] as const;

/** An answer without a body says what its status and headers do. */
function emptyResult({ reply }: Answer): JsonText {
  const told = TOLD_HEADERS.map((name) => [name, headerOf(reply, name)] as const).filter(([, value]) => value !== undefined);
  const headers = told.map(([name, value]) => `${name}: ${(value ?? '').slice(0, 300)}`);
  return resultOf({ texts: [`HTTP ${reply.status}, without a body.${headers.length === 0 ? '' : `\n${headers.join('\n')}`}`] });
}

const isPlain = (bytes: Buffer): boolean => !bytes.includes(0) && !decoded(bytes).includes('\ufffd');

/** The answer of an operation that went well (2xx). */
export function successResult(answer: Answer): JsonText {
  const { reply, read, sideEffect } = answer;
  const contentType = headerOf(reply, 'content-type') ?? '';
  const type = mediaType(contentType);
  if (read.bytes.length === 0) return emptyResult(answer);
  const json = isJson(type) || type === '' ? parsed(decoded(read.bytes, contentType)) : undefined;
  if (json !== undefined) return jsonResult(json, answer);
  const encoding = headerOf(reply, 'content-encoding') ?? 'identity';
  if (encoding === 'identity' && (isText(type) || isJson(type) || (type === '' && isPlain(read.bytes))))
    return textResult(decoded(read.bytes, contentType), answer);
  const what = encoding === 'identity' ? type || 'an unknown type' : `${type} encoded as ${encoding}`;
  const text = `The API answered with ${read.bytes.length} bytes of ${what.slice(0, 100)}, which is not text and is not passed on.`;
  return resultOf({
    texts: [`${text}${sideEffect === 'read' ? '' : ' The call itself was carried out.'}`],
    isError: sideEffect === 'read',
  });
}

/** Bytes of an error's body that are passed on. */
export const MAX_ERROR_BYTES = 4_000;

/** A refusal of the API (4xx) or its failure (5xx), with what it says about it. */
export function refusalResult({ reply, read, sideEffect }: Answer): JsonText {
  const { status } = reply;
  const contentType = headerOf(reply, 'content-type') ?? '';
  const type = mediaType(contentType);
  const readable = isJson(type) || isText(type) || (type === '' && isPlain(read.bytes));
  const body = readable ? decoded(read.bytes, contentType).trim() : '';
  const doubt = status >= 500 && sideEffect !== 'read' ? ' The call may or may not have taken effect: look before you send it again.' : '';
  return errorResult(`The API answered with HTTP ${status}.${doubt}`, read.cut ? `${body}... (cut)` : body);
}
