import { eraOf, RPC, rpcError, type CacheHint, type JsonText, type Outcome } from '../../protocol/index.ts';
import { neverReached, type ServerEntry } from '../../registry/index.ts';
import { firstConnections } from '../first-connections.ts';
import type { Frame, Step } from '../frame.ts';
import type { ExposedTool, View } from '../view.ts';

/** One page of the endpoint's tools that the caller may use, in the servers' order. */
export const listTools: Step = async (frame, services): Promise<Outcome> => {
  const cursor = frame.request.params?.value.cursor;
  if (cursor !== undefined && typeof cursor !== 'string') return badCursor('it must be a string');
  await firstConnections(frame, services, () => true);
  const view = services.views.of(frame.endpoint);
  const visible = view.tools.filter(({ tool }) => tool.scopes.every((scope) => frame.principal.scopes.has(scope)));
  const start = cursor === undefined ? 0 : positionAfter(cursor, frame.endpoint.path, visible);
  if (start === undefined) return badCursor('it is not one that this endpoint gave out, or the tool list changed');
  const page = visible.slice(start, start + services.settings.pageSize);
  const last = page.at(-1);
  const more = last !== undefined && start + page.length < visible.length;
  const missing = view.servers.filter(neverReached);
  for (const { name, state } of missing) frame.record.notValidated.push(`list: server ${name} is ${state.state} and has no catalogue yet`);
  return {
    kind: 'complete',
    result: listResult(frame, page, more ? cursorAfter(frame.endpoint.path, last.name) : undefined, hintOf(view, missing)),
  };
};

const badCursor = (why: string): Outcome => ({
  kind: 'error',
  error: rpcError(RPC.invalidParams, `Invalid cursor: ${why}. Start again without a cursor.`),
});

const cursorAfter = (path: string, name: string): string => Buffer.from(JSON.stringify([path, name])).toString('base64url');

function positionAfter(cursor: string, path: string, tools: readonly ExposedTool[]): number | undefined {
  const at = tools.findIndex(({ name }) => cursorAfter(path, name) === cursor);
  return at < 0 ? undefined : at + 1;
}

/** Lists depend on the caller's scopes, hence private; a partial list is stale at once (PROTOCOL C7). */
function hintOf(view: View, missing: readonly ServerEntry[]): CacheHint {
  const ttls = view.servers.map(({ toolsCache }) => toolsCache.ttlMs);
  return { ttlMs: missing.length > 0 || ttls.length === 0 ? 0 : Math.min(...ttls), cacheScope: 'private' };
}

function listResult(frame: Frame, page: readonly ExposedTool[], nextCursor: string | undefined, hint: CacheHint): JsonText {
  const modern = eraOf(frame.client.revision) === 'modern';
  const texts = page.map((exposed) => (modern ? exposed.modern : exposed.legacy));
  const members = [`"tools":[${texts.join(',')}]`];
  if (nextCursor !== undefined) members.push(`"nextCursor":${JSON.stringify(nextCursor)}`);
  if (modern) members.push(`"ttlMs":${hint.ttlMs},"cacheScope":"${hint.cacheScope}"`);
  return { text: `{${members.join(',')}}`, value: { ...hint } };
}
