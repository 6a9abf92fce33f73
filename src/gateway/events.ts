import { memberOf, META, notificationText, ProgressGate, progressText, reaches, type JsonText } from '../protocol/index.ts';
import type { Frame } from './frame.ts';

/**
 * Notifications of the specification: apart from progress and log messages none of them belongs to a call, so a server that sends one with
 * a call is not followed. Those of extensions pass on an endpoint of one server (PROTOCOL A14).
 */
const NOT_OF_CALLS =
  /^notifications\/(cancelled|initialized|roots\/.*|tools\/.*|prompts\/.*|resources\/.*|subscriptions\/.*|tasks(\/.*)?|elicitation\/.*)$/;

function tellProgress(frame: Frame, params: JsonText | undefined): void {
  const { params: sent } = frame.request;
  const token = sent?.meta && memberOf(sent.meta, META.progressToken);
  if (frame.call?.progress !== true || params === undefined || sent === undefined || token === undefined) return;
  frame.progress ??= new ProgressGate();
  if (frame.progress.pass(params)) frame.port?.notify(progressText(params, sent.text.slice(token.start, token.end)));
}

function tellLog(frame: Frame, params: JsonText | undefined): void {
  // A legacy client may change its level while the call is under way.
  const lowest = frame.session?.logLevel ?? frame.call?.logLevel;
  if (lowest === undefined || params === undefined || !reaches(params.value.level, lowest)) return;
  frame.port?.notify(notificationText('notifications/message', params.text));
}

/** The end of a URL elicitation, where the client knows it; and what is not the specification's. */
function passes({ client, endpoint }: Frame, method: string): boolean {
  if (method === 'notifications/elicitation/complete') return client.revision === '2025-11-25';
  return endpoint.kind === 'server' && method.startsWith('notifications/') && !NOT_OF_CALLS.test(method);
}

/** Passes on what a target tells of an open call, in the client's words (PROTOCOL C12). */
export function tell(frame: Frame, method: string, params: JsonText | undefined): void {
  if (frame.port === undefined) return;
  if (method === 'notifications/progress') tellProgress(frame, params);
  else if (method === 'notifications/message') tellLog(frame, params);
  else if (passes(frame, method)) frame.port.notify(notificationText(method, params?.text));
}
