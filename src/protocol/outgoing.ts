import type { Params } from './envelope.ts';
import { memberOf, spliceMembers, type Edit, type ObjectSpan } from './json-text.ts';
import { META, MODERN_META, type Implementation } from './meta.ts';
import type { ModernRevision } from './revisions.ts';
import type { Call } from './target.ts';

/** What we say of ourselves where the client said nothing. */
export interface OutgoingOptions {
  readonly gateway: Implementation;
  /** Our own token for the call's progress; undefined where the client wants none. */
  readonly progressToken: number | undefined;
}

const EMPTY: ObjectSpan = { start: 0, end: 2, members: [] };

const renames = ({ params, subject }: Call): boolean => subject !== undefined && params?.value[subject.member] !== subject.value;

/** The members of params that are ours, `_meta` apart: names, the state and answers of an earlier round. */
function ownEdits(call: Call): Edit[] {
  const { params, subject, state, answers } = call;
  const edits: Edit[] = [...call.edits];
  if (subject !== undefined && renames(call)) edits.push([subject.member, JSON.stringify(subject.value)]);
  if (state !== undefined) edits.push(['requestState', JSON.stringify(state)]);
  else if (params?.value.requestState !== undefined) edits.push(['requestState', null]);
  if (answers !== undefined && answers.value !== params?.value.inputResponses) edits.push(['inputResponses', answers.text]);
  return edits;
}

function splice(call: Call, edits: Edit[]): string {
  return call.params === undefined ? spliceMembers('{}', EMPTY, edits) : spliceMembers(call.params.text, call.params.span, edits);
}

/** True if the value of the member is written as `json` already. */
function says(text: string, span: ObjectSpan, key: string, json: string): boolean {
  const member = memberOf(span, key);
  return member !== undefined && member.end - member.start === json.length && text.startsWith(json, member.start);
}

const lacks = (span: ObjectSpan, key: string): boolean => memberOf(span, key) === undefined;

/** True if nothing has to be replaced: a client of our revision whose capabilities we relay as they are, without progress or a state. */
function fitsAsItIs(call: Call, params: Params, meta: ObjectSpan, version: string, options: OutgoingOptions): boolean {
  const { text } = params;
  const same = says(text, meta, META.protocolVersion, version) && says(text, meta, META.clientCapabilities, call.offers.text);
  if (!same || renames(call) || call.edits.length > 0 || options.progressToken !== undefined) return false;
  if (call.answers !== undefined && call.answers.value !== params.value.inputResponses) return false;
  const plain = params.value.requestState === undefined && call.state === undefined && !needsLevel(call, meta);
  return plain && lacks(meta, META.progressToken) && !lacks(meta, META.clientInfo);
}

/** A level that the client stated itself stays as it is. */
const needsLevel = (call: Call, meta: ObjectSpan | undefined): boolean =>
  call.logLevel !== undefined && (meta === undefined || lacks(meta, META.logLevel));

/**
 * The params of a call for an upstream of the modern era: subject, protocol version, client capabilities, progress token, log level, state and
 * answers are replaced, all else stays the client's bytes (PROTOCOL A5).
 */
export function modernParams(call: Call, revision: ModernRevision, options: OutgoingOptions): string {
  const { params } = call;
  const version = JSON.stringify(revision);
  const meta = params?.meta;
  if (params !== undefined && meta !== undefined && fitsAsItIs(call, params, meta, version, options))
    return params.text.slice(params.span.start, params.span.end);
  const { progressToken } = options;
  const edits: Edit[] = [
    [META.protocolVersion, version],
    [META.clientCapabilities, call.offers.text],
    [META.progressToken, progressToken === undefined ? null : String(progressToken)],
  ];
  if (needsLevel(call, meta)) edits.push([META.logLevel, JSON.stringify(call.logLevel)]);
  if (meta === undefined || lacks(meta, META.clientInfo)) {
    edits.push([META.clientInfo, JSON.stringify(call.client.info ?? options.gateway)]);
  }
  const spliced = params === undefined || meta === undefined ? spliceMembers('{}', EMPTY, edits) : spliceMembers(params.text, meta, edits);
  return splice(call, [...ownEdits(call), ['_meta', spliced]]);
}

/**
 * The params of a call for an upstream of the legacy era: the modern keys of `_meta` and the modern retry members go, the progress token is
 * replaced, all else stays the client's bytes.
 */
export function legacyParams(call: Call, progressToken: number | undefined): string {
  const edits: Edit[] = [...ownEdits({ ...call, state: undefined, answers: undefined }), ['inputResponses', null], ['requestState', null]];
  const { params } = call;
  // The tasks of 2025-11-25 are not relayed (PROTOCOL C6).
  if (call.method === 'tools/call' && params?.value.task !== undefined) edits.push(['task', null]);
  const token: Edit[] = progressToken === undefined ? [] : [[META.progressToken, String(progressToken)]];
  if (params?.meta === undefined) {
    if (token.length > 0) edits.push(['_meta', spliceMembers('{}', EMPTY, token)]);
    return splice(call, edits);
  }
  const foreign = params.meta.members.filter(({ key }) => MODERN_META.has(key) || key === META.progressToken);
  const left = params.meta.members.length - foreign.length + token.length;
  const gone = foreign.filter(({ key }) => progressToken === undefined || key !== META.progressToken).map(({ key }): Edit => [key, null]);
  edits.push(['_meta', left === 0 ? null : spliceMembers(params.text, params.meta, [...gone, ...token])]);
  return splice(call, edits);
}
