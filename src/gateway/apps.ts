import { isObject, memberOf, objectSpan, spliceMembers, type Edit, type JsonText } from '../protocol/index.ts';

/** MCP Apps: `_meta.ui.resourceUri` of a tool names the page that shows its results; older servers write it flat. */
const APP = 'ui';
const APP_URI = 'resourceUri';
const FLAT_URI = 'ui/resourceUri';

/** True if the definition names a page of its own. */
export function hasApp(value: JsonText['value']): boolean {
  const meta = value._meta;
  if (!isObject(meta)) return false;
  return typeof meta[FLAT_URI] === 'string' || (isObject(meta[APP]) && typeof meta[APP][APP_URI] === 'string');
}

/** An edit of the definition's `_meta` by edits of its members; the whole member goes where nothing is left. */
function metaEdit({ text }: JsonText, editsOf: (metaText: string) => readonly Edit[]): Edit | undefined {
  const member = memberOf(objectSpan(text), '_meta');
  if (member === undefined) return undefined;
  const meta = text.slice(member.start, member.end);
  const edits = editsOf(meta);
  if (edits.length === 0) return undefined;
  const span = objectSpan(meta);
  const left = span.members.filter(({ key }) => edits.find(([edited]) => edited === key)?.[1] !== null);
  return ['_meta', left.length === 0 ? null : spliceMembers(meta, span, edits)];
}

/** The edit that takes the app off a tool whose name changed: the page's script calls the tool by its own name (PROTOCOL A14). */
export function withoutApp(definition: JsonText): Edit | undefined {
  const { _meta: meta } = definition.value;
  if (!isObject(meta) || (meta[APP] === undefined && meta[FLAT_URI] === undefined)) return undefined;
  return metaEdit(definition, () => [
    [APP, null],
    [FLAT_URI, null],
  ]);
}

/** The edit that gives the app's page the URI under which the endpoint shows it (PROTOCOL C15). */
export function withAppUri(definition: JsonText, wrap: (uri: string) => string): Edit | undefined {
  const { _meta: meta } = definition.value;
  if (!isObject(meta) || !hasApp(definition.value)) return undefined;
  return metaEdit(definition, (metaText) => {
    const edits: Edit[] = [];
    const flat = meta[FLAT_URI];
    if (typeof flat === 'string' && wrap(flat) !== flat) edits.push([FLAT_URI, JSON.stringify(wrap(flat))]);
    const uri = isObject(meta[APP]) ? meta[APP][APP_URI] : undefined;
    const app = memberOf(objectSpan(metaText), APP);
    if (app !== undefined && typeof uri === 'string' && wrap(uri) !== uri) {
      const text = metaText.slice(app.start, app.end);
      edits.push([APP, spliceMembers(text, objectSpan(text), [[APP_URI, JSON.stringify(wrap(uri))]])]);
    }
    return edits;
  });
}
