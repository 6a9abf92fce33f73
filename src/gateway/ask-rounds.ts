import {
  inputRequestsOf,
  inputResponses,
  MAX_ROUNDS,
  MAY_ASK,
  mayAsk,
  requiredFor,
  roundPauseMs,
  RPC,
  rpcError,
  type Ask,
  type AskClient,
  type Call,
  type CallContext,
  type Failure,
  type JsonText,
  type Outcome,
  type RpcError,
  type Target,
} from '../protocol/index.ts';
import { sleep } from '../shared/index.ts';
import { brokenProtocol, lacksCapability, legacyWords } from './asking.ts';
import type { Frame } from './frame.ts';

export interface Legs {
  readonly target: Target;
  readonly call: Call;
  readonly context: CallContext;
}

const failed = (code: Failure['code'], message: string, detail?: unknown): Outcome => ({
  kind: 'failed',
  failure: { code, message, executed: 'unknown', detail },
});

/** The asks in the client's words; or what to answer if it lacks one of them. */
function wordsFor(frame: Frame, call: Call, asks: ReadonlyMap<string, Ask>): Map<string, Ask> | Outcome {
  const worded = new Map<string, Ask>();
  for (const [key, ask] of asks) {
    const words = mayAsk(ask, call.offers.value) ? legacyWords(frame, ask) : undefined;
    if (words === undefined) return lacksCapability(frame, requiredFor(ask), 'unknown');
    worded.set(key, words);
  }
  return worded;
}

const MAX_REASON = 200;

/**
 * A client that answers a question with an error. A modern server can be told nothing of that (S26 mrtr has no errors in `inputResponses`), and
 * would ask again: the call ends with the client's reason, and what the server keeps for the next round expires.
 */
function unanswered(frame: Frame, { method }: Ask, error: RpcError): Outcome {
  const { server } = frame.record;
  const reason = error.message.slice(0, MAX_REASON);
  const message = `The client gave no answer to ${method} (${reason}), which server ${server} needs to go on. The call may have taken effect.`;
  if (frame.request.method !== 'tools/call') return { kind: 'error', error: rpcError(RPC.internalError, message) };
  return failed('upstream_failed', message, error);
}

/** Asks everything side by side; the first error in place of an answer ends the others. */
async function askAll(frame: Frame, askClient: AskClient, asks: ReadonlyMap<string, Ask>): Promise<Map<string, JsonText> | Outcome> {
  const answers = new Map<string, JsonText>();
  let problem: Outcome | undefined;
  const round = new AbortController();
  const signal = AbortSignal.any([frame.signal, round.signal]);
  const one = async ([key, ask]: readonly [string, Ask]): Promise<void> => {
    const answer = await askClient(ask, signal);
    if ('result' in answer) {
      answers.set(key, answer.result);
      return;
    }
    problem ??= unanswered(frame, ask, answer.error);
    round.abort();
  };
  await Promise.all([...asks].map(one));
  return problem ?? answers;
}

const isOutcome = (value: ReadonlyMap<string, unknown> | Outcome): value is Outcome => 'kind' in value;

/** One round: the answers to what the result asks, or the outcome that ends the call. `undefined` if nothing was asked. */
async function answersTo(frame: Frame, call: Call, result: JsonText): Promise<JsonText | undefined | Outcome> {
  const asks = inputRequestsOf(result);
  if (asks === undefined) return brokenProtocol(frame, 'a malformed "input_required"');
  if (asks.size === 0) return undefined;
  const worded = wordsFor(frame, call, asks);
  if (isOutcome(worded)) return worded;
  const ask = frame.port?.ask;
  if (ask === undefined) return lacksCapability(frame, requiredFor([...asks.values()][0] as Ask), 'unknown');
  const answers = await askAll(frame, ask, worded);
  return isOutcome(answers) ? answers : inputResponses(answers);
}

/** Waits before a server is asked again that only wants to be asked again. */
async function pause(signal: AbortSignal, pauses: number): Promise<void> {
  // An abort ends the wait; the target then says what has become of the call.
  await sleep(roundPauseMs(pauses), signal).catch(() => undefined);
}

/**
 * Carries a call of a legacy client on whose modern server needs input: the client is asked while its request is open, and the call is sent again
 * with the answers and the state, until there is another outcome (PROTOCOL D). `result` is of the first round.
 */
export async function askInRounds(frame: Frame, { target, call, context }: Legs, result: JsonText): Promise<Outcome> {
  if (!MAY_ASK.has(call.method)) return brokenProtocol(frame, '"input_required"');
  let asking = result;
  let pauses = 0;
  for (let round = 1; round <= MAX_ROUNDS; round++) {
    frame.record.inputRounds = round;
    const answers = await answersTo(frame, call, asking);
    if (answers === undefined) await pause(frame.signal, pauses++);
    if (frame.signal.aborted) return failed('canceled', 'The call was canceled by its client.');
    if (answers !== undefined && 'kind' in answers) return answers;
    const { requestState } = asking.value;
    const state = typeof requestState === 'string' ? requestState : undefined;
    const outcome = await target.handle({ ...call, state, answers }, context);
    if (outcome.kind !== 'input_required') return outcome;
    asking = outcome.result;
  }
  return failed(
    'upstream_failed',
    `Server ${frame.record.server} asked for input ${MAX_ROUNDS} times and came to no result. The call was given up.`,
  );
}
