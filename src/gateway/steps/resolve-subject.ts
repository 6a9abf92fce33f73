import {
  isObject,
  lacking,
  memberOf,
  objectSpan,
  spliceObject,
  TASKS_EXTENSION,
  type Edit,
  type Outcome,
  type Params,
} from '../../protocol/index.ts';
import { catalogueOf, neverReached, type ServerEntry } from '../../registry/index.ts';
import { lacksCapability } from '../asking.ts';
import { firstConnections } from '../first-connections.ts';
import type { Frame, Services, Step } from '../frame.ts';
import { invalidParams, routeTo, serverOf, type Route } from '../make-call.ts';
import { isKnownMethod } from '../methods.ts';
import { serverOfName } from '../naming.ts';
import { freshened, PROMPTS } from '../readiness.ts';
import { noSuchMethod, notReached, resourceNotFound } from '../refusals.ts';
import { openTaskId } from '../task-ids.ts';
import type { ExposedItem } from '../view.ts';

type Resolve = (frame: Frame, services: Services) => Promise<Outcome | undefined>;

/** The server once it had its first chance to connect; undefined if there is none of that name here. */
async function reached(frame: Frame, services: Services, server: string | undefined): Promise<ServerEntry | undefined> {
  if (server === undefined) return undefined;
  const entry = services.registry.get(server);
  if (entry === undefined || !neverReached(entry)) return entry;
  await firstConnections(frame, services, (name) => name === server);
  return services.registry.get(server);
}

/** Routes to a server that was reached; to any other there is no way yet. */
function through(frame: Frame, services: Services, entry: ServerEntry, route: Omit<Route, 'server'>): Outcome | undefined {
  return neverReached(entry) ? notReached(frame, entry) : routeTo(frame, services, { ...route, server: entry.name });
}

const declares = (frame: Frame, entry: ServerEntry, capability: string): boolean =>
  catalogueOf(entry, frame.era).facts.capabilities[capability] !== undefined;

/** Whether a server is asked for what it does not list: it may have forgotten to say that it has any (PROTOCOL A14). */
function mayHave(frame: Frame, services: Services, entry: ServerEntry, capability: string): boolean {
  if (frame.endpoint.kind !== 'server' || entry.kind === 'stockpulse') return false;
  return !declares(frame, entry, capability) || services.policyOf(entry.name)?.unlisted === 'forward';
}

/** The prompt of this name on the endpoint, once its server had its first chance to connect, or to show it. */
async function promptOf(name: string, frame: Frame, services: Services): Promise<{ prompt?: ExposedItem; entry?: ServerEntry }> {
  const known = services.views.of(frame.endpoint, frame.era).promptByName.get(name);
  const entry = await reached(frame, services, known?.server ?? serverOf(frame.endpoint) ?? serverOfName(name));
  if (known === undefined && entry !== undefined) await freshened(frame, services, PROMPTS, (server) => server === entry.name);
  const prompt = known ?? services.views.of(frame.endpoint, frame.era).promptByName.get(name);
  return { ...(prompt === undefined ? {} : { prompt }), ...(entry === undefined ? {} : { entry }) };
}

const resolvePrompt: Resolve = async (frame, services) => {
  const name = frame.request.params?.value.name;
  if (typeof name !== 'string') return invalidParams('prompts/get needs params.name, the name of a prompt.');
  const { prompt, entry } = await promptOf(name, frame, services);
  if (entry !== undefined && (prompt !== undefined || neverReached(entry) || mayHave(frame, services, entry, 'prompts')))
    return through(frame, services, entry, { sideEffect: 'read', subject: { member: 'name', value: prompt?.item.id ?? name } });
  return invalidParams(`Unknown prompt: ${name.slice(0, 128)}. prompts/list shows the prompts of ${frame.endpoint.path}.`);
};

const resolveResource: Resolve = async (frame, services) => {
  const { method, params } = frame.request;
  const uri = params?.value.uri;
  if (typeof uri !== 'string') return invalidParams(`${method} needs params.uri, the URI of a resource.`);
  const resolved = services.uris.resolveUri(frame.endpoint, uri, services.registry);
  const entry = await reached(frame, services, resolved?.server);
  if (resolved === undefined || entry === undefined) return resourceNotFound(frame, uri);
  // Upstreams know their resources themselves, as templates stand for any number; what StockPulse has is in the catalogue.
  if (entry.kind === 'stockpulse' && !declares(frame, entry, 'resources')) return resourceNotFound(frame, uri);
  return through(frame, services, entry, { sideEffect: 'read', subject: { member: 'uri', value: resolved.uri } });
};

