import { isObject, type CallEvent, type ClientFacts, type MirrorHeaders, type RequestMessage } from '../protocol/index.ts';
import type { Principal } from '../security/index.ts';
import { sortableId } from '../shared/index.ts';
import type { CallRecord } from '../observability/index.ts';
import type { Endpoint } from './endpoints.ts';
import type { Frame, Kind, Services } from './frame.ts';
import { runPipeline, STEP_NAMES } from './pipeline.ts';
import { render, type Answer } from './render.ts';

/** A request that passed its face's checks. */
export interface Incoming {
  readonly face: string;
  readonly endpoint: Endpoint;
  readonly principal: Principal;
  readonly client: ClientFacts;
  readonly request: RequestMessage;
  readonly headers: MirrorHeaders | undefined;
  readonly bytesIn: number;
  readonly signal: AbortSignal;
}

/** The methods that each era has here; anything else is answered with -32601 by the faces. */
export const MODERN_METHODS: ReadonlySet<string> = new Set(['server/discover', 'tools/list', 'tools/call']);
export const LEGACY_METHODS: ReadonlySet<string> = new Set(['initialize', 'ping', 'tools/list', 'tools/call']);

function kindOf(method: string): Kind {
  if (method === 'tools/call') return 'call';
  return method === 'tools/list' ? 'list' : 'server';
}

const TRACE_PARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-/;

function traceIdOf(request: RequestMessage): string | undefined {
  const meta = request.params?.value._meta;
  const parent = isObject(meta) ? meta.traceparent : undefined;
  return typeof parent === 'string' ? TRACE_PARENT.exec(parent)?.[1] : undefined;
}

function openRecord(incoming: Incoming, kind: Kind, now: number): CallRecord {
  const { client, principal, request } = incoming;
  return {
    id: sortableId('call_', now),
    startedAt: now,
    face: incoming.face,
    endpoint: incoming.endpoint.path,
    revision: client.revision,
    method: request.method,
    principal: principal.id,
    client: principal.client,
    clientName: typeof client.info?.name === 'string' ? client.info.name.slice(0, 100) : undefined,
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

/** Walks a request through the pipeline, renders the answer for the client's revision and records the call. Never rejects. */
export async function answerRequest(incoming: Incoming, services: Services): Promise<Answer> {
  const began = performance.now();
  const kind = kindOf(incoming.request.method);
  const record = openRecord(incoming, kind, services.clock.now());
  const frame: Frame = {
    kind,
    endpoint: incoming.endpoint,
    principal: incoming.principal,
    client: incoming.client,
    request: incoming.request,
    headers: incoming.headers,
    signal: incoming.signal,
    record,
    onEvent: (event: CallEvent) => {
      if (event.kind === 'attempt') record.attempts.push(event.attempt);
    },
    admitted: false,
    exposed: undefined,
    call: undefined,
    outcome: undefined,
  };
  const answer = render(frame, services, await runPipeline(frame, services));
  record.bytesOut = answer.text.length;
  record.durationMs = performance.now() - began;
  services.recorder.record(record);
  return answer;
}
