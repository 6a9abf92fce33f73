import { sql, type Kysely } from 'kysely';
import type { Migration } from '../storage/index.ts';

async function apiKeys(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table security_api_keys (
      id text primary key,
      lineage text not null,
      name text not null,
      scopes jsonb not null,
      secret_hash text not null,
      hint text not null,
      created_at timestamptz not null,
      created_by text not null,
      expires_at timestamptz,
      revoked_at timestamptz,
      last_used_at timestamptz,
      replaced_by text,
      constraint security_api_keys_secret unique (secret_hash)
    )`.execute(db);
  await sql`create index security_api_keys_created on security_api_keys (created_at desc)`.execute(db);
}

/** Append-only by the database itself: a program with our credentials cannot rewrite what was done either. */
async function audit(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table security_audit (
      id bigint generated always as identity primary key,
      at timestamptz not null,
      actor text not null,
      action text not null,
      subject text not null,
      detail jsonb not null
    )`.execute(db);
  await sql`
    create function security_audit_is_append_only() returns trigger language plpgsql as $$
    begin
      raise exception 'security_audit is append-only: % is refused', tg_op using errcode = 'insufficient_privilege';
    end $$`.execute(db);
  await sql`
    create trigger security_audit_append_only before update or delete or truncate on security_audit
    for each statement execute function security_audit_is_append_only()`.execute(db);
}

/** One row: which master key the database was first used with. */
async function masterKey(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table security_master_key (
      one boolean primary key,
      key_id text not null,
      since timestamptz not null,
      constraint security_master_key_one check (one)
    )`.execute(db);
}

async function vault(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table security_vault (
      id text primary key,
      owner text not null,
      issuer text not null,
      kind text not null,
      name text not null,
      key_id text not null,
      wrapped text not null,
      body text not null,
      version integer not null,
      created_at timestamptz not null,
      updated_at timestamptz not null
    )`.execute(db);
  await sql`create index security_vault_by_key on security_vault (key_id, id)`.execute(db);
}

/** The schema of this room: API keys, the audit trail of management verbs and the id of the master key. */
export const securityMigrations: readonly Migration[] = [
  { name: 'security-001-api-keys', up: apiKeys },
  { name: 'security-002-audit', up: audit },
  { name: 'security-003-master-key', up: masterKey },
  { name: 'security-004-vault', up: vault },
];
