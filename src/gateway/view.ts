import {
  isModernRevision,
  itemFor,
  objectSpan,
  spliceMembers,
  toolFor,
  type Edit,
  type Era,
  type LegacyRevision,
  type Revision,
} from '../protocol/index.ts';
import { catalogueOf, type CatalogueTool, type ListItem, type Registry, type ServerEntry } from '../registry/index.ts';
import { hasApp, withAppUri, withoutApp } from './apps.ts';
import { serversOf, type Endpoint } from './endpoints.ts';
import { exposedName } from './naming.ts';
import { wrapUri } from './uris.ts';

/** Something that an endpoint lists, in its words. */
export interface Exposed {
  /** Its name, URI or URI template on this endpoint. */
  readonly id: string;
  readonly server: string;
  /** Scopes of its own that a caller needs; undefined where those of its server hold. */
  readonly scopes: readonly string[] | undefined;
  /** As `CatalogueTool.needs`. */
  readonly needs: CatalogueTool['needs'];
  /** The text for a client of the modern era. */
  readonly modern: string;
  /** The text for a client of that revision. */
  textFor(revision: Revision): string;
}

/** A tool as an endpoint shows it. */
export interface ExposedTool extends Exposed {
  /** The same as its id. */
  readonly name: string;
  readonly tool: CatalogueTool;
}

/** A prompt, a resource or a resource template as an endpoint shows it. */
export interface ExposedItem extends Exposed {
  readonly item: ListItem;
}

/** Everything that an endpoint shows to clients of an era, derived from one version of the catalogue. */
export interface View {
  readonly endpoint: Endpoint;
  /** The servers behind the endpoint with their states of now, which change without a new version. */
  readonly servers: readonly ServerEntry[];
  readonly tools: readonly ExposedTool[];
  readonly byName: ReadonlyMap<string, ExposedTool>;
  readonly prompts: readonly ExposedItem[];
  readonly promptByName: ReadonlyMap<string, ExposedItem>;
  readonly resources: readonly ExposedItem[];
  readonly templates: readonly ExposedItem[];
  /** Whether a tool keeps its MCP App here. */
  readonly apps: boolean;
}

const spliced = (text: string, edits: readonly Edit[]): string =>
  edits.length === 0 ? text : spliceMembers(text, objectSpan(text), edits);

/** Texts are made when they are first asked for: catalogues change more often than all of their thousands are listed. */
abstract class Shown implements Exposed {
  readonly id: string;
  readonly server: string;
  abstract readonly scopes: readonly string[] | undefined;
  abstract readonly needs: CatalogueTool['needs'];
  protected readonly wrap: (uri: string) => string;
  #modern: string | undefined;

  constructor(id: string, server: string, wrap: (uri: string) => string) {
    this.id = id;
    this.server = server;
    this.wrap = wrap;
  }

  protected abstract make(): string;
  protected abstract legacy(modern: string, revision: LegacyRevision): string;

  get modern(): string {
    this.#modern ??= this.make();
    return this.#modern;
  }

  textFor(revision: Revision): string {
    return isModernRevision(revision) ? this.modern : this.legacy(this.modern, revision);
  }
}

class ShownTool extends Shown implements ExposedTool {
  readonly tool: CatalogueTool;

  constructor(name: string, server: string, tool: CatalogueTool, wrap: (uri: string) => string) {
    super(name, server, wrap);
    this.tool = tool;
  }

  get name(): string {
    return this.id;
  }

  override get scopes(): readonly string[] {
    return this.tool.scopes;
  }

  override get needs(): CatalogueTool['needs'] {
    return this.tool.needs;
  }

  protected override make(): string {
    const { definition } = this.tool;
    const edits: Edit[] = [];
    const renamed = this.id !== definition.name;
    if (renamed) edits.push(['name', JSON.stringify(this.id)]);
    const app = renamed ? withoutApp(definition) : withAppUri(definition, this.wrap);
    if (app !== undefined) edits.push(app);
    // It speaks of 2025-11-25's own tasks, which are not offered (PROTOCOL C6).
    if (definition.value.execution !== undefined) edits.push(['execution', null]);
    return spliced(definition.text, edits);
  }

  protected override legacy(modern: string, revision: LegacyRevision): string {
    return toolFor(this.tool.definition, modern, revision);
  }
}

/** The member of an item that is its id. */
type IdMember = 'name' | 'uri' | 'uriTemplate';

