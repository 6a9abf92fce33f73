import { isObject, lacking, TASKS_EXTENSION, type JsonObject, type Outcome } from '../../protocol/index.ts';
import { lacksCapability } from '../asking.ts';
import type { Frame, Services, Step, ToolPolicy } from '../frame.ts';

const NO_SCOPES: readonly string[] = [];

/**
 * Least privilege: the caller needs every scope that the tool, or the server behind anything else, asks for. A tool may also need
 * client capabilities, which are checked before its server sees the call (PROTOCOL D).
 */
export const authorize: Step = (frame, services) => {
  const { exposed, principal, server } = frame;
  if (server === undefined) return undefined;
  const scopes = exposed?.tool.scopes ?? services.policyOf(server)?.scopes ?? NO_SCOPES;
  for (const scope of scopes) if (!principal.scopes.has(scope)) return forbidden(frame, scopes);
  return frame.kind === 'call' ? checkRequired(frame, services, server) : undefined;
};

function forbidden({ exposed, principal, server }: Frame, scopes: readonly string[]): Outcome {
  const missing = scopes.filter((scope) => !principal.scopes.has(scope));
  const what = exposed === undefined ? `use server ${server}` : `call ${exposed.name}`;
  const message = `The key "${principal.client}" may not ${what}: it lacks the scope ${missing.join(', ')}. Ask the operator for a key that has it.`;
  return { kind: 'failed', failure: { code: 'forbidden', message, executed: 'no' } };
}

/** A tool that is called as a task only needs the extension too (PROTOCOL A3). */
function requiredBy(policy: ToolPolicy | undefined): JsonObject {
  const requires = policy?.requires ?? {};
  if (policy?.tasks !== 'required') return requires;
  return { ...requires, extensions: { ...(isObject(requires.extensions) ? requires.extensions : {}), [TASKS_EXTENSION]: {} } };
}

function checkRequired(frame: Frame, services: Services, server: string): Outcome | undefined {
  const tools = services.policyOf(server)?.tools;
  const name = frame.call?.subject?.value;
  if (tools === undefined || name === undefined || !Object.hasOwn(tools, name)) return undefined;
  const missing = lacking(requiredBy(tools[name]), frame.call?.offers.value ?? {});
  return missing && lacksCapability(frame, missing, 'no');
}
