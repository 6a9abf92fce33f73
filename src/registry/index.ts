export { catalogueTools, type CatalogueOptions, type CatalogueReading, type ToolTraits } from './catalogue-tool.ts';
export { Registry, type RegistryChange } from './registry.ts';
export type { CatalogueTool, Check, ServerEntry, ServerState, SideEffect } from './server-entry.ts';
