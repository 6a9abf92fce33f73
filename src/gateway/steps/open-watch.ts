import { jsonText, lacking, listenFilterOf, TASKS_EXTENSION, type ListenFilter, type Outcome } from '../../protocol/index.ts';
import { lacksCapability } from '../asking.ts';
import type { Frame, Services, Step } from '../frame.ts';
import { OpenWatch } from '../open-watch.ts';

const OPENED: Outcome = { kind: 'complete', result: jsonText({}) };
const TASKS = { extensions: { [TASKS_EXTENSION]: {} } };

/** Resources of servers that the caller may not use are not watched for him. */
function allowedUris({ endpoint, principal }: Frame, { uris, registry, policyOf }: Services, wanted: readonly string[]): readonly string[] {
  return wanted.filter((uri) => {
    const server = uris.resolveUri(endpoint, uri, registry)?.server;
    const scopes = server === undefined ? [] : (policyOf(server)?.scopes ?? []);
    return scopes.every((scope) => principal.scopes.has(scope));
  });
}

/** Begins to watch what a `subscriptions/listen` asks for (S26 subscriptions, "Notification Filter"). */
export const openWatch: Step = (frame, services): Outcome => {
  const { endpoint, principal, client, request } = frame;
  const wanted = listenFilterOf(request.params);
  if ('code' in wanted) return { kind: 'error', error: wanted };
  const missing = wanted.taskIds.length === 0 ? undefined : lacking(TASKS, client.capabilities);
  if (missing !== undefined) return lacksCapability(frame, missing, 'no');
  const filter: ListenFilter = { ...wanted, uris: allowedUris(frame, services, wanted.uris) };
  const watch = new OpenWatch();
  if (watch.opened(services.hub.watch({ endpoint, principal, client, filter, onNotice: watch.hear }))) {
    frame.watch = watch;
    return OPENED;
  }
  const message = 'The gateway is at its limit of subscriptions. Try again in a few seconds.';
  return { kind: 'failed', failure: { code: 'busy', message, executed: 'no', retryAfterMs: 5000 } };
};