interface ItemSource {
  readonly item: ListItem;
  readonly member: IdMember;
}

class ShownItem extends Shown implements ExposedItem {
  readonly item: ListItem;
  override readonly scopes = undefined;
  override readonly needs = undefined;
  readonly #member: IdMember;

  constructor(id: string, server: string, { item, member }: ItemSource, wrap: (uri: string) => string) {
    super(id, server, wrap);
    this.item = item;
    this.#member = member;
  }

  protected override make(): string {
    const { item, id } = this;
    const edits: Edit[] = [];
    if (id !== item.id) edits.push([this.#member, JSON.stringify(id)]);
    const app = withAppUri(item, this.wrap);
    if (app !== undefined) edits.push(app);
    return spliced(item.text, edits);
  }

  protected override legacy(modern: string, revision: LegacyRevision): string {
    return itemFor({ text: modern, value: this.item.value }, revision);
  }
}

/** Collects what the servers of one endpoint show in one era. */
class ViewBuilder {
  readonly #endpoint: Endpoint;
  readonly #registry: Registry;
  readonly #era: Era;
  readonly tools = new Map<string, ExposedTool>();
  readonly prompts = new Map<string, ExposedItem>();
  readonly resources: ExposedItem[] = [];
  readonly templates: ExposedItem[] = [];
  apps = false;

  constructor(endpoint: Endpoint, registry: Registry, era: Era) {
    this.#endpoint = endpoint;
    this.#registry = registry;
    this.#era = era;
  }

  /** Names are distinct by construction; a server that lists one twice shows the first. */
  add(entry: ServerEntry): void {
    const { tools, prompts, resources, templates } = catalogueOf(entry, this.#era);
    const wrap = (uri: string): string => wrapUri(this.#endpoint, entry.name, uri, this.#registry);
    const nameOf = (own: string): string => (this.#endpoint.kind === 'joined' ? exposedName(entry, own) : own);
    for (const tool of tools) {
      const { definition } = tool;
      const name = nameOf(definition.name);
      if (this.tools.has(name)) continue;
      this.tools.set(name, new ShownTool(name, entry.name, tool, wrap));
      this.apps ||= name === definition.name && hasApp(definition.value);
    }
    for (const item of prompts.items) {
      const name = nameOf(item.id);
      if (!this.prompts.has(name)) this.prompts.set(name, new ShownItem(name, entry.name, { item, member: 'name' }, wrap));
    }
    for (const item of resources.items) this.resources.push(new ShownItem(wrap(item.id), entry.name, { item, member: 'uri' }, wrap));
    for (const item of templates.items)
      this.templates.push(new ShownItem(wrap(item.id), entry.name, { item, member: 'uriTemplate' }, wrap));
  }
}

function buildView(endpoint: Endpoint, registry: Registry, era: Era): View {
  const builder = new ViewBuilder(endpoint, registry, era);
  for (const entry of serversOf(endpoint, registry)) builder.add(entry);
  const { tools, prompts, resources, templates, apps } = builder;
  return {
    endpoint,
    get servers() {
      return serversOf(endpoint, registry);
    },
    tools: [...tools.values()],
    byName: tools,
    prompts: [...prompts.values()],
    promptByName: prompts,
    resources,
    templates,
    apps,
  };
}

/** Views by endpoint and era, rebuilt only when the catalogue changed. Bounded by the number of servers. */
export class Views {
  readonly #registry: Registry;
  readonly #modern = new Map<string, View>();
  readonly #legacy = new Map<string, View>();
  #version = -1;

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  of(endpoint: Endpoint, era: Era): View {
    if (this.#version !== this.#registry.version) this.#clear();
    const views = era === 'modern' ? this.#modern : this.#legacy;
    return views.get(endpoint.path) ?? this.#build(endpoint, era, views);
  }

  #clear(): void {
    this.#modern.clear();
    this.#legacy.clear();
    this.#version = this.#registry.version;
  }

  #build(endpoint: Endpoint, era: Era, views: Map<string, View>): View {
    // Both eras share a view where no server shows another catalogue in the legacy one.
    const same = era === 'legacy' && serversOf(endpoint, this.#registry).every(({ legacy }) => legacy === undefined);
    const view = same ? this.of(endpoint, 'modern') : buildView(endpoint, this.#registry, era);
    views.set(endpoint.path, view);
    return view;
  }
}
