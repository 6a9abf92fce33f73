import {
  jsonText,
  mayAsk,
  missingCapability,
  requiredFor,
  type Ask,
  type AskAnswer,
  type JsonObject,
  type JsonText,
  type Outcome,
} from '../../protocol/index.ts';
import { outcomeOfReply } from '../calls.ts';
import type { Failures } from '../failures.ts';

/** Asks a client while its call is open; a key of the server's goes with the ask. Never rejects. */
export type AskOne = (ask: Ask, signal: AbortSignal, key: string) => Promise<AskAnswer>;

export interface Asking {
  readonly asks: ReadonlyMap<string, Ask>;
  /** Undefined where nobody can be asked. */
  readonly ask: AskOne | undefined;
  /** What the client declared. */
  readonly offers: JsonObject;
  readonly failures: Failures;
  /** How long the client has. */
  readonly waitMs: number;
  readonly signal: AbortSignal;
}

/** Answers in the words of the modern era, which has none for errors: a person who could not be asked has dismissed the question. */
function answerText({ method }: Ask, answer: AskAnswer): JsonText | undefined {
  if ('result' in answer) return answer.result;
  return method === 'elicitation/create' ? jsonText({ action: 'cancel' }) : undefined;
}

function unanswered(failures: Failures, waitMs: number): Outcome {
  const message = `Server "${failures.server}" asked for input and got none within ${Math.round(waitMs / 1_000)} s. The call may or may not have taken effect: look before you start the call again.`;
  return { kind: 'failed', failure: { code: 'deadline_exceeded', message, executed: 'unknown' } };
}

/** Asks everything side by side. An outcome if the call cannot go on: something was not declared, not answered, or it was canceled. */
export async function askAll({ asks, ask, offers, failures, waitMs, signal }: Asking): Promise<Map<string, JsonText> | Outcome> {
  const foreign = [...asks.values()].find((one) => ask === undefined || !mayAsk(one, offers));
  if (foreign !== undefined || ask === undefined)
    return foreign === undefined ? new Map() : { kind: 'error', error: missingCapability(requiredFor(foreign)) };
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(new Error('late')), waitMs);
  const both = AbortSignal.any([signal, late.signal]);
  const answers = new Map<string, JsonText>();
  let refused: Ask | undefined;
  const one = async ([key, asked]: readonly [string, Ask]): Promise<void> => {
    const text = answerText(asked, await ask(asked, both, key));
    if (text !== undefined) answers.set(key, text);
    else refused ??= asked;
  };
  await Promise.all([...asks].map(one));
  clearTimeout(timer);
  if (signal.aborted) return outcomeOfReply(failures.canceled('unknown'));
  if (late.signal.aborted) return unanswered(failures, waitMs);
  return refused === undefined
    ? answers
    : outcomeOfReply(failures.refused(`needs ${refused.method}, which its client did not answer`, 'unknown'));
}
