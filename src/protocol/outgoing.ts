import { memberOf, spliceObject, type Edits } from './json-text.ts';
import { META, MODERN_META, type Implementation } from './meta.ts';
import type { ModernRevision } from './revisions.ts';
import type { Call } from './target.ts';

/** What we say of ourselves where the client said nothing. */
export interface OutgoingOptions {
  readonly gateway: Implementation;
}

function paramEdits(call: Call, meta: string | null | undefined): Edits {
  const edits: Record<string, string | null> = {};
  if (meta !== undefined) edits._meta = meta;
  if (call.toolName !== undefined && call.params?.value.name !== call.toolName) edits.name = JSON.stringify(call.toolName);
  return edits;
}

function splice(call: Call, edits: Edits): string {
  if (call.params === undefined) return spliceObject('{}', { start: 0, end: 2, members: [] }, edits);
  return spliceObject(call.params.text, call.params.span, edits);
}

/**
 * The params of a call for an upstream of the modern era: name, protocol version, client capabilities and progress token are
 * replaced, all else stays the client's bytes. The capabilities are those that we can relay: none yet.
 */
export function modernParams(call: Call, revision: ModernRevision, options: OutgoingOptions): string {
  const edits: Record<string, string | null> = {
    [META.protocolVersion]: JSON.stringify(revision),
    [META.clientCapabilities]: '{}',
    [META.progressToken]: null,
  };
  const { params } = call;
  if (params?.meta === undefined || memberOf(params.meta, META.clientInfo) === undefined) {
    edits[META.clientInfo] = JSON.stringify(call.client.info ?? options.gateway);
  }
  const empty = { start: 0, end: 2, members: [] };
  const meta = params?.meta === undefined ? spliceObject('{}', empty, edits) : spliceObject(params.text, params.meta, edits);
  return splice(call, paramEdits(call, meta));
}

/** The params of a call for an upstream of the legacy era: the modern keys of `_meta` and the modern retry members go, all else stays the client's bytes. */
export function legacyParams(call: Call): string {
  const { params } = call;
  const gone = { inputResponses: null, requestState: null };
  if (params?.meta === undefined) return splice(call, { ...paramEdits(call, undefined), ...gone });
  const foreign = params.meta.members.filter(({ key }) => MODERN_META.has(key) || key === META.progressToken);
  const left = params.meta.members.length - foreign.length;
  const meta = left === 0 ? null : spliceObject(params.text, params.meta, Object.fromEntries(foreign.map(({ key }) => [key, null])));
  return splice(call, { ...paramEdits(call, meta), ...gone });
}
