import { elicitationModes } from './capabilities.ts';
import type { RequestMessage } from './envelope.ts';
import { RPC, type RpcError } from './errors.ts';
import { edited, editedText, jsonOf, metaWithout, without } from './json-edit.ts';
import { memberOf, objectSpan, type JsonText } from './json-text.ts';
import { unsureKey } from './json-sure.ts';
import { isObject, META, type JsonObject } from './meta.ts';
import type { Ask, AskMethod } from './target.ts';

const ASK_METHODS: ReadonlySet<unknown> = new Set<AskMethod>(['elicitation/create', 'sampling/createMessage', 'roots/list']);

const isAskMethod = (method: unknown): method is AskMethod => ASK_METHODS.has(method);

/** Asks that one result may hold; a server that wants more is wrong. */
const MAX_ASKS = 64;

/** A server's JSON-RPC request as an ask; undefined for any other method. */
export function askOf(request: RequestMessage): Ask | undefined {
  const { method, params } = request;
  if (!isAskMethod(method)) return undefined;
  return { method, params: params && { text: params.text.slice(params.span.start, params.span.end), value: params.value } };
}

const modeOf = (params: JsonObject | undefined): unknown => params?.mode ?? 'form';

/** What is wrong with an ask, for the server that sent it (-32602); undefined if a client can make something of it. */
export function askProblem({ method, params }: Ask): string | undefined {
  const value = params?.value ?? {};
  if (method === 'roots/list') return undefined;
  if (method === 'sampling/createMessage') {
    if (!Array.isArray(value.messages)) return 'params.messages must be a list.';
    return typeof value.maxTokens === 'number' ? undefined : 'params.maxTokens must be a number.';
  }
  if (typeof value.message !== 'string') return 'params.message must be a string.';
  const mode = modeOf(value);
  if (mode === 'url') return typeof value.url === 'string' ? undefined : 'params.url must be a string.';
  if (mode !== 'form') return 'params.mode must be "form" or "url".';
  return isObject(value.requestedSchema) ? undefined : 'params.requestedSchema must be an object.';
}

function mayElicit(params: JsonObject | undefined, offered: JsonObject): boolean {
  const mode = modeOf(params);
  const modes = elicitationModes(offered);
  return mode === 'form' ? modes.form : mode === 'url' && modes.url;
}

/** Methods whose servers may ask for input, and no others (S26 mrtr, "Supported Requests"; PROTOCOL D). */
export const MAY_ASK: ReadonlySet<string> = new Set(['tools/call', 'prompts/get', 'resources/read']);

const wantsTools = ({ params }: Ask): boolean => (params?.value.tools ?? params?.value.toolChoice ?? undefined) !== undefined;

/** The client capability that an ask needs, as `requiredCapabilities` of -32021 says it (S26 basic, "Error Codes"). */
export function requiredFor(ask: Ask): JsonObject {
  if (ask.method === 'roots/list') return { roots: {} };
  if (ask.method === 'sampling/createMessage') return { sampling: wantsTools(ask) ? { tools: {} } : {} };
  return { elicitation: ask.params?.value.mode === 'url' ? { url: {} } : {} };
}

/** True if a client that offers these capabilities may be sent the ask (S26 elicitation and sampling, "Capabilities"; PROTOCOL B). */
export function mayAsk(ask: Ask, offers: JsonObject): boolean {
  const { method, params } = ask;
  if (method === 'roots/list') return isObject(offers.roots);
  if (method === 'elicitation/create') return isObject(offers.elicitation) && mayElicit(params?.value, offers.elicitation);
  if (!isObject(offers.sampling)) return false;
  return !wantsTools(ask) || isObject(offers.sampling.tools);
}

/** Keys of `_meta` that mean something only on the wire where the ask is a request of its own (S25 progress and tasks). */
export const REQUEST_META: ReadonlySet<string> = new Set([META.progressToken, 'io.modelcontextprotocol/related-task']);

/** Members that legacy asks have and modern ones do not: task augmentation, and the id of a URL elicitation. */
const LEGACY_ONLY: readonly string[] = ['task', 'elicitationId'];

/** A legacy ask as the value of an entry of `inputRequests`, as JSON text. */
export function inputRequestText({ method, params }: Ask): string {
  if (params === undefined) return `{"method":"${method}"${method === 'roots/list' ? '' : ',"params":{}'}}`;
  const edits = [...without(params.value, LEGACY_ONLY), ...metaWithout(params, (key) => REQUEST_META.has(key))];
  return `{"method":"${method}","params":${editedText(params.text, edits)}}`;
}

const objectText = (members: Iterable<readonly [key: string, text: string]>): string =>
  `{${[...members].map(([key, text]) => `${JSON.stringify(key)}:${text}`).join(',')}}`;

