import { isObject, RPC, rpcError, type Outcome } from '../../protocol/index.ts';
import { firstConnections } from '../first-connections.ts';
import type { Frame, Services, Step } from '../frame.ts';
import { serverOfName } from '../naming.ts';
import type { ExposedTool, View } from '../view.ts';

const invalidParams = (message: string): Outcome => ({ kind: 'error', error: rpcError(RPC.invalidParams, message) });

/** Finds the tool that `params.name` means on this endpoint, and the server that has it. */
export const resolveTarget: Step = (frame, services) => {
  const params = frame.request.params?.value;
  const name = params?.name;
  if (typeof name !== 'string') return invalidParams('tools/call needs params.name, the name of a tool.');
  const args = params?.arguments;
  if (args !== undefined && args !== null && !isObject(args)) return invalidParams('params.arguments must be an object.');
  const exposed = services.views.of(frame.endpoint).byName.get(name);
  if (exposed === undefined) return afterFirstConnection(name, frame, services);
  return routeTo(exposed, frame, services);
};

/** The tool may belong to a server that is just starting. */
async function afterFirstConnection(name: string, frame: Frame, services: Services): Promise<Outcome | undefined> {
  const hinted = hintedServer(name, frame);
  await firstConnections(frame, services, (server) => server === hinted);
  const view = services.views.of(frame.endpoint);
  const exposed = view.byName.get(name);
  return exposed === undefined ? unknownTool(name, frame, view) : routeTo(exposed, frame, services);
}

const hintedServer = (name: string, { endpoint }: Frame): string | undefined =>
  endpoint.kind === 'server' ? endpoint.server : serverOfName(name);

function routeTo(exposed: ExposedTool, frame: Frame, services: Services): undefined {
  const { tool, server } = exposed;
  frame.exposed = exposed;
  frame.record.server = server;
  frame.record.tool = tool.definition.name;
  frame.record.sideEffect = tool.sideEffect;
  frame.call = {
    method: frame.request.method,
    params: frame.request.params,
    toolName: tool.definition.name,
    headerParams: tool.headerParams,
    client: frame.client,
    caller: { principal: frame.principal.id, scopes: frame.principal.scopes },
    deadlineMs: services.settings.deadlineMs,
  };
}

function unknownTool(name: string, frame: Frame, view: View): Outcome {
  const shown = name.slice(0, 128);
  const hinted = hintedServer(name, frame);
  const entry = view.servers.find((server) => server.name === hinted);
  if (entry !== undefined && entry.state.state !== 'ready' && entry.tools.length === 0) {
    const reason = entry.state.state === 'backing_off' ? entry.state.reason : `it is ${entry.state.state}`;
    const message = `Server ${entry.name} has not been reached yet: ${reason}. Try again later, or run "stockpulse servers show ${entry.name}".`;
    return { kind: 'failed', failure: { code: 'upstream_unavailable', message, executed: 'no' } };
  }
  return invalidParams(`Unknown tool: ${shown}. tools/list shows the tools of ${frame.endpoint.path}.`);
}
