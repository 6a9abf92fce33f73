import { isObject, lacking, TASKS_EXTENSION, UI_EXTENSION, type Era, type JsonObject } from '../protocol/index.ts';
import { catalogueOf, neverReached, type CatalogueTool, type Registry, type ServerEntry } from '../registry/index.ts';
import { serversOf, type Endpoint } from './endpoints.ts';
import type { View } from './view.ts';

const LISTS = ['tools', 'prompts', 'resources'] as const;
/** The lists of an endpoint that somebody may have something in. */
export type Lists = Readonly<Record<(typeof LISTS)[number], boolean>>;

/** What a server declares in that era. */
const declaredBy = (entry: ServerEntry, era: Era): JsonObject => catalogueOf(entry, era).facts.capabilities;

/** True for a list that the server declares or, having forgotten to, fills (PROTOCOL A14); one that was never reached may have any. */
export function hasList(entry: ServerEntry, era: Era, list: keyof Lists): boolean {
  if (neverReached(entry) || isObject(declaredBy(entry, era)[list])) return true;
  const { tools, prompts, resources, templates } = catalogueOf(entry, era);
  if (list === 'tools') return tools.length > 0;
  return list === 'prompts' ? prompts.items.length > 0 : resources.items.length + templates.items.length > 0;
}

/** The lists that an endpoint has, in either era: changes of them are noticed by the gateway itself. */
export function listsOf(endpoint: Endpoint, registry: Registry): Lists {
  const servers = serversOf(endpoint, registry);
  const has = (list: keyof Lists): boolean => servers.some((entry) => hasList(entry, 'modern', list) || hasList(entry, 'legacy', list));
  return { tools: has('tools'), prompts: has('prompts'), resources: has('resources') };
}

const extensionsOf = (capabilities: JsonObject): JsonObject => (isObject(capabilities.extensions) ? capabilities.extensions : {});

/** Legacy clients do not poll tasks: the gateway does that for them (PROTOCOL C6). */
function relayedExtensions(capabilities: JsonObject, era: Era): JsonObject {
  return Object.fromEntries(Object.entries(extensionsOf(capabilities)).filter(([name]) => era === 'modern' || name !== TASKS_EXTENSION));
}

/** True for a server that has tasks because we make them (PROTOCOL A3). */
type MintsTasks = (server: string) => boolean;

/** `/mcp/<server>`: what the server says, without the tasks of 2025-11-25, with the lists that it forgot (PROTOCOL A14, C6). */
function ofServer(entry: ServerEntry, era: Era, mintsTasks: MintsTasks): JsonObject {
  const { tasks: _experimental, extensions, ...declared } = declaredBy(entry, era);
  const lists = LISTS.filter((list) => hasList(entry, era, list) && !isObject(declared[list]));
  const forgotten = Object.fromEntries(lists.map((list) => [list, { listChanged: true }]));
  const minted = era === 'modern' && mintsTasks(entry.name) ? { [TASKS_EXTENSION]: {} } : {};
  const relayed = { ...minted, ...relayedExtensions({ extensions }, era) };
  return { ...declared, ...forgotten, ...(Object.keys(relayed).length === 0 ? {} : { extensions: relayed }) };
}

/** `/mcp`: what at least one server has, of what the gateway implements. */
function ofAll(view: View, era: Era, mintsTasks: MintsTasks): JsonObject {
  const { servers } = view;
  const declared = servers.map((entry) => declaredBy(entry, era));
  const has = (list: keyof Lists): boolean => servers.some((entry) => hasList(entry, era, list));
  const subscribe = declared.some(({ resources }) => isObject(resources) && resources.subscribe === true);
  const hasTasks = (entry: ServerEntry): boolean =>
    mintsTasks(entry.name) || isObject(extensionsOf(declaredBy(entry, era))[TASKS_EXTENSION]);
  const tasks = era === 'modern' && servers.some(hasTasks);
  const extensions = { ...(tasks ? { [TASKS_EXTENSION]: {} } : {}), ...(view.apps ? { [UI_EXTENSION]: {} } : {}) };
  return {
    ...(has('tools') ? { tools: { listChanged: true } } : {}),
    ...(has('prompts') ? { prompts: { listChanged: true } } : {}),
    ...(has('resources') ? { resources: { listChanged: true, ...(subscribe ? { subscribe } : {}) } } : {}),
    ...(declared.some(({ completions }) => isObject(completions)) ? { completions: {} } : {}),
    ...(declared.some(({ logging }) => isObject(logging)) ? { logging: {} } : {}),
    ...(Object.keys(extensions).length === 0 ? {} : { extensions }),
  };
}

/** The server capabilities that an endpoint declares to a client of that era: what is really there (S26 discover, S25 lifecycle). */
export function capabilitiesOf(view: View, era: Era, mintsTasks: MintsTasks): JsonObject {
  const { endpoint, servers } = view;
  if (endpoint.kind === 'joined') return ofAll(view, era, mintsTasks);
  const [entry] = servers;
  return entry === undefined ? {} : ofServer(entry, era, mintsTasks);
}

/** What a client that offers these capabilities lacks for a tool that is not shown to everyone; undefined if it is shown to this client. */
export function lackingFor(needs: CatalogueTool['needs'], offers: JsonObject): JsonObject | undefined {
  const missing = needs?.map((one) => lacking(one, offers)) ?? [];
  return missing.includes(undefined) ? undefined : missing[0];
}
