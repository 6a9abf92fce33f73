export type { UpstreamEvent } from './events.ts';
export { DEFAULT_LIMITS, type Limits } from './limits.ts';
export { createClientManager } from './manager.ts';
export { upstreamConfigs } from './configured.ts';
export { clientManagerMigrations } from './migrations.ts';
export type {
  CheckReport,
  ClientManager,
  ClientManagerOptions,
  ClientManagerStats,
  HttpConfig,
  StdioConfig,
  ServerConfig,
  UpstreamConfig,
  UpstreamStats,
} from './types.ts';
export type { Difference } from './pins/fingerprint.ts';
