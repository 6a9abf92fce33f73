import { isObject, legacyOffers, type LegacyRevision } from '../protocol/index.ts';
import { catalogueOf, type Catalogue, type ItemList, type ServerEntry } from '../registry/index.ts';
import { hasList, type Lists } from './capabilities.ts';
import { serversOf } from './endpoints.ts';
import type { Frame, Services } from './frame.ts';

const READY = Promise.resolve();
const ASKS = ['elicitation', 'sampling', 'roots'];

/** True for a client that declares something that servers may ask it. */
function canBeAsked({ era, client }: Frame): boolean {
  const { capabilities, revision } = client;
  const declared = era === 'modern' ? capabilities : legacyOffers(capabilities, revision as LegacyRevision);
  return ASKS.some((name) => isObject(declared[name]));
}

/**
 * Tells the servers which `concerns` names what kind of client is about to use them, and waits a moment for what they do about it. Those that
 * need longer do not show everything yet.
 */
export async function preparedFor(
  frame: Frame,
  services: Services,
  concerns: (server: string) => boolean = () => true,
): Promise<readonly ServerEntry[]> {
  const { era, endpoint } = frame;
  const asks = canBeAsked(frame);
  if (era === 'modern' && !asks) return [];
  const servers = serversOf(endpoint, services.registry).filter(({ name }) => concerns(name));
  const ready = await Promise.all(servers.map(({ name }) => services.target(name)?.prepare?.(era, asks) ?? READY));
  return servers.filter((_, i) => ready[i] === false);
}

/** A list of the catalogue as `list_items` and calls use it. */
export interface ListSource {
  /** The capability that it belongs to. */
  readonly capability: keyof Lists;
  /** What one server says of its part. */
  readonly source: (catalogue: Catalogue) => Omit<ItemList, 'items'>;
}

export const TOOLS: ListSource = {
  capability: 'tools',
  source: ({ toolsCache, toolsReadAt }) => ({ cache: toolsCache, readAt: toolsReadAt }),
};

export const PROMPTS: ListSource = { capability: 'prompts', source: ({ prompts }) => prompts };

function isOver(entry: ServerEntry, { era }: Frame, { clock }: Services, { capability, source }: ListSource): boolean {
  if (entry.state.state !== 'ready' || !hasList(entry, era, capability)) return false;
  const { cache, readAt } = source(catalogueOf(entry, era));
  return readAt !== undefined && clock.now() - readAt >= cache.ttlMs;
}

/**
 * Has the parts of a list read again whose lifetime is over, as a client would that asked their servers itself (S26 caching, "Freshness"). A
 * server that does not answer in time shows what is known of it.
 */
export async function freshened(
  frame: Frame,
  services: Services,
  list: ListSource,
  concerns: (server: string) => boolean = () => true,
): Promise<void> {
  const { listWaitMs } = services.settings;
  const over = serversOf(frame.endpoint, services.registry).filter((entry) => concerns(entry.name) && isOver(entry, frame, services, list));
  if (over.length === 0 || listWaitMs <= 0) return;
  await Promise.all(over.map(({ name }) => services.target(name)?.refresh?.(list.capability, frame.era, listWaitMs) ?? READY));
}
