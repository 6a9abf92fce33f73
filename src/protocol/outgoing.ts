import type { Params } from './envelope.ts';
import { memberOf, spliceMembers, type Edit, type ObjectSpan } from './json-text.ts';
import { META, MODERN_META, type Implementation } from './meta.ts';
import type { ModernRevision } from './revisions.ts';
import type { Call } from './target.ts';

/** What we say of ourselves where the client said nothing. */
export interface OutgoingOptions {
  readonly gateway: Implementation;
}

const EMPTY: ObjectSpan = { start: 0, end: 2, members: [] };
/** The client capabilities that we can relay: none yet. */
const CAPABILITIES = '{}';

const renames = ({ params, toolName }: Call): boolean => toolName !== undefined && params?.value.name !== toolName;

function splice(call: Call, edits: Edit[]): string {
  if (renames(call)) edits.push(['name', JSON.stringify(call.toolName)]);
  return call.params === undefined ? spliceMembers('{}', EMPTY, edits) : spliceMembers(call.params.text, call.params.span, edits);
}

/** True if the value of the member is written as `json` already. */
function says(text: string, span: ObjectSpan, key: string, json: string): boolean {
  const member = memberOf(span, key);
  return member !== undefined && member.end - member.start === json.length && text.startsWith(json, member.start);
}

/** True if nothing has to be replaced: a client of our revision without capabilities or a progress token. */
function fitsAsItIs(call: Call, params: Params, meta: ObjectSpan, version: string): boolean {
  const { text } = params;
  const same = says(text, meta, META.protocolVersion, version) && says(text, meta, META.clientCapabilities, CAPABILITIES);
  return same && !renames(call) && memberOf(meta, META.progressToken) === undefined && memberOf(meta, META.clientInfo) !== undefined;
}

/**
 * The params of a call for an upstream of the modern era: name, protocol version, client capabilities and progress token are
 * replaced, all else stays the client's bytes (PROTOCOL A5).
 */
export function modernParams(call: Call, revision: ModernRevision, options: OutgoingOptions): string {
  const { params } = call;
  const version = JSON.stringify(revision);
  const meta = params?.meta;
  if (params !== undefined && meta !== undefined && fitsAsItIs(call, params, meta, version))
    return params.text.slice(params.span.start, params.span.end);
  const edits: Edit[] = [
    [META.protocolVersion, version],
    [META.clientCapabilities, CAPABILITIES],
    [META.progressToken, null],
  ];
  if (meta === undefined || memberOf(meta, META.clientInfo) === undefined) {
    edits.push([META.clientInfo, JSON.stringify(call.client.info ?? options.gateway)]);
  }
  const spliced = params === undefined || meta === undefined ? spliceMembers('{}', EMPTY, edits) : spliceMembers(params.text, meta, edits);
  return splice(call, [['_meta', spliced]]);
}

/** The params of a call for an upstream of the legacy era: the modern keys of `_meta` and the modern retry members go, all else stays the client's bytes. */
export function legacyParams(call: Call): string {
  const edits: Edit[] = [
    ['inputResponses', null],
    ['requestState', null],
  ];
  const { params } = call;
  if (params?.meta === undefined) return splice(call, edits);
  const foreign = params.meta.members.filter(({ key }) => MODERN_META.has(key) || key === META.progressToken);
  const left = params.meta.members.length - foreign.length;
  const gone = foreign.map(({ key }): Edit => [key, null]);
  edits.push(['_meta', left === 0 ? null : spliceMembers(params.text, params.meta, gone)]);
  return splice(call, edits);
}
