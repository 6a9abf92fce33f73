import pg from 'pg';
import type { PostgresPool, PostgresPoolClient } from 'kysely';
import { withDeadline } from '../shared/index.ts';
import type { Backend } from './backend.ts';
import { closedError, storageError } from './errors.ts';
import type { StorageLimits } from './limits.ts';
import { valueTypes } from './values.ts';

/** `server_version_num` of the oldest release whose SQL the migrations may use. */
const oldestServer = 150_000;

export interface PostgresOptions {
  readonly databaseUrl: string;
  readonly limits: StorageLimits;
  readonly signal?: AbortSignal | undefined;
  readonly onFault: (error: Error) => void;
  readonly maxConnections?: number;
}

/** Connects, or rejects `storage_unavailable` or `storage_version`; no message ever holds the password. */
export async function openPostgres(options: PostgresOptions): Promise<Backend> {
  const { limits, onFault, signal } = options;
  const place = describePlace(options.databaseUrl);
  const pool = new pg.Pool(poolConfig(options));
  // Without listeners a lost connection would end the process: the client's own fires also while it is lent out.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', onFault));
  const busy = new Set<pg.PoolClient>();
  pool.on('acquire', (client) => busy.add(client));
  pool.on('release', (_error, client) => busy.delete(client));
  try {
    signal?.throwIfAborted();
    await checkServer(pool, place);
  } catch (error) {
    await pool.end();
    throw error;
  }
  return { kind: 'postgres', pool: guarded(pool, place, limits.maxWaiting), close: (ms) => endPool(pool, busy, ms) };
}

function poolConfig(options: PostgresOptions): pg.PoolConfig {
  const { databaseUrl, limits, maxConnections = 10 } = options;
  const given = new URL(databaseUrl).searchParams.get('options');
  const settings = ['-c timezone=UTC', '-c datestyle=ISO', ...(given ? [given] : [])].join(' ');
  const url = new URL(databaseUrl);
  url.searchParams.delete('options');
  return {
    connectionString: url.href,
    options: settings,
    application_name: 'stockpulse-mcp',
    max: maxConnections,
    connectionTimeoutMillis: limits.waitMs,
    idleTimeoutMillis: 30_000,
    statement_timeout: limits.statementMs,
    idle_in_transaction_session_timeout: limits.idleInTransactionMs,
    // The server's own timeout answers first; this one is for a server that is gone without a word.
    query_timeout: limits.statementMs + 5000,
    keepAlive: true,
    types: valueTypes,
  };
}

/** Host, port and database of a URL, without user and password. */
function describePlace(databaseUrl: string): string {
  const url = URL.canParse(databaseUrl) ? new URL(databaseUrl) : undefined;
  if (!url || !['postgres:', 'postgresql:'].includes(url.protocol)) {
    throw storageError(
      'storage_unavailable',
      'DATABASE_URL is not a PostgreSQL URL. It has the form postgres://user:password@host:5432/database.',
    );
  }
  return `${url.hostname || 'localhost'}:${url.port || '5432'}${url.pathname}`;
}

async function checkServer(pool: pg.Pool, place: string): Promise<void> {
  let version: number;
  try {
    const { rows } = await pool.query<{ version: string }>(`select current_setting('server_version_num') as version`);
    version = Number(rows[0]?.version);
  } catch (error) {
    throw unavailable(place, error);
  }
  if (version >= oldestServer) return;
  throw storageError(
    'storage_version',
    `PostgreSQL at ${place} is version ${Math.floor(version / 10_000)}; version 15 or newer is needed.`,
  );
}

function unavailable(place: string, error: unknown): Error {
  return storageError(
    'storage_unavailable',
    `PostgreSQL at ${place} cannot be used: ${reason(error)}. Check DATABASE_URL and that the server is up.`,
    {
      detail: { reason: reason(error) },
    },
  );
}

/** What the driver said in one line. An AggregateError (one refusal per address) has no message of its own. */
function reason(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reason(error.errors[0]);
  if (!(error instanceof Error)) return 'unknown error';
  const code = 'code' in error && typeof error.code === 'string' ? ` (${error.code})` : '';
  return `${error.message}${code}`;
}

function guarded(pool: pg.Pool, place: string, maxWaiting: number): PostgresPool {
  return {
    options: pool.options,
    connect: async () => {
      if (pool.ending) throw closedError();
      if (pool.waitingCount >= maxWaiting) throw busyError(pool);
      try {
        return (await pool.connect()) as unknown as PostgresPoolClient;
      } catch (error) {
        const full = pool.idleCount === 0 && pool.totalCount >= (pool.options.max ?? 0);
        throw full ? busyError(pool) : unavailable(place, error);
      }
    },
    end: () => Promise.resolve(),
  };
}

function busyError(pool: pg.Pool): Error {
  const message = `All ${pool.totalCount} database connections are taken and ${pool.waitingCount} callers wait. Try again in a moment.`;
  return storageError('storage_busy', message);
}

async function endPool(pool: pg.Pool, busy: ReadonlySet<pg.PoolClient>, ms: number): Promise<void> {
  const ended = pool.end();
  await withDeadline(ended, ms, 'Closing the database').catch(() => {
    // Ending a client in mid-query drops its socket, so that its caller fails instead of holding up the shutdown.
    for (const client of busy) void (client as unknown as pg.Client).end().catch(() => undefined);
  });
}
