import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Authentication, Principal } from '../../security/index.ts';
import type { Endpoint } from '../endpoints.ts';
import type { Answer } from '../render.ts';
import { refusalText, type HttpRefusal } from './http-checks.ts';

/** What the HTTP host knows of a request's credential. */
export interface Guarded {
  /** The guard's verdict now: a stream outlives keys that are revoked or expire. */
  authenticate(): Authentication;
  /** Counts one more request against the key's rate: milliseconds to wait, 0 for none. */
  admit(): number;
}

/** One HTTP request of an authenticated client on an MCP endpoint. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly endpoint: Endpoint;
  readonly principal: Principal;
  readonly guard: Guarded;
  /** Whether the client takes a text/event-stream for an answer, once its headers were judged. */
  events: boolean;
  /** Size of the body, once it was read. */
  bytesIn: number;
}

const JSON_TYPE = 'application/json';
/** How long an answer may wait for its reader without a byte moving. */
export const STUCK_MS = 30_000;

interface Waiting {
  readonly response: ServerResponse;
  readonly answer: Answer;
}

let waiting: Waiting[] = [];

function sendWaiting(): void {
  const batch = waiting;
  waiting = [];
  for (const { response, answer } of batch) sendAnswer(response, answer);
}

/**
 * Writes a JSON-RPC answer at the end of this turn of the event loop, together with the others that become ready in it: answers written one
 * by one between reads make the kernel switch to their readers each time (docs/decisions/0005-answers-per-turn.md).
 */
export function sendAnswerThisTurn(response: ServerResponse, answer: Answer): void {
  if (waiting.push({ response, answer }) === 1) setImmediate(sendWaiting);
}

/** Writes a JSON-RPC answer. Nothing is written if the client is gone. */
export function sendAnswer(response: ServerResponse, answer: Answer, headers: Readonly<Record<string, string>> = {}): void {
  if (response.destroyed || response.headersSent) return;
  const extra = answer.retryAfterMs === undefined ? headers : { ...headers, 'retry-after': String(Math.ceil(answer.retryAfterMs / 1000)) };
  response.writeHead(answer.status, { 'content-type': JSON_TYPE, 'content-length': Buffer.byteLength(answer.text), ...extra });
  response.end(answer.text);
  // A client that does not read would hold its answer for as long as it likes.
  if (response.writableLength > 0) response.socket?.setTimeout(STUCK_MS);
}

/** Writes a refusal. Where the body was left unread the connection is closed behind the answer. */
export function sendRefusal(response: ServerResponse, refusal: HttpRefusal): void {
  const headers = refusal.closes === true ? { ...refusal.headers, connection: 'close' } : refusal.headers;
  sendAnswer(response, { text: refusalText(refusal), status: refusal.status }, headers);
}

/** 202: a notification or response was taken. */
export function sendAccepted(response: ServerResponse): void {
  if (response.destroyed) return;
  response.writeHead(202, { 'content-length': 0 });
  response.end();
}
