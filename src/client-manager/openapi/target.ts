import { isObject, RPC, rpcError, type Call, type CallContext, type JsonObject, type Outcome, type Target } from '../../protocol/index.ts';
import { BoundedCount, type Caps } from '../../shared/index.ts';
import { outcomeOfReply } from '../calls.ts';
import { Failures } from '../failures.ts';
import { CallSignal } from './deadline.ts';
import { parseExact } from './exact.ts';
import type { ApiFetch, ApiReply, ApiRequest } from './fetch.ts';
import { headerOf, readBytes } from './read-body.ts';
import { buildRequest, type ApiCredentials } from './request.ts';
import { MAX_ERROR_BYTES, refusalResult, successResult, type Answer } from './result.ts';
import type { ApiOperation, ApiReading } from './types.ts';
import { unsentReason } from './unsent.ts';

export interface ApiTargetOptions {
  /** The server's configured name. */
  readonly name: string;
  readonly reading: ApiReading;
  readonly caps: Caps;
  /** Calls that may be under way at once. */
  readonly maxInFlight: number;
  /** Milliseconds that one call may take, at most. */
  readonly deadlineMs: number;
  readonly fetch: ApiFetch;
  /** Asked before each call; what it rejects with goes to the log only. */
  readonly auth?: (() => Promise<ApiCredentials>) | undefined;
  /** Bytes of an answer that are read at most; more is refused. */
  readonly maxBytes?: number | undefined;
  /** Bytes of an answer that a model gets at once. */
  readonly maxTextBytes?: number | undefined;
}

export const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
export const MAX_TEXT_BYTES = 64 * 1024;
const NO_CREDENTIALS: ApiCredentials = {};

/** One call on its way, and how far it came. */
interface Run {
  readonly operation: ApiOperation;
  readonly call: Call;
  readonly args: JsonObject;
  readonly within: CallSignal;
  readonly deadlineMs: number;
  /** True from the moment that the request may have left. */
  sent: boolean;
}

/** The call's arguments; numbers that a parse would change keep their text. */
function argumentsOf({ params, edits }: Call): JsonObject {
  const edit = edits.find(([member]) => member === 'arguments');
  if (edit !== undefined) {
    const edited = edit[1] === null ? undefined : parseExact(edit[1]);
    return isObject(edited) ? edited : {};
  }
  if (params === undefined) return {};
  const value = parseExact(params.text.slice(params.span.start, params.span.end));
  return isObject(value) && isObject(value.arguments) ? value.arguments : {};
}

/** An HTTP API as a target: a tool's arguments become a request, its answer a result. */
export class ApiTarget implements Target {
  readonly #options: ApiTargetOptions;
  #operations: ReadonlyMap<string, ApiOperation> = new Map();
  #baseUrl: string | undefined;
  readonly #failures: Failures;
  readonly #inFlight: BoundedCount;

  constructor(options: ApiTargetOptions) {
    const { name, reading, caps, maxInFlight, maxBytes = MAX_ANSWER_BYTES } = options;
    this.#options = options;
    this.use(reading);
    this.#failures = new Failures(name, maxBytes);
    this.#inFlight = new BoundedCount(`upstream_calls:${name}`, maxInFlight, caps);
  }

  /** Calls under way. */
  get inFlight(): number {
    return this.#inFlight.size;
  }

  /** The operations of a newer document; calls under way go on with theirs. */
  use({ operations, facts }: ApiReading): void {
    this.#operations = new Map(operations.map((operation) => [operation.name, operation]));
    this.#baseUrl = facts.baseUrl;
  }

  /** Gives its gauge back; calls under way go on. */
  stop(): void {
    this.#options.caps.remove(this.#inFlight);
  }

