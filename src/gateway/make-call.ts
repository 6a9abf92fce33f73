import {
  isLogLevel,
  jsonText,
  legacyOffers,
  LOG_LEVELS,
  mayRelay,
  memberOf,
  META,
  RPC,
  rpcError,
  type Edit,
  type HeaderParam,
  type JsonObject,
  type JsonText,
  type LegacyRevision,
  type LogLevel,
  type Outcome,
  type SideEffect,
  type Subject,
} from '../protocol/index.ts';
import type { Endpoint } from './endpoints.ts';
import type { Frame, Services } from './frame.ts';

const NO_EDITS: readonly Edit[] = [];
const NO_HEADERS: readonly HeaderParam[] = [];
const NO_OFFERS: JsonText = { text: '{}', value: {} };
const NO_META: JsonObject = {};

/** What legacy sessions offer, by the capabilities of their `initialize`: a session has one endpoint. */
const ofSessions: Readonly<Record<Endpoint['kind'], WeakMap<JsonObject, JsonText>>> = { joined: new WeakMap(), server: new WeakMap() };

/** Asking is what a legacy client's capabilities are for; where it cannot be asked it offers nothing. */
function sessionOffers({ client, endpoint, port }: Frame): JsonText {
  if (port?.ask === undefined) return NO_OFFERS;
  const known = ofSessions[endpoint.kind].get(client.capabilities);
  if (known !== undefined) return known;
  const offers = legacyOffers(client.capabilities, client.revision as LegacyRevision);
  const relayed = Object.keys(offers).length === 0 ? NO_OFFERS : mayRelay(jsonText(offers), endpoint.kind === 'server');
  ofSessions[endpoint.kind].set(client.capabilities, relayed);
  return relayed;
}

function requestOffers({ client, endpoint, request }: Frame): JsonText {
  const { params } = request;
  const member = params?.meta && memberOf(params.meta, META.clientCapabilities);
  const declared =
    params === undefined || member === undefined
      ? jsonText(client.capabilities)
      : { text: params.text.slice(member.start, member.end), value: client.capabilities };
  return mayRelay(declared, endpoint.kind === 'server');
}

/** Client capabilities to declare to the target (PROTOCOL A5, C9); one shared object where there are none. */
export function offersOf(frame: Frame): JsonText {
  for (const _name in frame.client.capabilities) return frame.era === 'modern' ? requestOffers(frame) : sessionOffers(frame);
  return NO_OFFERS;
}

const isToken = (token: unknown): boolean => typeof token === 'string' || typeof token === 'number';

function badLevel(): Outcome {
  return {
    kind: 'error',
    error: rpcError(RPC.invalidParams, `params._meta["${META.logLevel}"] must be one of ${LOG_LEVELS.join(', ')}.`),
  };
}

export interface Route {
  readonly server: string;
  readonly subject: Subject | undefined;
  /** A write unless it is given. */
  readonly sideEffect?: SideEffect | undefined;
  readonly edits?: readonly Edit[] | undefined;
  readonly headerParams?: readonly HeaderParam[] | undefined;
}

/** The tool's deadline, else its server's, else the gateway's. */
function deadlineOf({ policyOf, settings }: Services, { server, subject }: Route): number {
  const policy = policyOf(server);
  if (policy === undefined) return settings.deadlineMs;
  const name = subject?.member === 'name' ? subject.value : undefined;
  const tool = name !== undefined && Object.hasOwn(policy.tools, name) ? policy.tools[name] : undefined;
  const seconds = tool?.deadlineSeconds ?? policy.deadlineSeconds;
  return seconds === undefined ? settings.deadlineMs : seconds * 1000;
}

/** Makes the call that goes to a server. An outcome says what is wrong with the request's `_meta`. */
export function routeTo(frame: Frame, services: Services, route: Route): Outcome | undefined {
  const { request, client, principal, session } = frame;
  const { params } = request;
  const meta = params?.meta === undefined ? NO_META : (params.value._meta as JsonObject);
  const level = frame.era === 'modern' ? meta[META.logLevel] : session?.logLevel;
  if (level !== undefined && !isLogLevel(level)) return badLevel();
  frame.server = route.server;
  frame.record.server = route.server;
  frame.call = {
    method: request.method,
    params,
    sideEffect: route.sideEffect ?? 'write',
    subject: route.subject,
    edits: route.edits ?? NO_EDITS,
    headerParams: route.headerParams ?? NO_HEADERS,
    client,
    caller: { principal: principal.id, scopes: principal.scopes, session: session?.peer },
    offers: offersOf(frame),
    state: undefined,
    answers: undefined,
    logLevel: level as LogLevel | undefined,
    progress: frame.port !== undefined && isToken(meta[META.progressToken]),
    deadlineMs: deadlineOf(services, route),
  };
  return undefined;
}

/** The request's server where the endpoint has one. */
export const serverOf = (endpoint: Endpoint): string | undefined => (endpoint.kind === 'server' ? endpoint.server : undefined);

export const invalidParams = (message: string, data?: unknown): Outcome => ({
  kind: 'error',
  error: rpcError(RPC.invalidParams, message, data),
});
