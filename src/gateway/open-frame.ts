import { isObject, type Era, type RequestMessage } from '../protocol/index.ts';
import type { CallRecord } from '../observability/index.ts';
import { sortableId } from '../shared/index.ts';
import { tell } from './events.ts';
import type { Frame, Incoming, Kind } from './frame.ts';
import { isKnownMethod } from './methods.ts';
import { STEP_NAMES } from './pipeline.ts';

const TRACE_PARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-/;
const MAX_SHOWN = 100;
/** Methods that clients make up must not make up metrics. */
const OTHER = 'other';

function traceIdOf(request: RequestMessage): string | undefined {
  const meta = request.params?.value._meta;
  const parent = isObject(meta) ? meta.traceparent : undefined;
  return typeof parent === 'string' ? TRACE_PARENT.exec(parent)?.[1] : undefined;
}

function openRecord(incoming: Incoming, kind: Kind, known: boolean, now: number): CallRecord {
  const { client, principal, request } = incoming;
  return {
    id: sortableId('call_', now),
    startedAt: now,
    face: incoming.face,
    endpoint: incoming.endpoint.path,
    revision: client.revision,
    method: known ? request.method : OTHER,
    principal: principal.id,
    client: principal.client,
    clientName: typeof client.info?.name === 'string' ? client.info.name.slice(0, MAX_SHOWN) : undefined,
    server: incoming.endpoint.kind === 'server' ? incoming.endpoint.server : '',
    tool: undefined,
    sideEffect: undefined,
    attempts: [],
    stepNames: STEP_NAMES[kind],
    stepMs: [],
    bytesIn: incoming.bytesIn,
    bytesOut: 0,
    durationMs: 0,
    outcome: 'ok',
    errorCode: undefined,
    errorDetail: undefined,
    traceId: traceIdOf(request),
    notValidated: [],
  };
}

/** The frame of a request with its open record; without a kind it is of a method that does not exist here. `now` is wall time in milliseconds. */
export function openFrame(incoming: Incoming, era: Era, kind: Kind | undefined, now: number): Frame {
  const known = kind !== undefined && (kind !== 'read' || isKnownMethod(incoming.request.method, era));
  const record = openRecord(incoming, kind ?? 'server', known, now);
  if (!known) record.otherMethod = incoming.request.method.slice(0, MAX_SHOWN);
  const frame: Frame = {
    kind: kind ?? 'server',
    era,
    endpoint: incoming.endpoint,
    principal: incoming.principal,
    client: incoming.client,
    request: incoming.request,
    headers: incoming.headers,
    port: incoming.port,
    session: incoming.session,
    signal: incoming.signal,
    record,
    onEvent(event) {
      // An attempt may end after the answer, whose record is closed then.
      if (!frame.open) return;
      if (event.kind === 'attempt') record.attempts.push(event.attempt);
      else if (event.kind === 'cache') record.cache = { state: event.state, ageMs: event.ageMs };
      else if (frame.outcome?.kind !== 'stream') tell(frame, event.method, event.params);
    },
    open: true,
    admitted: false,
    server: undefined,
    exposed: undefined,
    call: undefined,
    progress: undefined,
    watch: undefined,
    outcome: undefined,
  };
  return frame;
}