/** The edit that says a completion's `ref` in the server's words; none where they are the client's. */
function refEdit(params: Params, member: 'name' | 'uri', from: string, to: string): readonly Edit[] {
  const ref = memberOf(params.span, 'ref');
  if (from === to || ref === undefined) return [];
  const text = params.text.slice(ref.start, ref.end);
  return [['ref', spliceObject(text, objectSpan(text), { [member]: JSON.stringify(to) })]];
}

const resolveReference: Resolve = async (frame, services) => {
  const { params } = frame.request;
  const ref = params?.value.ref;
  if (params === undefined || !isObject(ref)) return invalidParams('completion/complete needs params.ref, an object.');
  const { type, name, uri } = ref;
  let entry: ServerEntry | undefined;
  let edits: readonly Edit[] = [];
  if (type === 'ref/prompt' && typeof name === 'string') {
    const found = await promptOf(name, frame, services);
    entry = found.prompt === undefined && frame.endpoint.kind === 'joined' ? undefined : found.entry;
    edits = refEdit(params, 'name', name, found.prompt?.item.id ?? name);
  } else if (type === 'ref/resource' && typeof uri === 'string') {
    const resolved = services.uris.resolveUri(frame.endpoint, uri, services.registry);
    entry = await reached(frame, services, resolved?.server);
    edits = refEdit(params, 'uri', uri, resolved?.uri ?? uri);
  } else {
    return invalidParams('params.ref must be { type: "ref/prompt", name } or { type: "ref/resource", uri }.');
  }
  if (entry === undefined || (entry.kind === 'stockpulse' && !declares(frame, entry, 'completions')))
    return invalidParams('params.ref names nothing that can be completed here.');
  return through(frame, services, entry, { sideEffect: 'read', subject: undefined, edits });
};

const TASKS = { extensions: { [TASKS_EXTENSION]: {} } };

const resolveTask: Resolve = async (frame, services) => {
  const { request, client, endpoint, principal } = frame;
  // Before anything is looked up: a client without the extension learns nothing of tasks (tasks extension, "Protocol Errors").
  const missing = lacking(TASKS, client.capabilities);
  if (missing !== undefined) return lacksCapability(frame, missing, 'no');
  const taskId = request.params?.value.taskId;
  if (typeof taskId !== 'string') return invalidParams(`${request.method} needs params.taskId, the id of a task.`);
  const task = openTaskId(services.sealer, taskId, principal.id);
  const here = task !== undefined && (serverOf(endpoint) ?? task.server) === task.server;
  const entry = here ? await reached(frame, services, task.server) : undefined;
  if (task === undefined || entry === undefined) return invalidParams('Task not found: params.taskId is not of a task that was made here.');
  return through(frame, services, entry, {
    sideEffect: request.method === 'tasks/get' ? 'read' : 'write',
    subject: { member: 'taskId', value: task.id },
  });
};

/** A method that we do not know, on the endpoint of one server: verbatim (PROTOCOL A14). */
const resolveForward: Resolve = async (frame, services) => {
  const entry = await reached(frame, services, serverOf(frame.endpoint));
  if (entry?.kind !== 'upstream') return noSuchMethod(frame);
  return through(frame, services, entry, { subject: undefined });
};

const BY_METHOD: ReadonlyMap<string, Resolve> = new Map([
  ['prompts/get', resolvePrompt],
  ['resources/read', resolveResource],
  ['resources/subscribe', resolveResource],
  ['resources/unsubscribe', resolveResource],
  ['completion/complete', resolveReference],
  ['tasks/get', resolveTask],
  ['tasks/update', resolveTask],
  ['tasks/cancel', resolveTask],
]);

/** Finds the server that a prompt, a resource, a completion, a task or an unknown method means, and the server's own word for it. */
export const resolveSubject: Step = (frame, services) => {
  const { method } = frame.request;
  const resolve = BY_METHOD.get(method);
  if (resolve !== undefined) return resolve(frame, services);
  return isKnownMethod(method, frame.era) ? undefined : resolveForward(frame, services);
};
