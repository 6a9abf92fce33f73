import type { CallToolAnswer, DoctorReply, ServerDetail, ServerTest, StatusReply, ToolList } from '../contract/index.ts';
import type { Registry } from '../registry/index.ts';
import type { ApiKeys, AuditTrail, Principal } from '../security/index.ts';

/** What the management API is made of; app.ts hands it in. Failures are AppErrors, whose codes become HTTP statuses. */
export interface AdminApiOptions {
  readonly version: string;
  readonly apiKeys: ApiKeys;
  readonly audit: AuditTrail;
  readonly registry: Pick<Registry, 'get' | 'list'>;
  /** Ends an upstream's connection and connects again; resolves when that has begun or is done. */
  restartServer(name: string): Promise<void>;
  /** Tools of a server whose definitions are not the ones that were accepted. */
  waitingTools(name: string): ServerDetail['waiting'];
  /** Accepts them as they are now, these or all; resolves with their names. */
  acceptTools(name: string, tools: readonly string[] | 'all', by: string): Promise<readonly string[]>;
  /** Connects to an upstream once, apart from the running connection. */
  testServer(name: string, signal: AbortSignal): Promise<ServerTest>;
  /** The tools of an endpoint as its clients see them, or undefined if there is no such endpoint. */
  listTools(endpoint: string): Promise<ToolList | undefined>;
  /** Through the same pipeline as any client's call. Throws `endpoint_not_found`. */
  callTool(
    principal: Principal,
    endpoint: string,
    name: string,
    args: Readonly<Record<string, unknown>>,
    signal: AbortSignal,
  ): Promise<CallToolAnswer>;
  status(): Promise<StatusReply>;
  doctor(signal: AbortSignal): Promise<DoctorReply>;
}
