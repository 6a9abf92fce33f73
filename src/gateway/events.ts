import {
  isForeignNotification,
  memberOf,
  META,
  notificationText,
  ProgressGate,
  progressText,
  reaches,
  type JsonText,
} from '../protocol/index.ts';
import type { Frame } from './frame.ts';

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
  // A modern client has to ask for log messages; to a legacy one that set no level the server sends what it likes (S26, S25 logging).
  if (params === undefined || (lowest === undefined ? frame.era === 'modern' : !reaches(params.value.level, lowest))) return;
  frame.port?.notify(notificationText('notifications/message', params.text));
}

/**
 * The end of a URL elicitation, where the client knows it; and what is not the specification's, under whatever name, on the endpoint of one
 * server only. The joined endpoint has no extension to which such a notification belongs, and refuses the methods that would bring it about:
 * it advertises only what we implement (PROTOCOL A14).
 */
function passes({ client, endpoint }: Frame, method: string): boolean {
  if (method === 'notifications/elicitation/complete') return client.revision === '2025-11-25';
  return endpoint.kind === 'server' && isForeignNotification(method);
}

/** Passes on what a target tells of an open call, in the client's words (PROTOCOL C12). */
export function tell(frame: Frame, method: string, params: JsonText | undefined): void {
  if (frame.port === undefined) return;
  if (method === 'notifications/progress') tellProgress(frame, params);
  else if (method === 'notifications/message') tellLog(frame, params);
  else if (passes(frame, method)) frame.port.notify(notificationText(method, params?.text));
}
