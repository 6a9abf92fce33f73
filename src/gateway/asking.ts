import {
  inputRequestText,
  legacyAsk,
  missingCapability,
  RPC,
  rpcError,
  withProvenance,
  type Ask,
  type AskClient,
  type JsonObject,
  type LegacyRevision,
  type Outcome,
} from '../protocol/index.ts';
import { uuid } from '../shared/index.ts';
import type { Endpoint } from './endpoints.ts';
import type { Frame } from './frame.ts';

/** An ask as an endpoint shows it: where several servers are behind it, its message starts with the server that asks (PROTOCOL C10). */
const shownAsk = (ask: Ask, endpoint: Endpoint, server: string): Ask => (endpoint.kind === 'joined' ? withProvenance(ask, server) : ask);

/** The JSON text of `inputRequests` as an endpoint shows them; undefined where they stay as the server wrote them. */
export function shownRequests(asks: ReadonlyMap<string, Ask>, endpoint: Endpoint, server: string): string | undefined {
  if (endpoint.kind !== 'joined' || asks.size === 0) return undefined;
  const entries = [...asks].map(([key, ask]) => `${JSON.stringify(key)}:${inputRequestText(shownAsk(ask, endpoint, server))}`);
  return `{${entries.join(',')}}`;
}

/** An ask in the words of the client's legacy revision; undefined if it has none for it (PROTOCOL C14). */
export function legacyWords(frame: Frame, ask: Ask): Ask | undefined {
  return legacyAsk(shownAsk(ask, frame.endpoint, frame.record.server), frame.client.revision as LegacyRevision, uuid);
}

/** How a target asks this client while its request is open; undefined where it cannot be asked. */
export function askerOf(frame: Frame): AskClient | undefined {
  const ask = frame.port?.ask;
  if (ask === undefined || frame.era === 'modern') return undefined;
  return (asked, signal) => {
    const shown = legacyWords(frame, asked);
    if (shown !== undefined) return ask(shown, signal);
    const message = `The client's revision ${frame.client.revision} has no words for this ${asked.method}.`;
    return Promise.resolve({ error: rpcError(RPC.invalidParams, message) });
  };
}

/** The refusal of a request whose client lacks a capability: -32021, and for legacy clients what the model sees (PROTOCOL C2). */
export function lacksCapability(frame: Frame, required: JsonObject, executed: 'no' | 'unknown'): Outcome {
  const error = missingCapability(required);
  if (frame.era === 'modern') return { kind: 'error', error };
  const message = `${error.message} ${frame.record.server} needs it for ${frame.record.tool ?? frame.request.method}.`;
  return { kind: 'failed', failure: { code: 'upstream_failed', message, executed } };
}

/** What a server answered that the protocol does not allow here. */
export function brokenProtocol(frame: Frame, what: string, detail?: unknown): Outcome {
  const message = `Server ${frame.record.server} answered ${frame.record.tool ?? frame.request.method} with ${what}. The call may have taken effect.`;
  return { kind: 'failed', failure: { code: 'upstream_protocol_error', message, executed: 'unknown', detail } };
}
