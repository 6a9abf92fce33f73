import { jsonText, MODERN_REVISIONS, type CacheHint, type Implementation, type Outcome } from '../../protocol/index.ts';
import { catalogueOf, neverReached } from '../../registry/index.ts';
import { capabilitiesOf } from '../capabilities.ts';
import { firstConnections } from '../first-connections.ts';
import type { Frame, Services, Step } from '../frame.ts';
import { preparedFor } from '../readiness.ts';

const DISCOVER_HINT: CacheHint = { ttlMs: 60_000, cacheScope: 'private' };
/** Of an answer that lacks a server which may still come. */
const PARTIAL_HINT: CacheHint = { ttlMs: 0, cacheScope: 'private' };

/** The identity that an endpoint answers with: the server's own on `/mcp/<server>`, the gateway's on `/mcp`. */
export function identityOf(frame: Frame, { registry, settings }: Services): Implementation {
  if (frame.endpoint.kind === 'joined') return { name: settings.name, title: settings.title, version: settings.version };
  const entry = registry.get(frame.endpoint.server);
  const facts = entry && catalogueOf(entry, frame.era).facts;
  return facts?.info ?? { name: frame.endpoint.server, version: '' };
}

/** On `/mcp` the instructions are StockPulse's own: an upstream's are data, and it speaks for itself on its own endpoint. */
function instructionsOf(frame: Frame, { registry }: Services): string | undefined {
  const name = frame.endpoint.kind === 'server' ? frame.endpoint.server : registry.list().find(({ kind }) => kind === 'stockpulse')?.name;
  const entry = name === undefined ? undefined : registry.get(name);
  return entry && catalogueOf(entry, frame.era).facts.instructions;
}

/** Answers `server/discover`, `initialize` and `ping`. Only what is really there is advertised. */
export const describeServer: Step = (frame, services) =>
  frame.request.method === 'ping' ? { kind: 'complete', result: jsonText({}) } : describe(frame, services);

/** True for a server some of whose tools we call as tasks (PROTOCOL A3). */
const mintsTasks =
  ({ policyOf }: Services) =>
  (server: string): boolean =>
    Object.values(policyOf(server)?.tools ?? {}).some(({ tasks }) => tasks !== undefined && tasks !== 'never');

/** A server that is just starting gets its first chance: what is not advertised is not asked for, for as long as the client stays. */
async function describe(frame: Frame, services: Services): Promise<Outcome> {
  await firstConnections(frame, services, () => true);
  const { era } = frame;
  await preparedFor(frame, services);
  const view = services.views.of(frame.endpoint, era);
  const instructions = instructionsOf(frame, services);
  const common = { capabilities: capabilitiesOf(view, era, mintsTasks(services)), ...(instructions === undefined ? {} : { instructions }) };
  if (frame.request.method === 'server/discover') {
    const hint = view.servers.some(neverReached) ? PARTIAL_HINT : DISCOVER_HINT;
    return { kind: 'complete', result: jsonText({ supportedVersions: MODERN_REVISIONS, ...common, ...hint }) };
  }
  return {
    kind: 'complete',
    result: jsonText({ protocolVersion: frame.client.revision, serverInfo: identityOf(frame, services), ...common }),
  };
}
