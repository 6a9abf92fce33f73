import {
  inputRequestsOf,
  inputRequiredResult,
  inputResponses,
  MAX_ROUNDS,
  roundPauseMs,
  RPC,
  urlAsksOf,
  type Call,
  type CallContext,
  type JsonText,
  type Outcome,
} from '../../protocol/index.ts';
import { sleep } from '../../shared/index.ts';
import { outcomeOfReply } from '../calls.ts';
import type { Failures } from '../failures.ts';
import { LegacyCalls } from '../leases/legacy-calls.ts';
import { askAll, type AskOne } from './asking.ts';

export interface Rounds {
  readonly call: Call;
  readonly context: CallContext;
  readonly ask: AskOne;
  readonly failures: Failures;
  /** How long the client has for the questions of one round. */
  readonly askMs: number;
  /** Carries out one round. Never rejects. */
  readonly run: (call: Call, context: CallContext) => Promise<Outcome>;
  /** How the server was called last. */
  readonly via: () => string;
}

/** What a round asks, as an `input_required` result; undefined for an outcome that ends the call. */
function askingOf(outcome: Outcome, via: string): JsonText | undefined {
  if (outcome.kind === 'input_required') return outcome.result;
  // A legacy server that wants a URL visited refuses the request, which is sent again then (PROTOCOL C2).
  if (outcome.kind !== 'error' || outcome.error.code !== RPC.urlElicitationRequired || !via.endsWith('-legacy')) return undefined;
  const entries = urlAsksOf(outcome.error);
  return entries && inputRequiredResult(entries, undefined);
}

/** A parked call that nobody will come back to is told so, in the only way there is: by a request of its client that goes away. */
async function abandon({ call, run }: Rounds, state: string | undefined): Promise<void> {
  if (state === undefined || !LegacyCalls.owns(state)) return;
  const gone = new AbortController();
  const left = run({ ...call, state, answers: undefined }, { signal: gone.signal, onEvent: () => undefined });
  gone.abort(new Error('given up'));
  await left;
}

/** Carries a call through all rounds in which its server wants input, asking with `ask` (S26 mrtr). Never rejects. */
export async function inRounds(rounds: Rounds): Promise<Outcome> {
  const { call, context, ask, failures, askMs, run, via } = rounds;
  const { signal } = context;
  let outcome = await run(call, context);
  let pauses = 0;
  for (let round = 1; ; round++) {
    const asking = askingOf(outcome, via());
    if (asking === undefined) return outcome;
    const { requestState } = asking.value;
    const state = typeof requestState === 'string' ? requestState : undefined;
    const asks = round > MAX_ROUNDS ? undefined : inputRequestsOf(asking);
    const answers =
      asks === undefined
        ? outcomeOfReply(
            failures.protocol(round > MAX_ROUNDS ? `asked for input ${MAX_ROUNDS} times` : 'asked for input in a malformed way'),
          )
        : await askAll({ asks, ask, offers: call.offers.value, failures, waitMs: askMs, signal });
    if ('kind' in answers) {
      await abandon(rounds, state);
      return answers;
    }
    if (answers.size === 0) await sleep(roundPauseMs(pauses++), signal).catch(() => undefined);
    if (signal.aborted) return outcomeOfReply(failures.canceled('unknown'));
    outcome = await run({ ...call, state, answers: answers.size === 0 ? undefined : inputResponses(answers) }, context);
  }
}
