import type { Outcome } from '../protocol/index.ts';
import type { Frame, Kind, Services, Step } from './frame.ts';
import { admit } from './steps/admit.ts';
import { authorize } from './steps/authorize.ts';
import { changeSession } from './steps/change-session.ts';
import { checkHeaders } from './steps/check-headers.ts';
import { describeServer } from './steps/describe-server.ts';
import { execute } from './steps/execute.ts';
import { listItems } from './steps/list-items.ts';
import { openRequestState } from './steps/open-state.ts';
import { openWatch } from './steps/open-watch.ts';
import { resolveSubject } from './steps/resolve-subject.ts';
import { resolveTarget } from './steps/resolve-target.ts';
import { settle } from './steps/settle.ts';
import { showResult } from './steps/show-result.ts';
import { validateArguments } from './steps/validate-arguments.ts';
import { validateResult } from './steps/validate-result.ts';

interface Row {
  readonly name: string;
  readonly step: Step;
  readonly kinds: readonly Kind[];
}

const row = (name: string, step: Step, ...kinds: Kind[]): Row => ({ name, step, kinds });

/**
 * The path of every request, in order (DESIGN 4). Address, Host and Origin, authentication and the coarse rate limit ran before, in the
 * HTTP host; envelope and era headers were checked by the face. The first step that returns an outcome ends the walk; `settle` runs
 * in any case and closes the record.
 */
// prettier-ignore
export const PIPELINE: readonly Row[] = [
  //                                            call    read    list    session    server    listen
  row('admit', admit,                          'call', 'read', 'list', 'session', 'server'),
  row('resolve_target', resolveTarget,         'call'),
  row('resolve_subject', resolveSubject,               'read',         'session'),
  row('authorize', authorize,                  'call', 'read',         'session'),
  row('check_headers', checkHeaders,           'call'),
  row('open_state', openRequestState,          'call', 'read'),
  row('validate_arguments', validateArguments, 'call'),
  row('execute', execute,                      'call', 'read'),
  row('validate_result', validateResult,       'call'),
  row('show_result', showResult,               'call', 'read'),
  row('list_items', listItems,                                 'list'),
  row('change_session', changeSession,                                 'session'),
  row('describe_server', describeServer,                                          'server'),
  row('open_watch', openWatch,                                                              'listen'),
];

const stepsOf = (kind: Kind): readonly Row[] => PIPELINE.filter(({ kinds }) => kinds.includes(kind));
const STEPS: Readonly<Record<Kind, readonly Row[]>> = {
  call: stepsOf('call'),
  read: stepsOf('read'),
  list: stepsOf('list'),
  session: stepsOf('session'),
  server: stepsOf('server'),
  listen: stepsOf('listen'),
};

/** The names of each kind's steps, in order. */
const namesOf = (kind: Kind): readonly string[] => STEPS[kind].map(({ name }) => name);
export const STEP_NAMES: Readonly<Record<Kind, readonly string[]>> = {
  call: namesOf('call'),
  read: namesOf('read'),
  list: namesOf('list'),
  session: namesOf('session'),
  server: namesOf('server'),
  listen: namesOf('listen'),
};

const internalError = (frame: Frame, detail: unknown): Outcome => ({
  kind: 'failed',
  failure: {
    code: 'internal_error',
    message: `Internal error. The log has the detail under the call id ${frame.record.id}.`,
    executed: 'unknown',
    detail,
  },
});

/**
 * Walks a frame through the steps of its kind. `began` is when the request did, on the clock of `performance.now()`. Never rejects: what a step
 * throws is an internal error with its detail in the record.
 */
export async function runPipeline(frame: Frame, services: Services, began: number): Promise<Outcome> {
  const rows = STEPS[frame.kind];
  const { stepMs } = frame.record;
  let before = began;
  let outcome: Outcome | undefined;
  try {
    for (let i = 0; i < rows.length && outcome === undefined; i++) {
      const { step } = rows[i] as Row;
      const answer = step(frame, services);
      outcome = answer instanceof Promise ? await answer : answer;
      const now = performance.now();
      stepMs.push(now - before);
      before = now;
    }
  } catch (error) {
    outcome = internalError(frame, error);
  }
  return settle(frame, services, outcome ?? internalError(frame, 'no step had an answer'));
}
