import {
  inputRequestsOf,
  inputRequiredResult,
  MAY_ASK,
  mayAsk,
  objectSpan,
  RPC,
  spliceObject,
  requiredFor,
  urlAsksOf,
  type JsonText,
  type Outcome,
  type RpcError,
} from '../protocol/index.ts';
import { brokenProtocol, lacksCapability, shownRequests } from './asking.ts';
import type { Frame, Services } from './frame.ts';
import { paramsDigest, sealState } from './states.ts';
import { shownError } from './upstream-errors.ts';

/** The asks of an `input_required` result as a modern client may see them: declared ones, with their server's name and a sealed state. */
function shown(frame: Frame, services: Services, result: JsonText): Outcome {
  const { request, endpoint, principal, record, call } = frame;
  const { method } = request;
  const asks = MAY_ASK.has(method) ? inputRequestsOf(result) : undefined;
  if (asks === undefined) return brokenProtocol(frame, MAY_ASK.has(method) ? 'a malformed "input_required"' : '"input_required"');
  for (const ask of asks.values()) if (!mayAsk(ask, call?.offers.value ?? {})) return lacksCapability(frame, requiredFor(ask), 'unknown');
  const edits: Record<string, string> = {};
  const requests = shownRequests(asks, endpoint, record.server);
  if (requests !== undefined) edits.inputRequests = requests;
  const { requestState } = result.value;
  if (typeof requestState === 'string') {
    const digest = paramsDigest(request.params);
    const binding = { server: record.server, principal: principal.id, endpoint: endpoint.path, method, digest };
    edits.requestState = JSON.stringify(sealState(services.sealer, requestState, binding, services.clock.now()));
  }
  return { kind: 'input_required', result: { text: spliceObject(result.text, objectSpan(result.text), edits), value: result.value } };
}

/** A legacy server that wants a URL visited refuses the request; a modern client is asked to visit it and tries again (PROTOCOL C2). */
function urlsFirst(frame: Frame, error: RpcError): JsonText | undefined {
  if (error.code !== RPC.urlElicitationRequired || !MAY_ASK.has(frame.request.method)) return undefined;
  if (frame.record.attempts.at(-1)?.via.endsWith('-legacy') !== true) return undefined;
  const entries = urlAsksOf(error);
  return entries && inputRequiredResult(entries, undefined);
}

/** What a modern client gets for an outcome that is not complete: asks are checked and sealed, errors translated (PROTOCOL C2, C4, C10). */
export function inputRequired(frame: Frame, services: Services, outcome: Outcome): Outcome {
  if (outcome.kind === 'input_required') return shown(frame, services, outcome.result);
  if (outcome.kind !== 'error') return outcome;
  const urls = urlsFirst(frame, outcome.error);
  return urls === undefined ? shownError(frame, outcome.error) : shown(frame, services, urls);
}