  async handle(call: Call, context: CallContext): Promise<Outcome> {
    if (call.method !== 'tools/call')
      return { kind: 'error', error: rpcError(RPC.methodNotFound, `An HTTP API has no method ${call.method}.`) };
    const name = call.subject?.value ?? call.params?.value.name;
    const operation = typeof name === 'string' ? this.#operations.get(name) : undefined;
    if (operation === undefined)
      return { kind: 'error', error: rpcError(RPC.invalidParams, `Unknown tool: ${String(name).slice(0, 100)}`) };
    if (!this.#inFlight.enter())
      return outcomeOfReply(this.#failures.busy(`${this.#options.maxInFlight} calls are under way, which is its limit`));
    const begun = performance.now();
    const deadlineMs = Math.min(call.deadlineMs, this.#options.deadlineMs);
    using within = new CallSignal(context.signal, deadlineMs);
    const run: Run = { operation, call, args: argumentsOf(call), within, deadlineMs, sent: false };
    const outcome = await this.#carryOut(run).catch((error: unknown) => this.#broken(run, error));
    this.#inFlight.leave();
    const { name: server } = this.#options;
    if (run.sent)
      context.onEvent({
        kind: 'attempt',
        attempt: { server, via: 'openapi', durationMs: performance.now() - begun, outcome: attemptOutcome(outcome) },
      });
    return outcome;
  }

  async #carryOut(run: Run): Promise<Outcome> {
    const { operation, args, within } = run;
    const base = this.#baseUrl;
    if (base === undefined) return outcomeOfReply(this.#failures.unavailable('its configuration does not say where the API is: set "url"'));
    within.signal.throwIfAborted();
    const credentials = await this.#credentials(within);
    if (credentials === undefined) return outcomeOfReply(this.#failures.unavailable('there are no working credentials for it'));
    const built = buildRequest(operation, args, base, credentials);
    if (!built.ok) return invalid(operation, built.problem);
    within.signal.throwIfAborted();
    run.sent = true;
    return this.#answered(run, await this.#fetched(built.request, within));
  }

  /** Undefined if there are none to be had. */
  async #credentials(within: CallSignal): Promise<ApiCredentials | undefined> {
    const { auth } = this.#options;
    if (auth === undefined) return NO_CREDENTIALS;
    try {
      return await within.bound(auth());
    } catch {
      within.signal.throwIfAborted();
      return undefined;
    }
  }

  #fetched(request: ApiRequest, within: CallSignal): Promise<ApiReply> {
    return within.bound(this.#options.fetch(request, within.signal));
  }

  async #answered(run: Run, reply: ApiReply): Promise<Outcome> {
    const { operation, call, args, within } = run;
    const { status } = reply;
    const isGood = status >= 200 && status < 300;
    const maxBytes = operation.hardBytes ?? this.#options.maxBytes ?? MAX_ANSWER_BYTES;
    const read = await within.bound(readBytes(reply, isGood ? maxBytes : MAX_ERROR_BYTES));
    const maxTextBytes = operation.softBytes ?? this.#options.maxTextBytes ?? MAX_TEXT_BYTES;
    const answer: Answer = { operation, args, sideEffect: call.sideEffect, reply, read, maxTextBytes };
    if (isGood) return read.cut ? outcomeOfReply(this.#failures.tooLarge(maxBytes)) : { kind: 'complete', result: successResult(answer) };
    return this.#refused(answer, reply);
  }

  /** What is ours to solve (credentials, redirects, waiting) is a failure; what the API says about the call is its result. */
  #refused(answer: Answer, reply: ApiReply): Outcome {
    const { sideEffect } = answer;
    const { status } = reply;
    if (status === 401) return outcomeOfReply(this.#failures.needsCredentials(status));
    if (status === 429 || (status === 503 && sideEffect === 'read'))
      return outcomeOfReply(this.#failures.busy(`it answered with HTTP ${status}`, 'unknown', retryAfterMs(reply)));
    if (status >= 400 && status < 600) return { kind: 'complete', result: refusalResult(answer) };
    return outcomeOfReply(this.#failures.refused(statusReason(reply), 'unknown', { status }));
  }

  /** Why there is no answer. */
  #broken({ within, deadlineMs, sent }: Run, error: unknown): Outcome {
    const failures = this.#failures;
    const unsent = unsentReason(error);
    const executed = sent && unsent === undefined ? 'unknown' : 'no';
    if (within.expired) return outcomeOfReply(failures.deadline(deadlineMs, executed));
    if (within.signal.aborted) return outcomeOfReply(failures.canceled(executed));
    if (!sent) return outcomeOfReply(failures.refused('could not be called because of an error in the gateway', executed, error));
    if (unsent !== undefined) return outcomeOfReply(failures.unavailable(unsent, error));
    return outcomeOfReply(failures.outcomeUnknown('closed the connection before it answered', error));
  }
}

/** What a status that is no answer says: a redirect, which is not followed, or one that does not exist. */
function statusReason(reply: ApiReply): string {
  const location = headerOf(reply, 'location') ?? '';
  const origin = URL.canParse(location) ? new URL(location).origin : 'null';
  const where = origin === 'null' ? 'another address' : origin.slice(0, 200);
  if (reply.status < 300 || reply.status >= 400) return `answered with HTTP ${reply.status}`;
  return `redirects (HTTP ${reply.status}) to ${where}, and redirects are not followed: set the url that it leads to in the configuration`;
}

function invalid({ name }: ApiOperation, problem: string): Outcome {
  const message = `Invalid arguments for ${name}: it ${problem}. The call was not sent.`;
  return { kind: 'failed', failure: { code: 'invalid_arguments', message, executed: 'no' } };
}

/** Seconds, or a date (RFC 9110 10.2.3). */
function retryAfterMs(reply: Pick<ApiReply, 'headers'>): number {
  const text = headerOf(reply, 'retry-after') ?? '';
  const ms = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - Date.now();
  return Number.isFinite(ms) && ms > 0 ? Math.min(ms, 3_600_000) : 1_000;
}

function attemptOutcome(outcome: Outcome): string {
  if (outcome.kind === 'failed') return outcome.failure.code;
  return outcome.kind === 'complete' && outcome.result.value.isError === true ? 'tool_error' : 'ok';
}
