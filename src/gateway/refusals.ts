import { methodNotFound, RPC, rpcError, type Outcome } from '../protocol/index.ts';
import type { ServerEntry } from '../registry/index.ts';
import type { Frame } from './frame.ts';

/** A request for a server that has no catalogue yet. */
export function notReached({ record }: Frame, entry: ServerEntry): Outcome {
  record.server = entry.name;
  const reason = entry.state.state === 'backing_off' ? entry.state.reason : `it is ${entry.state.state}`;
  const message = `Server ${entry.name} has not been reached yet: ${reason}. Try again later, or run "stockpulse servers show ${entry.name}".`;
  return { kind: 'failed', failure: { code: 'upstream_unavailable', message, executed: 'no' } };
}

/** A resource that does not exist here: -32602 with `data.uri`, -32002 in the legacy era (S26 and S25 resources, "Error Handling"). */
export function resourceNotFound({ era }: Frame, uri: string): Outcome {
  const code = era === 'modern' ? RPC.invalidParams : RPC.resourceNotFound;
  return { kind: 'error', error: rpcError(code, 'Resource not found.', { uri }) };
}

export const noSuchMethod = ({ request }: Frame): Outcome => ({ kind: 'error', error: methodNotFound(request.method) });
