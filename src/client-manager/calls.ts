import {
  legacyParams,
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
import type { Connection, Reply } from './connection.ts';

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
}

const NO_PARAMS: JsonObject = {};

/** What modern headers are computed from: the outgoing name, not the client's (PROTOCOL C3). */
function mirrorOf({ params, toolName }: Call): JsonObject {
  const value = params?.value ?? NO_PARAMS;
  return toolName === undefined || toolName === value.name ? value : { ...value, name: toolName };
}

function forward(context: CallContext, method: string, params: Params | undefined): void {
  const text = params && { text: params.text.slice(params.span.start, params.span.end), value: params.value };
  context.onEvent({ kind: 'notification', method, params: text });
}

/** Sends the call over the connection and reports the attempt. Never rejects. */
export async function runLeg({ server, connection, call, context, headerParams, expiresAt, gateway }: Leg): Promise<Reply> {
  const begun = performance.now();
  const modern = connection.era === 'modern';
  const reply = await connection.exchange({
    method: call.method,
    params: modern ? modernParams(call, connection.revision as ModernRevision, { gateway }) : legacyParams(call),
    mirror: modern ? mirrorOf(call) : NO_PARAMS,
    headerParams,
    expiresAt,
    signal: context.signal,
    onNotification: (method, params) => forward(context, method, params),
  });
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
