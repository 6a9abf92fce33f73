import { isLogLevel, jsonText, LOG_LEVELS, type Outcome } from '../../protocol/index.ts';
import type { Step } from '../frame.ts';
import { invalidParams } from '../make-call.ts';
import { noSuchMethod } from '../refusals.ts';

const DONE: Outcome = { kind: 'complete', result: jsonText({}) };
const FULL: Outcome = {
  kind: 'failed',
  failure: { code: 'busy', message: 'This session is at its limit of subscriptions. Unsubscribe from some.', executed: 'no' },
};

/** What a legacy client changes of its session: the lowest level of log messages, and the resources that it is told of. */
export const changeSession: Step = (frame): Outcome => {
  const { session, request } = frame;
  if (session === undefined) return noSuchMethod(frame);
  const params = request.params?.value ?? {};
  if (request.method === 'logging/setLevel') {
    if (!isLogLevel(params.level)) return invalidParams(`params.level must be one of ${LOG_LEVELS.join(', ')}.`);
    session.logLevel = params.level;
    return DONE;
  }
  const uri = params.uri as string;
  if (request.method === 'resources/subscribe') return session.subscribe(uri) ? DONE : FULL;
  session.unsubscribe(uri);
  return DONE;
};
