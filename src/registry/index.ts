export { catalogueTools, type CatalogueOptions, type CatalogueReading, type ToolTraits } from './catalogue-tool.ts';
export { Registry, type RegistryChange } from './registry.ts';
export { neverReached, type CatalogueTool, type Check, type ServerEntry, type ServerState, type SideEffect } from './server-entry.ts';
