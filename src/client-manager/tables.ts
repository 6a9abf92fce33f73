import type { ColumnType } from 'kysely';

type Time = ColumnType<Date, Date, Date>;

/** The era in which a server was last reached. */
export interface VerdictTable {
  server: string;
  /** Transport and address: a verdict about another one does not count. */
  address: string;
  era: string;
  at: Time;
}

/** A task that we minted for a call (tasks extension). Texts of result and error are JSON, byte-exact. */
export interface TaskTable {
  id: string;
  /** The process that runs it. */
  owner: string;
  server: string;
  principal: string;
  tool: string;
  status: string;
  message: string | null;
  created_at: Time;
  updated_at: Time;
  ttl_ms: number;
  expires_at: Time;
  result: string | null;
  error: string | null;
}

/** A tool's definition as it was accepted; `definition` is JSON text. */
export interface PinTable {
  server: string;
  /** The server's era, and who is shown it. */
  scope: string;
  name: string;
  fingerprint: string;
  definition: string;
  accepted_at: Time;
  /** `first_use`, or the principal who accepted it. */
  accepted_by: string;
}

/** The tables that this room owns. */
export interface ClientManagerTables {
  mcp_tasks: TaskTable;
  client_manager_pins: PinTable;
  client_manager_verdicts: VerdictTable;
}
