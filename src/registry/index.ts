export { catalogueTools, type CatalogueOptions, type CatalogueReading, type ToolTraits } from './catalogue-tool.ts';
export { Registry, type ListName, type RegistryChange } from './registry.ts';
export {
  catalogueOf,
  neverReached,
  NO_LISTS,
  type Catalogue,
  type CatalogueTool,
  type Check,
  type ItemList,
  type ListItem,
  type ServerEntry,
  type ServerState,
  type SideEffect,
} from './server-entry.ts';
