import { isObject, type Outcome } from '../../protocol/index.ts';
import { catalogueOf, neverReached, type CatalogueTool, type ServerEntry } from '../../registry/index.ts';
import { lacksCapability } from '../asking.ts';
import { lackingFor } from '../capabilities.ts';
import { firstConnections } from '../first-connections.ts';
import type { Frame, Services, Step } from '../frame.ts';
import { invalidParams, routeTo, serverOf } from '../make-call.ts';
import { exposedName, serverOfName } from '../naming.ts';
import { freshened, preparedFor, TOOLS } from '../readiness.ts';
import { notReached } from '../refusals.ts';
import type { ExposedTool } from '../view.ts';

/** What records and metrics call a tool that its server does not list: clients choose its name. */
const UNLISTED = '(unlisted)';

/** Finds the tool that `params.name` means on this endpoint, and the server that has it. */
export const resolveTarget: Step = (frame, services) => {
  const params = frame.request.params?.value;
  const name = params?.name;
  if (typeof name !== 'string') return invalidParams('tools/call needs params.name, the name of a tool.');
  const args = params?.arguments;
  if (args !== undefined && args !== null && !isObject(args)) return invalidParams('params.arguments must be an object.');
  const exposed = services.views.of(frame.endpoint, frame.era).byName.get(name);
  if (exposed === undefined) return afterAnotherLook(name, frame, services);
  return toTool(exposed, frame, services);
};

/** The tool may belong to a server that is just starting, or be one that its server has not shown yet. */
async function afterAnotherLook(name: string, frame: Frame, services: Services): Promise<Outcome | undefined> {
  const hinted = serverOf(frame.endpoint) ?? serverOfName(name);
  const isHinted = (server: string): boolean => server === hinted;
  await firstConnections(frame, services, isHinted);
  await preparedFor(frame, services, isHinted);
  await freshened(frame, services, TOOLS, isHinted);
  const view = services.views.of(frame.endpoint, frame.era);
  const exposed = view.byName.get(name);
  if (exposed !== undefined) return toTool(exposed, frame, services);
  const entry = view.servers.find((server) => server.name === hinted);
  const reason = entry && whyLeftOut(frame, entry, name);
  if (reason !== undefined) return invalidParams(`The tool ${name.slice(0, 128)} is not offered: ${reason}.`);
  if (entry !== undefined && mayForward(frame, services, entry)) return toUnlisted(name, frame, services, entry);
  if (entry !== undefined && entry.state.state !== 'ready' && entry.tools.length === 0) return notReached(frame, entry);
  return invalidParams(`Unknown tool: ${name.slice(0, 128)}. tools/list shows the tools of ${frame.endpoint.path}.`);
}

function toTool(exposed: ExposedTool, frame: Frame, services: Services): Outcome | undefined {
  const { tool, server } = exposed;
  const { name } = tool.definition;
  frame.exposed = exposed;
  frame.record.tool = name;
  frame.record.sideEffect = tool.sideEffect;
  const refused = routeTo(frame, services, {
    server,
    subject: { member: 'name', value: name },
    sideEffect: tool.sideEffect,
    headerParams: tool.headerParams,
  });
  return tool.needs === undefined ? refused : (refused ?? refuseHidden(frame, tool.needs));
}

/** A client is refused the tools that the server would not show to it (PROTOCOL C2). */
function refuseHidden(frame: Frame, needs: CatalogueTool['needs']): Outcome | undefined {
  const missing = lackingFor(needs, frame.call?.offers.value ?? {});
  return missing && lacksCapability(frame, missing, 'no');
}

const LEFT_OUT = /^tool (.+?) is left out: (.+)$/s;

/** Why the server's tool of that name is not shown: its definition is not valid, or not the one that was accepted. */
function whyLeftOut({ endpoint, era }: Frame, entry: ServerEntry, name: string): string | undefined {
  for (const warning of catalogueOf(entry, era).warnings) {
    const [, own = '', reason] = LEFT_OUT.exec(warning) ?? [];
    if (reason !== undefined && (endpoint.kind === 'server' ? own : exposedName(entry, own)) === name) return reason;
  }
  return undefined;
}

/** The operator may let calls through to tools that a server has and does not list (PROTOCOL B). */
function mayForward({ endpoint }: Frame, services: Services, entry: ServerEntry): boolean {
  return endpoint.kind === 'server' && !neverReached(entry) && services.policyOf(entry.name)?.unlisted === 'forward';
}

function toUnlisted(name: string, frame: Frame, services: Services, { name: server }: ServerEntry): Outcome | undefined {
  frame.record.tool = UNLISTED;
  frame.record.sideEffect = 'write';
  frame.record.notValidated.push('arguments: the server does not list the tool');
  return routeTo(frame, services, { server, subject: { member: 'name', value: name } });
}
