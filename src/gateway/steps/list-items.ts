import { RPC, rpcError, type CacheHint, type Era, type JsonText, type Outcome } from '../../protocol/index.ts';
import { catalogueOf, neverReached, type ServerEntry } from '../../registry/index.ts';
import { hasList, lackingFor } from '../capabilities.ts';
import { firstConnections } from '../first-connections.ts';
import type { Frame, Services, Step } from '../frame.ts';
import { offersOf } from '../make-call.ts';
import { freshened, preparedFor, PROMPTS, TOOLS, type ListSource } from '../readiness.ts';
import type { Exposed, View } from '../view.ts';
import { cursorAt, indexBehind } from './list-cursor.ts';

/** How one of the four lists is made. */
interface ListKind extends ListSource {
  /** The member of the result. */
  readonly member: string;
  readonly items: (view: View) => readonly Exposed[];
}

const LISTS: Readonly<Record<string, ListKind>> = {
  'tools/list': {
    ...TOOLS,
    member: 'tools',
    items: ({ tools }) => tools,
  },
  'prompts/list': {
    ...PROMPTS,
    member: 'prompts',
    items: ({ prompts }) => prompts,
  },
  'resources/list': {
    member: 'resources',
    capability: 'resources',
    items: ({ resources }) => resources,
    source: ({ resources }) => resources,
  },
  'resources/templates/list': {
    member: 'resourceTemplates',
    capability: 'resources',
    items: ({ templates }) => templates,
    source: ({ templates }) => templates,
  },
};

const NO_SCOPES: readonly string[] = [];

const badCursor = (why: string): Outcome => ({
  kind: 'error',
  error: rpcError(RPC.invalidParams, `Invalid cursor: ${why}. Start again without a cursor.`),
});

/** The scopes that a caller needs for an item: a tool's own, else those of its server. */
function scopesFor(item: Exposed, policyOf: Services['policyOf']): readonly string[] {
  return item.scopes ?? policyOf(item.server)?.scopes ?? NO_SCOPES;
}

/** What the caller may see, and whether others may see something else. */
function visibleTo(frame: Frame, { policyOf }: Services, items: readonly Exposed[]): { seen: readonly Exposed[]; personal: boolean } {
  const { principal } = frame;
  const offers = items.some(({ needs }) => needs !== undefined) ? offersOf(frame).value : {};
  let personal = false;
  const seen = items.filter((item) => {
    const scopes = scopesFor(item, policyOf);
    personal ||= scopes.length > 0 || item.needs !== undefined;
    return lackingFor(item.needs, offers) === undefined && scopes.every((scope) => principal.scopes.has(scope));
  });
  return { seen, personal };
}

/** One page of a list of the endpoint, as far as the caller may see it, in the servers' order. */
export const listItems: Step = async (frame, services): Promise<Outcome | undefined> => {
  const kind = LISTS[frame.request.method];
  if (kind === undefined) return undefined;
  const cursor = frame.request.params?.value.cursor;
  if (cursor !== undefined && typeof cursor !== 'string') return badCursor('it must be a string');
  await firstConnections(frame, services, () => true);
  const late = kind.capability === 'tools' ? await preparedFor(frame, services) : [];
  // Pages of one list are of one reading as far as they can be.
  if (cursor === undefined) await freshened(frame, services, kind);
  const view = services.views.of(frame.endpoint, frame.era);
  const at = { endpoint: frame.endpoint.path, list: kind.member };
  const { seen: items, personal } = visibleTo(frame, services, kind.items(view));
  const start = cursor === undefined ? 0 : indexBehind(services.sealer, cursor, at, items);
  if (start === undefined) return badCursor('it is not one that this endpoint gave out, or the list changed');
  const end = Math.min(start + services.settings.pageSize, items.length);
  const last = items[end - 1];
  const next = end < items.length && last !== undefined ? cursorAt(services.sealer, { ...at, index: end - 1, id: last.id }) : undefined;
  const texts = items.slice(start, end).map((item) => item.textFor(frame.client.revision));
  return {
    kind: 'complete',
    result: resultOf(frame, kind.member, { texts, next, hint: hintOf(frame, services, kind, { view, personal, late }) }),
  };
};

/** What a list is made of. */
interface Shown {
  readonly view: View;
  /** Others may see something else. */
  readonly personal: boolean;
  /** Servers that may have more for this client than is known by now. */
  readonly late: readonly ServerEntry[];
}

/** The least remaining lifetime of its parts; for everyone only if each part and the selection is; stale at once if partial (PROTOCOL C7). */
function hintOf(frame: Frame, { clock }: Services, kind: ListKind, { view, personal, late }: Shown): CacheHint {
  const { era } = frame;
  const { servers } = view;
  const missing = servers.filter(neverReached);
  for (const { name, state } of missing) frame.record.notValidated.push(`list: server ${name} is ${state.state} and has no catalogue yet`);
  const parts = servers.filter((entry) => hasList(entry, era, kind.capability)).map((entry) => partOf(entry, era, kind, clock.now()));
  for (const { name } of late) frame.record.notValidated.push(`list: server ${name} may have more tools for clients that can be asked`);
  if (missing.length > 0 || late.length > 0 || parts.length === 0) return { ttlMs: 0, cacheScope: 'private' };
  const shared = parts.every(({ cacheScope }) => cacheScope === 'public') && !personal;
  return { ttlMs: Math.min(...parts.map(({ ttlMs }) => ttlMs)), cacheScope: shared ? 'public' : 'private' };
}

function partOf(entry: ServerEntry, era: Era, kind: ListKind, now: number): CacheHint {
  const { cache, readAt = now } = kind.source(catalogueOf(entry, era));
  const age = Math.max(0, now - readAt);
  return { ttlMs: Math.max(0, cache.ttlMs - age), cacheScope: cache.cacheScope };
}

interface Page {
  readonly texts: readonly string[];
  readonly next: string | undefined;
  readonly hint: CacheHint;
}

function resultOf({ era }: Frame, member: string, { texts, next, hint }: Page): JsonText {
  const members = [`"${member}":[${texts.join(',')}]`];
  if (next !== undefined) members.push(`"nextCursor":${JSON.stringify(next)}`);
  if (era === 'legacy') return { text: `{${members.join(',')}}`, value: {} };
  members.push(`"ttlMs":${hint.ttlMs},"cacheScope":"${hint.cacheScope}"`);
  return { text: `{${members.join(',')}}`, value: { ...hint } };
}
