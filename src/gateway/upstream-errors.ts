import { errorForLegacy, errorForModern, isObject, RPC, rpcError, type Era, type Outcome, type RpcError } from '../protocol/index.ts';
import type { Frame } from './frame.ts';

/** Elicitations of an error that wants URLs visited, with their server's name in front (PROTOCOL C10). */
function namedElicitations(elicitations: readonly unknown[], server: string): unknown[] {
  return elicitations.map((elicitation) =>
    isObject(elicitation) && typeof elicitation.message === 'string'
      ? { ...elicitation, message: `[${server}] ${elicitation.message}` }
      : elicitation,
  );
}

/** The error with the names of those who ask, where several servers are behind the endpoint. */
function withProvenance({ endpoint, record }: Frame, error: RpcError): RpcError {
  const { code, message, data } = error;
  if (code !== RPC.urlElicitationRequired || endpoint.kind === 'server') return error;
  if (!isObject(data) || !Array.isArray(data.elicitations)) return error;
  return rpcError(code, message, { ...data, elicitations: namedElicitations(data.elicitations, record.server) });
}

/** Era in which the server was called last. */
function upstreamEra({ record }: Frame): Era {
  return record.attempts.at(-1)?.via.endsWith('-modern') === true ? 'modern' : 'legacy';
}

/** A server's error as the client may see it (PROTOCOL C2). */
export function shownError(frame: Frame, raw: RpcError): Outcome {
  const error = withProvenance(frame, raw);
  const { method, params } = frame.request;
  const asked = method === 'resources/read' ? params?.value.uri : undefined;
  const uri = typeof asked === 'string' ? asked : undefined;
  const era = upstreamEra(frame);
  if (frame.era === 'modern') return { kind: 'error', error: errorForModern(error, uri, era) };
  // A legacy client cannot declare capabilities per request: a modern server's wish for one is a result that the model sees.
  if (error.code === RPC.missingRequiredClientCapability && method === 'tools/call' && era === 'modern')
    return { kind: 'failed', failure: { code: 'upstream_failed', message: error.message, executed: 'no' } };
  return { kind: 'error', error: errorForLegacy(error, method, uri) };
}
