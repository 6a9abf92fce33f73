import {
  mayAsk,
  missingCapability,
  requiredFor,
  type Ask,
  type AskAnswer,
  type JsonObject,
  type JsonText,
  type Outcome,
  type RpcError,
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

function unanswered(failures: Failures, waitMs: number): Outcome {
  const message = `Server "${failures.server}" asked for input and got none within ${Math.round(waitMs / 1_000)} s. The call may or may not have taken effect: look before you start the call again.`;
  return { kind: 'failed', failure: { code: 'deadline_exceeded', message, executed: 'unknown' } };
}

const MAX_REASON = 200;

/** The modern era has no words for a client's error in place of an answer (S26 mrtr): its server would ask again. */
function refused(failures: Failures, { method }: Ask, { message }: RpcError): Outcome {
  return outcomeOfReply(
    failures.refused(`needs ${method}, to which its client gave no answer (${message.slice(0, MAX_REASON)})`, 'unknown'),
  );
}

/** Asks everything side by side. An outcome if the call cannot go on: something was not declared, not answered, or it was canceled. */
export async function askAll({ asks, ask, offers, failures, waitMs, signal }: Asking): Promise<Map<string, JsonText> | Outcome> {
  const foreign = [...asks.values()].find((one) => ask === undefined || !mayAsk(one, offers));
  if (foreign !== undefined || ask === undefined)
    return foreign === undefined ? new Map() : { kind: 'error', error: missingCapability(requiredFor(foreign)) };
  const late = new AbortController();
  const round = new AbortController();
  const timer = setTimeout(() => late.abort(new Error('late')), waitMs);
  const any = AbortSignal.any([signal, late.signal, round.signal]);
  const answers = new Map<string, JsonText>();
  let problem: Outcome | undefined;
  const one = async ([key, asked]: readonly [string, Ask]): Promise<void> => {
    const answer = await ask(asked, any, key);
    if ('result' in answer) {
      answers.set(key, answer.result);
      return;
    }
    problem ??= refused(failures, asked, answer.error);
    round.abort(new Error('another question was not answered'));
  };
  await Promise.all([...asks].map(one));
  clearTimeout(timer);
  if (signal.aborted) return outcomeOfReply(failures.canceled('unknown'));
  if (late.signal.aborted) return unanswered(failures, waitMs);
  return problem ?? answers;
}
