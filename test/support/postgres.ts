import { randomBytes } from 'node:crypto';
import pg from 'pg';

const SERVER = 'postgres://postgres@127.0.0.1:5432';
const databases = new Set<string>();

async function onServer(text: string): Promise<void> {
  const client = new pg.Client({ connectionString: `${SERVER}/test`, connectionTimeoutMillis: 2000 });
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}

/** Why tests on PostgreSQL cannot run here; undefined if they can. `STOCKPULSE_TEST_EMBEDDED=1` keeps it out of those that take either. */
export async function postgresMissing(): Promise<string | undefined> {
  if (process.env.STOCKPULSE_TEST_EMBEDDED === '1') return 'STOCKPULSE_TEST_EMBEDDED=1';
  return onServer('select 1').then(
    () => undefined,
    () => 'no PostgreSQL at 127.0.0.1:5432',
  );
}

/** The URL of a new, empty database. */
export async function newDatabase(): Promise<string> {
  const name = `e2e_${randomBytes(6).toString('hex')}`;
  await onServer(`create database ${name}`);
  databases.add(name);
  return `${SERVER}/${name}`;
}

/** Drops every database of this file's tests: for `afterAll`. */
export async function dropDatabases(): Promise<void> {
  for (const name of databases) await onServer(`drop database if exists ${name} with (force)`);
  databases.clear();
}