/** An `input_required` result (S26 mrtr, "InputRequiredResult"); `entries` are JSON texts by key. */
export function inputRequiredResult(entries: ReadonlyMap<string, string>, state: string | undefined): JsonText {
  const members: [string, string][] = [['resultType', '"input_required"']];
  if (entries.size > 0) members.push(['inputRequests', objectText(entries)]);
  if (state !== undefined) members.push(['requestState', JSON.stringify(state)]);
  return jsonOf(objectText(members));
}

function askOfEntry(text: string, value: unknown): Ask | undefined {
  if (!isObject(value) || !isAskMethod(value.method)) return undefined;
  const { method, params } = value;
  if (params === undefined || params === null) return { method, params: undefined };
  if (!isObject(params)) return undefined;
  const member = memberOf(objectSpan(text), 'params');
  return member && { method, params: { text: text.slice(member.start, member.end), value: params } };
}

/**
 * The asks of an `input_required` result, in its order; none if it has only a state. Undefined if it is malformed: an entry that is no
 * ask, a key twice, too many entries, a state that is no text, or neither an ask nor a state.
 */
export function inputRequestsOf(result: JsonText): ReadonlyMap<string, Ask> | undefined {
  const { inputRequests, requestState } = result.value;
  if (requestState !== undefined && typeof requestState !== 'string') return undefined;
  const asks = new Map<string, Ask>();
  if (inputRequests === undefined || inputRequests === null) return requestState === undefined ? undefined : asks;
  const member = isObject(inputRequests) ? memberOf(objectSpan(result.text), 'inputRequests') : undefined;
  if (member === undefined) return undefined;
  const text = result.text.slice(member.start, member.end);
  const { members } = objectSpan(text);
  if (members.length === 0 && requestState === undefined) return undefined;
  // A second reader must not find other asks in the same text than those that were checked here.
  if (members.length > MAX_ASKS || unsureKey(text, inputRequests) !== undefined) return undefined;
  for (const { key, start, end } of members) {
    const ask = askOfEntry(text.slice(start, end), (inputRequests as JsonObject)[key]);
    if (ask === undefined) return undefined;
    asks.set(key, ask);
  }
  return asks;
}

/** The entries of `inputResponses` that are objects, each with its own text; others are nobody's answer. */
export function inputResponsesOf(answers: JsonText): ReadonlyMap<string, JsonText> {
  const entries = new Map<string, JsonText>();
  for (const { key, start, end } of objectSpan(answers.text).members) {
    const value = Object.hasOwn(answers.value, key) ? answers.value[key] : undefined;
    if (isObject(value)) entries.set(key, { text: answers.text.slice(start, end), value });
  }
  return entries;
}

/** An `inputResponses` object of these answers. */
export function inputResponses(answers: ReadonlyMap<string, JsonText>): JsonText {
  const entries = [...answers];
  return {
    text: objectText(entries.map(([key, { text }]) => [key, text] as const)),
    value: Object.fromEntries(entries.map(([key, { value }]) => [key, value])),
  };
}

function freeKey(taken: ReadonlyMap<string, string>, wanted: string): string {
  let key = wanted;
  for (let n = 2; taken.has(key); n++) key = `${wanted}-${n}`;
  return key;
}

/**
 * The URL elicitations without which a legacy server refuses a request (-32042, S25 elicitation), as entries of `inputRequests` by their ids;
 * undefined for any other error, or if it names none (PROTOCOL C2).
 */
export function urlAsksOf(error: RpcError): ReadonlyMap<string, string> | undefined {
  if (error.code !== RPC.urlElicitationRequired || !isObject(error.data) || !Array.isArray(error.data.elicitations)) return undefined;
  const entries = new Map<string, string>();
  for (const elicitation of error.data.elicitations.slice(0, MAX_ASKS) as unknown[]) {
    if (!isObject(elicitation) || typeof elicitation.url !== 'string') continue;
    const { elicitationId: id, url, message } = elicitation;
    const key = freeKey(entries, typeof id === 'string' && id !== '' ? id : 'url');
    const params = { mode: 'url', message: typeof message === 'string' ? message : error.message, url };
    entries.set(key, JSON.stringify({ method: 'elicitation/create', params }));
  }
  return entries.size === 0 ? undefined : entries;
}

/** The ask with the server's name before the words that a person reads (PROTOCOL C10): on endpoints that join several servers. */
export function withProvenance(ask: Ask, server: string): Ask {
  const { method, params } = ask;
  if (method !== 'elicitation/create' || typeof params?.value.message !== 'string') return ask;
  return { method, params: edited(params, [['message', JSON.stringify(`[${server}] ${params.value.message}`)]]) };
}
