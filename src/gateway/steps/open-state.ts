import { isObject, MAY_ASK, memberOf, type JsonText, type Params } from '../../protocol/index.ts';
import type { Step } from '../frame.ts';
import { invalidParams } from '../make-call.ts';
import { openState, paramsDigest } from '../states.ts';

/** `inputResponses` as it came; undefined where it is none. */
function answersOf(params: Params): JsonText | undefined {
  const value = params.value.inputResponses;
  const member = memberOf(params.span, 'inputResponses');
  return isObject(value) && member !== undefined ? { text: params.text.slice(member.start, member.end), value } : undefined;
}

/**
 * The answers of a retry, and the state that its server gave in the round before: what the client holds is sealed, and bound to the request
 * (PROTOCOL C4). Answers without a state pass. Legacy requests have neither.
 */
export const openRequestState: Step = (frame, services) => {
  const { call, server, principal, endpoint, request, era } = frame;
  const { method, params } = request;
  if (call === undefined || server === undefined || params === undefined) return undefined;
  const { requestState, inputResponses } = params.value;
  if ((requestState === undefined && inputResponses === undefined) || era === 'legacy' || !MAY_ASK.has(method)) return undefined;
  const answers = answersOf(params);
  if (inputResponses !== undefined && answers === undefined) return invalidParams('params.inputResponses must be an object.');
  let state: string | undefined;
  if (requestState !== undefined) {
    const binding = { server, principal: principal.id, endpoint: endpoint.path, method, digest: paramsDigest(params) };
    state = typeof requestState === 'string' ? openState(services.sealer, requestState, binding, services.clock.now()) : undefined;
    if (state === undefined)
      return invalidParams('params.requestState is not one that this request was given, or it expired. Start again without it.');
  }
  frame.call = { ...call, state, answers };
  return undefined;
};
