import { jsonText, MODERN_REVISIONS, type CacheHint, type Implementation } from '../../protocol/index.ts';
import type { Frame, Services, Step } from '../frame.ts';

const DISCOVER_HINT: CacheHint = { ttlMs: 60_000, cacheScope: 'private' };

/** The identity that an endpoint answers with: the server's own on `/mcp/<server>`, the gateway's on `/mcp`. */
export function identityOf(frame: Frame, { registry, settings }: Services): Implementation {
  if (frame.endpoint.kind === 'joined') return { name: settings.name, title: settings.title, version: settings.version };
  return registry.get(frame.endpoint.server)?.facts.info ?? { name: frame.endpoint.server, version: '' };
}

/** On `/mcp` the instructions are StockPulse's own: an upstream's are data, and it speaks for itself on its own endpoint. */
function instructionsOf(frame: Frame, { registry }: Services): string | undefined {
  const name = frame.endpoint.kind === 'server' ? frame.endpoint.server : registry.list().find(({ kind }) => kind === 'stockpulse')?.name;
  return name === undefined ? undefined : registry.get(name)?.facts.instructions;
}

/** Answers `server/discover`, `initialize` and `ping`. Only what is implemented is advertised. */
export const describeServer: Step = (frame, services) => {
  const { method } = frame.request;
  if (method === 'ping') return { kind: 'complete', result: jsonText({}) };
  const instructions = instructionsOf(frame, services);
  const common = { capabilities: { tools: {} }, ...(instructions === undefined ? {} : { instructions }) };
  if (method === 'server/discover') {
    return { kind: 'complete', result: jsonText({ supportedVersions: MODERN_REVISIONS, ...common, ...DISCOVER_HINT }) };
  }
  return {
    kind: 'complete',
    result: jsonText({ protocolVersion: frame.client.revision, serverInfo: identityOf(frame, services), ...common }),
  };
};
