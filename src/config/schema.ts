import { z } from 'zod';
import { ServerEntry, ServerName, type McpServer } from './mcp-server.ts';
import { addressBlock, filled, hostName, moment, origin, secret, serviceUrl, whole } from './values.ts';

const MiB = 1024 * 1024;

const server = z
  .strictObject({
    host: filled().default('127.0.0.1').describe('address to listen on; `0.0.0.0` or `::` for all'),
    port: whole(0, 65_535).default(8080).describe('port to listen on; 0 takes a free one'),
    publicUrl: origin('https://gateway.example.com').optional().describe('what clients call this gateway, behind a proxy or a name'),
    tls: z
      .strictObject({
        cert: filled().optional().describe('certificate chain, a PEM file'),
        key: filled().optional().describe('its private key, a PEM file'),
      })
      .prefault({}),
    trustedProxies: z.array(addressBlock()).default([]).describe('proxies whose `X-Forwarded-For` is believed'),
    allowedHosts: z.array(hostName()).default([]).describe('further names in `Host` that are answered'),
    allowedOrigins: z.array(origin('https://app.example.com')).default([]).describe('web origins that may call from a browser'),
  })
  .prefault({});

const limits = z
  .strictObject({
    bodyBytes: whole(1024, 64 * MiB)
      .default(4 * MiB)
      .describe('largest request body'),
    resultBytes: whole(1024, 256 * MiB)
      .default(16 * MiB)
      .describe('largest message taken from an upstream'),
    sessions: whole(1, 1_000_000).default(10_000).describe('client sessions at once'),
    sessionIdleMinutes: whole(1, 10_080).default(30).describe('a session unused for this long ends'),
    callSeconds: whole(1, 3600).default(60).describe('longest wait for one call'),
    inFlight: whole(1, 100_000).default(1000).describe('calls at once'),
    requestsPerSecond: whole(1, 1_000_000).default(2000).describe('requests of one key per second'),
  })
  .prefault({});

const CLOCK = 'must be wall, { frozen: <moment> } or { start: <moment>, speed: <factor> }';
const clock = z
  .union(
    [
      z.literal('wall'),
      z.strictObject({ frozen: moment() }),
      z.strictObject({ start: moment(), speed: z.number().positive().max(100_000).default(1) }),
    ],
    { error: CLOCK },
  )
  .default('wall')
  .describe('time of the simulated market: `wall`, `{ frozen: <moment> }` or `{ start: <moment>, speed: <factor> }`');

/** Every setting there is. The types, the messages, the environment's table and the reference come from here. */
export const Settings = z.strictObject({
  server,
  dataDir: filled().default('.stockpulse').describe('folder for the database, keys and sockets'),
  database: z
    .strictObject({
      url: serviceUrl(['postgresql', 'postgres']).optional().describe('PostgreSQL; without it an embedded database in `dataDir`'),
    })
    .prefault({}),
  redis: z.strictObject({ url: serviceUrl(['redis', 'rediss']).optional().describe('Redis; accepted, not used yet') }).prefault({}),
  limits,
  log: z
    .strictObject({
      level: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info').describe('least level that is written'),
      calls: z.boolean().default(true).describe('one line per call'),
    })
    .prefault({}),
  market: z.strictObject({ seed: whole(0, 4_294_967_295).default(1).describe('seed of the simulated market'), clock }).prefault({}),
  metrics: z
    .strictObject({ token: secret(16, 256).optional().describe('bearer token that opens `/metrics` to others than this machine') })
    .prefault({}),
  security: z
    .strictObject({
      allowedAddresses: z
        .array(filled())
        .default([])
        .describe(
          'host names, `*.suffix`, addresses and networks that may be connected to though they are special, such as a metadata service',
        ),
      bootstrapApiKey: secret(24, 256).optional().describe('agent key of the first start, instead of a random one'),
      masterKey: secret(32, 512)
        .optional()
        .describe(
          'master key: seals request states, task ids and cursors; several processes on one database need the same one. By default a key file in the data folder',
        ),
    })
    .prefault({}),
  mcpServers: z.record(ServerName, ServerEntry).default({}).describe('external MCP servers, by name'),
});

type DeepReadonly<T> = T extends readonly (infer E)[]
  ? readonly DeepReadonly<E>[]
  : T extends object
    ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
    : T;

type Checked = z.infer<typeof Settings>;

/** The configuration in use: checked, complete and frozen. Paths are absolute. */
export type Config = DeepReadonly<Omit<Checked, 'mcpServers'>> & {
  readonly mcpServers: Readonly<Record<string, McpServer>>;
  /** Entries of `mcpServers` with `disabled: true`. */
  readonly disabledServers: readonly string[];
};

/** Settings whose values are file names, relative to where they were written. */
export const PATH_SETTINGS: readonly (readonly string[])[] = [['dataDir'], ['server', 'tls', 'cert'], ['server', 'tls', 'key']];

/** Settings whose values are never printed. Entries of `mcpServers` have rules of their own in mask.ts. */
export const SECRET_SETTINGS: readonly string[] = [
  'metrics.token',
  'security.bootstrapApiKey',
  'security.masterKey',
  'database.url',
  'redis.url',
];
