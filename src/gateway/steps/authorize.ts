import type { Step } from '../frame.ts';

/** Least privilege: the caller needs every scope that the tool asks for. */
export const authorize: Step = (frame) => {
  const { exposed, principal } = frame;
  const missing = exposed?.tool.scopes.filter((scope) => !principal.scopes.has(scope)) ?? [];
  if (missing.length === 0) return undefined;
  const message = `The key "${principal.client}" may not call ${exposed?.name}: it lacks the scope ${missing.join(', ')}. Ask the operator for a key that has it.`;
  return { kind: 'failed', failure: { code: 'forbidden', message, executed: 'no' } };
};
