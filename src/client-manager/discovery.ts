import { readTools, type CacheHint, type Implementation, type ToolDefinition, type ToolReading } from '../protocol/index.ts';
import { catalogueTools, NO_LISTS, type CatalogueTool, type ItemList, type ListName, type ToolTraits } from '../registry/index.ts';
import { ConnectError, type Connection } from './connection.ts';
import { distinct, itemsOf, type ItemKind } from './items.ts';
import type { Limits } from './limits.ts';
import { readPages } from './pages.ts';
import type { Judged, ToolJudge } from './pins/tool-judge.ts';
import type { ToolPolicy } from './types.ts';

export interface ToolList {
  readonly tools: readonly CatalogueTool[];
  readonly toolsCache: CacheHint;
  /** What was left out, each with the reason. */
  readonly warnings: readonly string[];
}

export interface PromptList {
  readonly prompts: ItemList;
  readonly warnings: readonly string[];
}

export interface ResourceList {
  readonly resources: ItemList;
  readonly templates: ItemList;
  readonly warnings: readonly string[];
}

/** A server's lists. Those of resources and of templates are read, and announced, together. */
export interface Lists {
  readonly tools: ToolList;
  readonly prompts: PromptList;
  readonly resources: ResourceList;
}

export interface Discovered extends Lists {
  /** Lists that could not be read. */
  readonly failed: ReadonlySet<ListName>;
}

export interface DiscoveryOptions {
  readonly gateway: Implementation;
  readonly limits: Limits;
  readonly scopes: readonly string[];
  /** What the operator says of tools, by their names. */
  readonly policies: Readonly<Record<string, ToolPolicy>>;
  /** Decides what is shown of the tools; everything is unless it is given. */
  readonly judge?: ToolJudge | undefined;
  /** Who is shown them; the connection's era unless it is given. */
  readonly scope?: string | undefined;
  readonly signal: AbortSignal;
}

const NO_PROMPTS: PromptList = { prompts: NO_LISTS.prompts, warnings: [] };
const NO_RESOURCES: ResourceList = { resources: NO_LISTS.resources, templates: NO_LISTS.templates, warnings: [] };
const PROMPTS: ItemKind = { member: 'prompts', key: 'name', what: 'prompts' };
const RESOURCES: ItemKind = { member: 'resources', key: 'uri', what: 'resources' };
const TEMPLATES: ItemKind = { member: 'resourceTemplates', key: 'uriTemplate', what: 'resource templates' };

/** All lists, side by side. Throws a ConnectError if the tools cannot be read; a failure of the other lists is a warning. */
export async function discoverAll(connection: Connection, options: DiscoveryOptions): Promise<Discovered> {
  const failed = new Set<ListName>();
  const why = (list: ListName, error: unknown): string[] => {
    failed.add(list);
    return [`its ${list} are not shown: ${error instanceof ConnectError ? error.reason : 'they could not be read'}`];
  };
  const [tools, prompts, resources] = await Promise.all([
    LIST_READERS.tools(connection, options),
    LIST_READERS.prompts(connection, options).catch((error: unknown) => ({ ...NO_PROMPTS, warnings: why('prompts', error) })),
    LIST_READERS.resources(connection, options).catch((error: unknown) => ({ ...NO_RESOURCES, warnings: why('resources', error) })),
  ]);
  return { tools, prompts, resources, failed };
}

/** Reads one list through all its pages. Throws a ConnectError. */
export const LIST_READERS: {
  readonly [L in ListName]: (connection: Connection, options: DiscoveryOptions) => Promise<Lists[L]>;
} = {
  async tools(connection, options) {
    const { limits, scopes, policies, judge, scope = connection.era } = options;
    // A server without tools need not know the method; one that forgot to declare them is asked all the same (PROTOCOL A14).
    const optional = connection.facts.capabilities.tools === undefined;
    const request = { method: 'tools/list', what: 'tools', maxItems: limits.maxTools, optional, read: readTools };
    const { items, cache, warnings: cut } = await readPages(connection, request, options);
    const judged = judge?.(
      scope,
      items.flatMap((item) => (item.ok ? [item.tool] : [])),
    );
    const traits = ({ name }: ToolDefinition): ToolTraits => {
      const policy = Object.hasOwn(policies, name) ? policies[name] : undefined;
      return { sideEffect: policy?.sideEffect ?? judged?.get(name)?.sideEffect ?? 'write', scopes };
    };
    const shown = judged === undefined ? items : items.map((item) => asJudged(item, judged));
    const strictHeaders = connection.via === 'http-modern';
    const { tools, warnings } = catalogueTools(shown, { traits, strictHeaders, maxTools: limits.maxTools });
    return { tools, toolsCache: cache, warnings: [...warnings, ...cut] };
  },
  async prompts(connection, options) {
    if (connection.facts.capabilities.prompts === undefined) return NO_PROMPTS;
    const { list, warnings } = await readItems('prompts/list', PROMPTS, false, connection, options);
    return { prompts: list, warnings };
  },
  async resources(connection, options) {
    if (connection.facts.capabilities.resources === undefined) return NO_RESOURCES;
    const [resources, templates] = await Promise.all([
      readItems('resources/list', RESOURCES, false, connection, options),
      readItems('resources/templates/list', TEMPLATES, true, connection, options),
    ]);
    return { resources: resources.list, templates: templates.list, warnings: [...resources.warnings, ...templates.warnings] };
  },
};

/** A tool that is withheld is left out, with the reason. */
function asJudged(reading: ToolReading, judged: ReadonlyMap<string, Judged>): ToolReading {
  const reason = reading.ok ? judged.get(reading.tool.name)?.withheld : undefined;
  return !reading.ok || reason === undefined ? reading : { ok: false, name: reading.tool.name, reason };
}

async function readItems(
  method: string,
  kind: ItemKind,
  optional: boolean,
  connection: Connection,
  options: DiscoveryOptions,
): Promise<ReturnType<typeof distinct>> {
  const { what } = kind;
  const { maxItems } = options.limits;
  const read = (result: Parameters<typeof itemsOf>[0]): ReturnType<typeof itemsOf> => itemsOf(result, kind);
  return distinct(await readPages(connection, { method, what, maxItems, optional, read }, options), what, maxItems);
}
