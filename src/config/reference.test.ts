import { expect, it } from 'vitest';
import { configReference } from './index.ts';

/** The public surface: a setting that appears, goes or changes its variable shows up here. */
const SETTINGS = [
  'server.host HOST',
  'server.port PORT',
  'server.publicUrl STOCKPULSE_PUBLIC_URL',
  'server.tls.cert TLS_CERT',
  'server.tls.key TLS_KEY',
  'server.trustedProxies STOCKPULSE_TRUSTED_PROXIES',
  'server.allowedHosts',
  'server.allowedOrigins',
  'dataDir STOCKPULSE_DATA_DIR',
  'database.url DATABASE_URL',
  'redis.url REDIS_URL',
  'limits.bodyBytes',
  'limits.resultBytes',
  'limits.sessions',
  'limits.sessionIdleMinutes',
  'limits.callSeconds',
  'limits.inFlight',
  'limits.requestsPerSecond',
  'log.level',
  'log.calls',
  'market.seed',
  'market.clock',
  'metrics.token',
  'security.allowedAddresses',
  'security.bootstrapApiKey STOCKPULSE_BOOTSTRAP_API_KEY',
  'security.masterKey STOCKPULSE_MASTER_KEY',
  'mcpServers.<name>.command',
  'mcpServers.<name>.args',
  'mcpServers.<name>.env',
  'mcpServers.<name>.cwd',
  'mcpServers.<name>.url',
  'mcpServers.<name>.openapi',
  'mcpServers.<name>.include',
  'mcpServers.<name>.exclude',
  'mcpServers.<name>.variables',
  'mcpServers.<name>.headers',
  'mcpServers.<name>.type',
  'mcpServers.<name>.disabled',
  'mcpServers.<name>.era',
  'mcpServers.<name>.scopes',
  'mcpServers.<name>.deadlineSeconds',
  'mcpServers.<name>.maxInFlight',
  'mcpServers.<name>.maxQueued',
  'mcpServers.<name>.pin',
  'mcpServers.<name>.retries',
  'mcpServers.<name>.maxLeases',
  'mcpServers.<name>.roots',
  'mcpServers.<name>.unlisted',
  'mcpServers.<name>.tools.<tool>.tasks',
  'mcpServers.<name>.tools.<tool>.requires',
  'mcpServers.<name>.tools.<tool>.rename',
  'mcpServers.<name>.tools.<tool>.description',
  'mcpServers.<name>.tools.<tool>.hidden',
  'mcpServers.<name>.tools.<tool>.sideEffect',
  'mcpServers.<name>.tools.<tool>.deadlineSeconds',
  'mcpServers.<name>.tools.<tool>.cacheSeconds',
  'mcpServers.<name>.tools.<tool>.cacheShared',
];

it('lists every setting once, with its variable and a meaning', () => {
  const rows = configReference()
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  const cells = rows.map((row) => row.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll('`', '')));
  expect(cells.map((row) => `${row[1]} ${row[4]}`.trim())).toEqual(SETTINGS);
  for (const row of cells) expect(row[5], row[1]).not.toBe('');
  expect(rows).toContain('| `server.port` | number | `8080` | `PORT` | port to listen on; 0 takes a free one |');
  expect(rows.find((row) => row.includes('log.level'))).toContain('trace \\| debug \\| info');
});
