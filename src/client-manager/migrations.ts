import { sql, type Kysely } from 'kysely';
import type { Migration } from '../storage/index.ts';

async function verdicts(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table client_manager_verdicts (
      server text primary key,
      address text not null,
      era text not null,
      at timestamptz not null
    )`.execute(db);
}

async function tasks(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table mcp_tasks (
      id text primary key,
      owner text not null,
      server text not null,
      principal text not null,
      tool text not null,
      status text not null,
      message text,
      created_at timestamptz not null,
      updated_at timestamptz not null,
      ttl_ms integer not null,
      expires_at timestamptz not null,
      result text,
      error text
    )`.execute(db);
  await sql`create index mcp_tasks_by_expiry on mcp_tasks (expires_at)`.execute(db);
}

async function pins(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table client_manager_pins (
      server text not null,
      scope text not null,
      name text not null,
      fingerprint text not null,
      definition text not null,
      accepted_at timestamptz not null,
      accepted_by text not null,
      primary key (server, scope, name)
    )`.execute(db);
}

/** The schema of this room: what was found out about servers, and the tasks that we minted. */
export const clientManagerMigrations: readonly Migration[] = [
  { name: 'client-manager-001-verdicts', up: verdicts },
  { name: 'client-manager-002-tasks', up: tasks },
  { name: 'client-manager-003-pins', up: pins },
];
