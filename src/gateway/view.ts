import { legacyTool, renamedTool } from '../protocol/index.ts';
import type { CatalogueTool, Registry, ServerEntry } from '../registry/index.ts';
import { serversOf, type Endpoint } from './endpoints.ts';
import { joinedName } from './naming.ts';

/** A tool as an endpoint shows it. */
export interface ExposedTool {
  /** The name on this endpoint. */
  readonly name: string;
  readonly server: string;
  readonly tool: CatalogueTool;
  /** The definition's JSON text for each era. */
  readonly modern: string;
  readonly legacy: string;
}

/** Everything an endpoint shows, derived from one version of the catalogue. */
export interface View {
  readonly endpoint: Endpoint;
  readonly servers: readonly ServerEntry[];
  readonly tools: readonly ExposedTool[];
  readonly byName: ReadonlyMap<string, ExposedTool>;
}

function expose(entry: ServerEntry, tool: CatalogueTool, joined: boolean): ExposedTool {
  const { definition } = tool;
  const name = joined && entry.kind === 'upstream' ? joinedName(entry.name, definition.name) : definition.name;
  const modern = renamedTool(definition, name);
  return { name, server: entry.name, tool, modern, legacy: legacyTool(definition, modern) };
}

function buildView(endpoint: Endpoint, registry: Registry): View {
  const servers = serversOf(endpoint, registry);
  const byName = new Map<string, ExposedTool>();
  for (const entry of servers) {
    for (const tool of entry.tools) {
      const exposed = expose(entry, tool, endpoint.kind === 'joined');
      if (!byName.has(exposed.name)) byName.set(exposed.name, exposed);
    }
  }
  return { endpoint, servers, tools: [...byName.values()], byName };
}

/** Views by endpoint, rebuilt only when the catalogue changed. Bounded by the number of servers. */
export class Views {
  readonly #registry: Registry;
  readonly #views = new Map<string, View>();
  #version = -1;

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  of(endpoint: Endpoint): View {
    if (this.#version !== this.#registry.version) {
      this.#views.clear();
      this.#version = this.#registry.version;
    }
    let view = this.#views.get(endpoint.path);
    if (view === undefined) {
      view = buildView(endpoint, this.#registry);
      this.#views.set(endpoint.path, view);
    }
    return view;
  }
}
