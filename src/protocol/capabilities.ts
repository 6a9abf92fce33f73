import { RPC, rpcError, type RpcError } from './errors.ts';
import { jsonOf, mappedObject } from './json-edit.ts';
import type { JsonText } from './json-text.ts';
import { isObject, type JsonObject } from './meta.ts';

/** The tasks extension (ext-tasks). */
export const TASKS_EXTENSION = 'io.modelcontextprotocol/tasks';
/** MCP Apps. */
export const UI_EXTENSION = 'io.modelcontextprotocol/ui';

const RELAYED: ReadonlySet<string> = new Set(['elicitation', 'sampling', 'roots', 'extensions']);
const IMPLEMENTED: ReadonlySet<string> = new Set([TASKS_EXTENSION, UI_EXTENSION]);

/** Names of capabilities for people: `elicitation.url`, `extensions.io.modelcontextprotocol/tasks`. */
function namesOf(required: JsonObject): string[] {
  return Object.entries(required).flatMap(([key, value]) => {
    const inner = isObject(value) ? Object.keys(value) : [];
    return inner.length === 0 ? [key] : inner.map((name) => `${key}.${name}`);
  });
}

const MAX_SHOWN = 300;

/** The refusal of a request whose client lacks what it needs (S26 basic, "MissingRequiredClientCapabilityError"); HTTP 400. */
export function missingCapability(required: JsonObject): RpcError {
  const names = namesOf(required).join(', ').slice(0, MAX_SHOWN);
  return rpcError(RPC.missingRequiredClientCapability, `Missing required client capability: ${names}.`, { requiredCapabilities: required });
}

/**
 * The modes of a declared `elicitation`: form mode is meant where none is named (S26 elicitation, "Capabilities"), whatever else older
 * clients wrote there.
 */
export function elicitationModes(elicitation: JsonObject): { readonly form: boolean; readonly url: boolean } {
  const url = isObject(elicitation.url);
  return { form: isObject(elicitation.form) || !url, url };
}

const spelledOut = (key: string, value: JsonObject): JsonObject =>
  key === 'elicitation' && elicitationModes(value).form ? { form: {}, ...value } : value;

function lackingMember(key: string, needed: unknown, has: unknown): unknown {
  // Of settings that are neither flags nor objects only their presence can be wanted.
  if (!isObject(needed)) return needed === false || has === true || (needed !== true && has !== undefined) ? undefined : needed;
  if (!isObject(has)) return needed;
  return lacking(spelledOut(key, needed), spelledOut(key, has));
}

/** What of the required capabilities is not declared, in the same form; undefined if nothing is. */
export function lacking(required: JsonObject, declared: JsonObject): JsonObject | undefined {
  const missing = Object.keys(required)
    .map((key) => [key, lackingMember(key, required[key], Object.hasOwn(declared, key) ? declared[key] : undefined)] as const)
    .filter(([, value]) => value !== undefined);
  return missing.length === 0 ? undefined : Object.fromEntries(missing);
}

/** What of one capability we can relay; null for nothing. */
function relayed(key: string, text: string, value: unknown): string | null {
  if (!RELAYED.has(key)) return null;
  if (key !== 'extensions') return text;
  if (!isObject(value)) return null;
  const kept = mappedObject(text, (name, extension) => (IMPLEMENTED.has(name) ? extension : null));
  return kept === '{}' && kept !== text ? null : kept;
}

/**
 * A client's capabilities as we declare them to a server (PROTOCOL A5, A14, C9): on `/mcp/<server>` everything as it is, elsewhere what we can
 * relay. The same object if nothing has to go.
 */
export function mayRelay(capabilities: JsonText, everything: boolean): JsonText {
  if (everything) return capabilities;
  const { text, value } = capabilities;
  if (Object.keys(value).every((key) => key !== 'extensions' && RELAYED.has(key))) return capabilities;
  const made = mappedObject(text, (key, member) => relayed(key, member, value[key]));
  return made === text ? capabilities : jsonOf(made);
}
