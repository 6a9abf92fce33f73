/** Which room may import which, and which package belongs to which room. The lint config turns this table into errors. */

const base = ['shared'];
const observability = [...base, 'contract', 'protocol', 'storage', 'cluster'];
const security = [...observability, 'observability'];
const registry = [...security, 'security'];
const clientManager = [...registry, 'registry'];
const serverManager = ['shared', 'contract', 'protocol', 'cluster', 'observability', 'security', 'registry'];
const gateway = [...serverManager, 'client-manager', 'server-manager'];

/** Rooms of `src/`, each with the rooms it may import (always through their `index.ts`). */
export const rooms: Readonly<Record<string, readonly string[]>> = {
  shared: [],
  contract: base,
  protocol: base,
  config: base,
  storage: base,
  cluster: base,
  observability,
  security,
  registry,
  'client-manager': clientManager,
  'server-manager': serverManager,
  gateway,
  http: ['shared', 'contract', 'observability', 'security'],
  'admin-api': [...gateway, 'gateway'],
  cli: ['app.ts', 'contract', 'config'],
};

/** Packages that only some places may import; a place is a room or a folder. */
export const packageHomes: Readonly<Record<string, readonly string[]>> = {
  fastify: ['http', 'gateway', 'admin-api', 'security/routes'],
  '@fastify/*': ['http', 'gateway', 'admin-api', 'security/routes'],
  kysely: ['storage', 'observability', 'security', 'registry', 'client-manager'],
  pg: ['storage'],
  '@electric-sql/*': ['storage'],
  ioredis: ['cluster'],
};
