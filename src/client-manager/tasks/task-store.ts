import type { Kysely, Selectable } from 'kysely';
import type { ClientManagerTables, TaskTable } from '../tables.ts';
import { expiresAt, type StoredTask, type TaskState } from './stored-task.ts';

/** Where tasks outlive the calls that made them. Methods may reject. */
export interface TaskStore {
  insert(task: StoredTask): Promise<void>;
  /** Writes how a task ended. */
  finish(task: StoredTask): Promise<void>;
  /** Those of these ids that there are. */
  find(ids: readonly string[]): Promise<readonly StoredTask[]>;
  /** Forgets what is past its lifetime. `now` in milliseconds since the epoch. */
  expire(now: number): Promise<void>;
}

/** Tasks that end with the process. What may be in it at once is for its owner to bound. */
export class MemoryTasks implements TaskStore {
  readonly #tasks = new Map<string, StoredTask>();

  get size(): number {
    return this.#tasks.size;
  }

  insert(task: StoredTask): Promise<void> {
    this.#tasks.set(task.facts.id, task);
    return Promise.resolve();
  }

  finish(task: StoredTask): Promise<void> {
    return this.insert(task);
  }

  find(ids: readonly string[]): Promise<readonly StoredTask[]> {
    return Promise.resolve(ids.flatMap((id) => this.#tasks.get(id) ?? []));
  }

  expire(now: number): Promise<void> {
    for (const [id, { facts }] of this.#tasks) if (expiresAt(facts) <= now) this.#tasks.delete(id);
    return Promise.resolve();
  }
}

/** Tasks in the database: one row each, written when a task begins and when it ends. */
export class DatabaseTasks implements TaskStore {
  readonly #db: Kysely<ClientManagerTables>;

  constructor(db: Kysely<ClientManagerTables>) {
    this.#db = db;
  }

  async insert({ facts, owner, state }: StoredTask): Promise<void> {
    const { id, server, principal, tool, createdAt, ttlMs } = facts;
    const row = {
      id,
      owner,
      server,
      principal,
      tool,
      ttl_ms: ttlMs,
      created_at: new Date(createdAt),
      expires_at: new Date(expiresAt(facts)),
    };
    await this.#db
      .insertInto('mcp_tasks')
      .values({ ...row, ...columnsOf(state) })
      .execute();
  }

  async finish({ facts, state }: StoredTask): Promise<void> {
    await this.#db.updateTable('mcp_tasks').set(columnsOf(state)).where('id', '=', facts.id).execute();
  }

  async find(ids: readonly string[]): Promise<readonly StoredTask[]> {
    if (ids.length === 0) return [];
    const rows = await this.#db.selectFrom('mcp_tasks').selectAll().where('id', 'in', ids).execute();
    return rows.map(taskOf);
  }

  async expire(now: number): Promise<void> {
    await this.#db.deleteFrom('mcp_tasks').where('expires_at', '<=', new Date(now)).execute();
  }
}

function columnsOf({
  status,
  message,
  updatedAt,
  details,
}: TaskState): Pick<Selectable<TaskTable>, 'status' | 'message' | 'updated_at' | 'result' | 'error'> {
  const { result = null, error = null } = details;
  return { status, message: message ?? null, updated_at: new Date(updatedAt), result, error };
}

function taskOf(row: Selectable<TaskTable>): StoredTask {
  const { id, owner, server, principal, tool, created_at, ttl_ms, status, message, updated_at, result, error } = row;
  const details = { ...(result === null ? {} : { result }), ...(error === null ? {} : { error }) };
  return {
    facts: { id, server, principal, tool, createdAt: created_at.getTime(), ttlMs: ttl_ms },
    owner,
    state: { status: status as TaskState['status'], message: message ?? undefined, updatedAt: updated_at.getTime(), details },
  };
}
