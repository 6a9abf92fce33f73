import { changeOf, type ConfigOrigin } from './origin.ts';
import type { Config } from './schema.ts';

/** Values of the configuration that must never be logged. */
export function secretsOf(config: Config): string[] {
  const perServer = Object.values(config.mcpServers).flatMap((server) =>
    Object.values(server.transport === 'stdio' ? server.env : server.headers),
  );
  const { bootstrapApiKey, masterKey } = config.security;
  const own = [bootstrapApiKey, masterKey, config.metrics.token, config.database.url, config.redis.url];
  return [...perServer, ...own.filter((value) => value !== undefined)];
}

/** A finding about the configuration that no other check sees. */
export interface ConfigNote {
  readonly name: string;
  readonly status: 'ok' | 'warning';
  readonly message: string;
  readonly advice?: string;
}

function originNotes(origin: ConfigOrigin | undefined): ConfigNote[] {
  const change = origin && changeOf(origin);
  if (change === undefined) return [];
  return [
    { name: 'config', status: 'warning', message: change, advice: 'Restart to apply it; "stockpulse config check" reads it before.' },
  ];
}

/** What doctor says about settings that have no effect: not used, or in a file that changed since the start. */
export function configNotes(config: Config, origin?: ConfigOrigin): ConfigNote[] {
  return [...originNotes(origin), ...unusedNotes(config)];
}

function unusedNotes(config: Config): ConfigNote[] {
  const notes: ConfigNote[] = config.disabledServers.map((name) => ({
    name: `server ${name}`,
    status: 'ok',
    message: 'disabled in the configuration',
  }));
  if (config.redis.url === undefined) return notes;
  const advice = 'Run one replica; remove the setting to silence this.';
  return [{ name: 'redis', status: 'warning', message: 'REDIS_URL is set, and not used yet.', advice }, ...notes];
}
