export { createLocalServer, type LocalServerOptions } from './local-server.ts';
export type { RouteFact, ToolFacts } from './route-fact.ts';
