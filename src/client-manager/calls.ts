import {
  isModernCode,
  legacyParams,
  MAY_ASK,
  modernParams,
  outcomeOf,
  RPC,
  type Call,
  type CallContext,
  type Era,
  type HeaderParam,
  type Implementation,
  type JsonObject,
  type ModernRevision,
  type Outcome,
  type Params,
} from '../protocol/index.ts';
import type { Connection, Exchange, Reply } from './connection.ts';
import { withLogs } from './log-level.ts';

/** One leg of a call: what goes out over a connection now. */
export interface Leg {
  readonly server: string;
  readonly connection: Connection;
  readonly call: Call;
  readonly context: CallContext;
  readonly headerParams: readonly HeaderParam[];
  /** On the clock of `performance.now()`. */
  readonly expiresAt: number;
  readonly gateway: Implementation;
  /** Instead of the connection's own way to carry out an exchange. */
  readonly send?: ((exchange: Exchange) => Promise<Reply>) | undefined;
}

const NO_PARAMS: JsonObject = {};
/** The last progress token that was given out: servers get each once, whoever calls. */
let lastToken = 0;

/** A token for the progress of a request of ours. */
export function nextToken(): number {
  return ++lastToken;
}

/** What modern headers are computed from: the outgoing name, not the client's (PROTOCOL C3). */
function mirrorOf({ params, subject }: Call): JsonObject {
  const value = params?.value ?? NO_PARAMS;
  return subject === undefined || subject.value === value[subject.member] ? value : { ...value, [subject.member]: subject.value };
}

function forward(context: CallContext, method: string, params: Params | undefined): void {
  const text = params && { text: params.text.slice(params.span.start, params.span.end), value: params.value };
  context.onEvent({ kind: 'notification', method, params: text });
}

/** Sends the call over the connection and reports the attempt. Never rejects. */
export async function runLeg(leg: Leg): Promise<Reply> {
  const { server, connection, context, headerParams, expiresAt, gateway, send } = leg;
  const begun = performance.now();
  const modern = connection.era === 'modern';
  const call = connection.via === 'http-modern' && connection.facts.capabilities.logging !== undefined ? withLogs(leg.call) : leg.call;
  const progressToken = call.progress ? nextToken() : undefined;
  const exchange: Exchange = {
    method: call.method,
    params: modern
      ? modernParams(call, connection.revision as ModernRevision, { gateway, progressToken })
      : legacyParams(call, progressToken),
    mirror: modern ? mirrorOf(call) : NO_PARAMS,
    headerParams,
    expiresAt,
    signal: context.signal,
    onNotification: (method, params) => forward(context, method, params),
    progressToken,
    logs: call.logLevel !== undefined,
    streams: context.streams === true && connection.via === 'http-modern',
  };
  const reply = await (send === undefined ? connection.exchange(exchange) : send(exchange));
  const durationMs = performance.now() - begun;
  context.onEvent({ kind: 'attempt', attempt: { server, via: connection.via, durationMs, outcome: attemptOutcome(reply) } });
  return reply;
}

function attemptOutcome(reply: Reply): string {
  if (reply.kind === 'failed') return reply.failure.code;
  return reply.error === undefined ? 'ok' : String(reply.error.code);
}

/** The upstream's reply in the inner language. */
export function outcomeOfReply(reply: Reply): Outcome {
  if (reply.kind === 'failed') return { kind: 'failed', failure: reply.failure };
  if (reply.result !== undefined) return outcomeOf(reply.result);
  if (reply.stream !== undefined) return { kind: 'stream', stream: reply.stream };
  return { kind: 'error', error: reply.error ?? { code: RPC.internalError, message: 'The server answered without a result.' } };
}

/**
 * Why a call that provably did nothing may be sent once more (PROTOCOL A8), or undefined if it may not. The codes of the modern
 * revision mean a refusal only there, and over HTTP only under the status 400: elsewhere they are some tool's own, which has run.
 */
export function repeatable(reply: Reply, { era, via }: Pick<Connection, 'era' | 'via'>): 'gone' | 'headers' | 'revision' | undefined {
  if (reply.kind === 'failed') return reply.gone === true ? 'gone' : undefined;
  if (reply.error === undefined || era !== 'modern') return undefined;
  const overHttp = via === 'http-modern';
  if (overHttp && reply.status !== 400) return undefined;
  const { code } = reply.error;
  if (code === RPC.headerMismatch) return overHttp ? 'headers' : undefined;
  return code === RPC.unsupportedProtocolVersion ? 'revision' : undefined;
}

const UNKNOWN_TOOL = /\b(unknown|no such) tool\b|\btool\b.{0,200}\b(not found|unknown|not exist)\b/is;

/** True for an answer that a server gives to one who calls what it does not offer any more, or offers in another form. */
export function looksOutdated(reply: Reply, era: Era): boolean {
  if (reply.kind === 'failed' || reply.error === undefined) return false;
  const { code, message } = reply.error;
  return code === RPC.headerMismatch ? era === 'modern' : code === RPC.invalidParams && UNKNOWN_TOOL.test(message.slice(0, 500));
}

/** Whatever wants to be asked, or goes on with what was begun, needs more than the connection that all share. */
export function isPlain({ state, offers, method }: Call): boolean {
  return state === undefined && (offers.text === '{}' || !MAY_ASK.has(method));
}

const REFUSALS: ReadonlySet<number> = new Set([RPC.invalidRequest, RPC.methodNotFound, RPC.invalidParams]);

/** True for an error that wrong calls bring about, and that some servers of the other era give to all calls. */
export function looksRefused(reply: Reply, era: Era): boolean {
  if (reply.kind === 'failed' || reply.error === undefined) return false;
  const { code } = reply.error;
  if (isModernCode(code)) return era === 'legacy';
  return REFUSALS.has(code) || (code >= -32_099 && code <= -32_000);
}
