import { arrayItems, isObject, memberOf, objectSpan, spliceMembers, type Edit, type JsonObject, type JsonText } from '../protocol/index.ts';
import type { Registry } from '../registry/index.ts';
import type { Endpoint } from './endpoints.ts';

/** What a URI means behind an endpoint: a server, and the URI in its own words. */
export interface ResolvedUri {
  readonly server: string;
  readonly uri: string;
}

/** A wrapped URI is `mcp.<server>+<uri>`: its scheme holds only what schemes may hold, and a template goes on matching what it matched. */
const WRAPPED = /^mcp\.([a-z0-9-]+)\+/;
/** Whatever starts like a wrapped one, templates and other spellings of the scheme included. */
const LOOKS_WRAPPED = /^mcp\./i;
const OWN_SCHEME = /^stockpulse:/i;

/** Who owns bare URIs: StockPulse its own scheme, the first upstream in config order all others. */
interface Owners {
  readonly version: number;
  readonly own: string | undefined;
  readonly first: string | undefined;
}

const known = new WeakMap<Registry, Owners>();

function ownersIn(registry: Registry): Owners {
  const found = known.get(registry);
  if (found !== undefined && found.version === registry.version) return found;
  const servers = registry.list();
  const owners = {
    version: registry.version,
    own: servers.find(({ kind }) => kind === 'stockpulse')?.name,
    first: servers.find(({ kind }) => kind === 'upstream')?.name,
  };
  known.set(registry, owners);
  return owners;
}

/** The only server whose URI of this text stays bare on `/mcp`: it depends on the configuration, never on what can be reached. */
function bareOwner(uri: string, registry: Registry): string | undefined {
  if (LOOKS_WRAPPED.test(uri)) return undefined;
  const { own, first } = ownersIn(registry);
  return OWN_SCHEME.test(uri) ? own : first;
}

/** The server's URI, or URI template, as this endpoint shows it (PROTOCOL C15). One to one: `resolveUri` is the inverse. */
export function wrapUri(endpoint: Endpoint, server: string, uri: string, registry: Registry): string {
  if (endpoint.kind === 'server' || bareOwner(uri, registry) === server) return uri;
  return `mcp.${server}+${uri}`;
}

/** What a URI or URI template of this endpoint means; undefined for one that the endpoint never shows. */
export function resolveUri(endpoint: Endpoint, uri: string, registry: Registry): ResolvedUri | undefined {
  if (endpoint.kind === 'server') return { server: endpoint.server, uri };
  const wrapped = WRAPPED.exec(uri);
  if (wrapped === null) {
    const owner = bareOwner(uri, registry);
    return owner === undefined ? undefined : { server: owner, uri };
  }
  const server = wrapped[1] as string;
  const inner = uri.slice(wrapped[0].length);
  return registry.get(server) === undefined || bareOwner(inner, registry) === server ? undefined : { server, uri: inner };
}

type Wrap = (uri: string) => string;

/** The object with those members replaced by other values, in its text and in its parsed form. */
function withMembers(object: JsonText, changes: readonly (readonly [key: string, value: JsonText | string])[]): JsonText {
  if (changes.length === 0) return object;
  const edits = changes.map(([key, to]): Edit => [key, typeof to === 'string' ? JSON.stringify(to) : to.text]);
  const values = changes.map(([key, to]) => [key, typeof to === 'string' ? to : to.value] as const);
  return {
    text: spliceMembers(object.text, objectSpan(object.text), edits),
    value: { ...object.value, ...Object.fromEntries(values) },
  };
}

/** A member that is an object, as text and value. */
function memberText({ text, value }: JsonText, key: string): JsonText | undefined {
  const inner = value[key];
  const member = isObject(inner) ? memberOf(objectSpan(text), key) : undefined;
  return member && { text: text.slice(member.start, member.end), value: inner as JsonObject };
}

function withUri(object: JsonText, wrap: Wrap): JsonText {
  const { uri } = object.value;
  if (typeof uri !== 'string') return object;
  const wrapped = wrap(uri);
  return wrapped === uri ? object : withMembers(object, [['uri', wrapped]]);
}

/** A content block: a link, or an embedded resource. */
function wrapBlock(block: JsonText, wrap: Wrap): JsonText {
  if (block.value.type === 'resource_link') return withUri(block, wrap);
  const resource = block.value.type === 'resource' ? memberText(block, 'resource') : undefined;
  if (resource === undefined) return block;
  const wrapped = withUri(resource, wrap);
  return wrapped === resource ? block : withMembers(block, [['resource', wrapped]]);
}

/** A prompt's message, or a result whose `content` is one block or several. */
function wrapContent(holder: JsonText, wrap: Wrap): JsonText {
  if (Array.isArray(holder.value.content)) return wrapItems(holder, 'content', (block) => wrapBlock(block, wrap));
  const block = memberText(holder, 'content');
  if (block === undefined) return holder;
  const wrapped = wrapBlock(block, wrap);
  return wrapped === block ? holder : withMembers(holder, [['content', wrapped]]);
}

const mayHoldUri = (item: unknown): boolean =>
  isObject(item) && (typeof item.uri === 'string' || isObject(item.resource) || isObject(item.content) || Array.isArray(item.content));

/** The object with each element of an array member rewritten; the same object if none changes. Texts are cut only if one may. */
function wrapItems(object: JsonText, key: string, wrapItem: (item: JsonText) => JsonText): JsonText {
  const values = object.value[key];
  if (!Array.isArray(values) || !values.some(mayHoldUri)) return object;
  const member = memberOf(objectSpan(object.text), key);
  if (member === undefined) return object;
  const texts = arrayItems(object.text, member.start);
  const newValues: unknown[] = [...(values as unknown[])];
  let changed = false;
  for (let i = 0; i < texts.length; i++) {
    const value = newValues[i];
    if (!isObject(value)) continue;
    const item = { text: texts[i] as string, value };
    const wrapped = wrapItem(item);
    if (wrapped === item) continue;
    texts[i] = wrapped.text;
    newValues[i] = wrapped.value;
    changed = true;
  }
  if (!changed) return object;
  const text = spliceMembers(object.text, objectSpan(object.text), [[key, `[${texts.join(',')}]`]]);
  return { text, value: { ...object.value, [key]: newValues } };
}

/** The result of a finished task stands inside the task (tasks extension, "Task Status"); only tool calls make tasks. */
function wrapTask(task: JsonText, wrap: Wrap): JsonText {
  const result = memberText(task, 'result');
  if (result === undefined) return task;
  const wrapped = wrapContent(result, wrap);
  return wrapped === result ? task : withMembers(task, [['result', wrapped]]);
}

/**
 * A result, or the params of a notification, with the server's URIs as this endpoint shows them: the contents of resources/read, links
 * and embedded resources of tools/call, prompts/get and finished tasks, `notifications/resources/updated`. The same object if nothing changes.
 */
export function wrapResultUris(endpoint: Endpoint, server: string, method: string, result: JsonText, registry: Registry): JsonText {
  if (endpoint.kind === 'server') return result;
  const wrap: Wrap = (uri) => wrapUri(endpoint, server, uri, registry);
  switch (method) {
    case 'tools/call':
      return wrapContent(result, wrap);
    case 'resources/read':
      return wrapItems(result, 'contents', (content) => withUri(content, wrap));
    case 'prompts/get':
      return wrapItems(result, 'messages', (message) => wrapContent(message, wrap));
    case 'tasks/get':
    case 'notifications/tasks':
      return wrapTask(result, wrap);
    case 'notifications/resources/updated':
      return withUri(result, wrap);
    default:
      return result;
  }
}
