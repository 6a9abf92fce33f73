import type { Era, Implementation, JsonObject, SideEffect, Target } from '../protocol/index.ts';
import type { Registry } from '../registry/index.ts';
import type { EgressGuard } from '../security/index.ts';
import type { Caps, Clock } from '../shared/index.ts';
import type { Storage } from '../storage/index.ts';
import type { UpstreamEvent } from './events.ts';
import type { Limits } from './limits.ts';
import type { ApiConfig, ApiToolPolicy } from './openapi/index.ts';
import type { PinPolicy } from './pins/judge.ts';
import type { Waiting } from './pins/pin-board.ts';

interface CommonConfig {
  /** `[a-z0-9-]`; unique. */
  readonly name: string;
  /** `auto` asks the server; the others skip the probe. */
  readonly era: 'auto' | Era;
  /** Scopes that a caller of its tools needs. */
  readonly scopes: readonly string[];
  /** Milliseconds that one call may take, at most. */
  readonly deadlineMs: number;
  /** Calls that may be under way at once; more wait. */
  readonly maxInFlight: number;
  /** Calls that wait, at most; more are refused as `busy`. None unless it is given. */
  readonly maxQueued?: number | undefined;
  /** What becomes of tools whose definition changed since it was accepted; `off` unless it is given. */
  readonly pin?: PinPolicy | undefined;
  /** How often a read is tried again after a failure; never unless it is given. */
  readonly retries?: number | undefined;
  /** Legacy connections that carry one call at a time for clients that can be asked (PROTOCOL A2), at most; more calls are refused as `busy`. */
  readonly maxLeases: number;
  /** What `roots/list` is answered where no client can be asked; if there are any they are offered to a legacy server. */
  readonly roots: readonly Root[];
  /** `forward` sends calls of tools that the server does not list; `refuse` answers -32602 (PROTOCOL B). */
  readonly unlisted: 'refuse' | 'forward';
  /** By the server's own tool name. */
  readonly tools: Readonly<Record<string, ToolPolicy>>;
}

export interface Root {
  readonly uri: string;
  readonly name?: string | undefined;
}

/** What an operator says of one tool. */
export interface ToolPolicy {
  /** When a task is minted for a call of a client that speaks the tasks extension (PROTOCOL A3). */
  readonly tasks: 'never' | 'always' | 'after_input' | 'required';
  /** Client capabilities without which the call is refused (-32021) before the server sees it (PROTOCOL D). */
  readonly requires: JsonObject;
  /** Stands above what the server says; a write unless it is given. */
  readonly sideEffect?: SideEffect | undefined;
  /** Longest time of a call; the server's unless it is given. */
  readonly deadlineSeconds?: number | undefined;
  /** How long results of a read are kept; not at all unless it is given. */
  readonly cacheSeconds?: number | undefined;
  /** Every caller may get the same kept result. */
  readonly cacheShared?: boolean | undefined;
}

export type StdioConfig = CommonConfig & {
  readonly transport: 'stdio';
  readonly command: string;
  readonly args: readonly string[];
  /** All that the child gets besides PATH, HOME, LANG and TMPDIR. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
};

export type HttpConfig = CommonConfig & {
  /** `http` is Streamable HTTP, `sse` is HTTP+SSE of 2024-11-05, `ws` is a WebSocket with the subprotocol `mcp`. */
  readonly transport: 'http' | 'sse' | 'ws';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
};

export type UpstreamConfig = StdioConfig | HttpConfig;

/** An HTTP API that is described by an OpenAPI document. */
export type OpenApiConfig = CommonConfig &
  ApiConfig & {
    readonly tools: Readonly<Record<string, ToolPolicy & ApiToolPolicy>>;
  };

/** Any server of the configuration. */
export type ServerConfig = UpstreamConfig | OpenApiConfig;

export interface ClientManagerOptions {
  /** Where we may connect to; everywhere unless it is given. */
  readonly egress?: EgressGuard | undefined;
  /** In config order, which is the order of the catalogue. */
  readonly servers: readonly ServerConfig[];
  readonly registry: Registry;
  readonly caps: Caps;
  readonly clock: Clock;
  /** How we introduce ourselves to upstreams. */
  readonly gateway: Implementation;
  /** Folder in which running children are recorded, so that the next start can end those of a killed gateway. */
  readonly childrenDir: string;
  /** Where verdicts about eras and minted tasks are kept; without it they are forgotten with the process. */
  readonly storage?: Storage | undefined;
  readonly limits?: Partial<Limits>;
  /** What happens, for the log. Must not throw. */
  readonly onEvent: (event: UpstreamEvent) => void;
}

export interface UpstreamStats {
  readonly name: string;
  readonly state: 'stopped' | 'connecting' | 'ready' | 'backing_off';
  readonly inFlight: number;
  /** Connections made after the first one. */
  readonly restarts: number;
  readonly pid?: number;
  /** Whether calls reach it: `open` while they fail at once, `half_open` while one at a time tries. Absent where there is no breaker. */
  readonly breaker?: 'closed' | 'open' | 'half_open';
}

export interface ClientManagerStats {
  /** Child processes that are running now, probes included. */
  readonly children: number;
  readonly byServer: readonly UpstreamStats[];
}

/** What one connection attempt found, for `doctor` and for people who try a server before they add it. */
export interface CheckReport {
  readonly server: string;
  readonly transport: ServerConfig['transport'];
  readonly ok: boolean;
  /** Milliseconds until the server had introduced itself. */
  readonly connectMs: number;
  /** Milliseconds that the lists took. */
  readonly listMs: number;
  readonly eras: readonly Era[];
  /** As `Connection.via`; undefined if there was none. */
  readonly via: string | undefined;
  readonly revision: string | undefined;
  readonly info: Implementation | undefined;
  readonly capabilities: JsonObject;
  readonly tools: number;
  readonly prompts: number;
  readonly resources: number;
  readonly templates: number;
  /** What would be left out, each with the reason. */
  readonly warnings: readonly string[];
  /** What is wrong and what to do; undefined if nothing is. */
  readonly problem: string | undefined;
  /** The last lines that a child wrote to stderr. */
  readonly stderr: readonly string[];
}

/** The upstream servers of one gateway: their connections, discovery and calls. */
export interface ClientManager {
  /** Carries out calls at the server of this name; undefined if there is none. */
  target(name: string): Target | undefined;
  /** Ends what a killed gateway left running, then connects to all servers side by side. Resolves once each was tried. */
  start(): Promise<void>;
  /**
   * Closes the connection and makes a new one now. Calls in flight end as `outcome_unknown`; those over a leased connection go on, and theirs
   * ends with them. Throws `unknown_server`.
   */
  restart(name: string): Promise<void>;
  /** Makes no more tasks, and waits for those that are at work, for `ms` at most. Never rejects. */
  drain(ms: number): Promise<void>;
  /** Ends everything; what is still under way ends as `outcome_unknown`. */
  stop(): Promise<void>;
  /** Tools of a server whose definitions are not the ones that were accepted. */
  waiting(name: string): readonly Waiting[];
  /** Accepts them as they are now, these or all; resolves with their names once they are shown. `by` is who does. Throws `unknown_server`. */
  accept(name: string, tools: readonly string[] | 'all', by: string): Promise<readonly string[]>;
  stats(): ClientManagerStats;
  /** Connects once, apart from the running connections. Never throws. */
  check(config: ServerConfig, signal?: AbortSignal): Promise<CheckReport>;
}
