import type { Era } from '../protocol/index.ts';
import type { ListName } from '../registry/index.ts';

/** What happens to upstreams, as structured events for the log. `server` is the configured name. */
export type UpstreamEvent = { readonly server: string } & (
  | {
      readonly kind: 'connected';
      readonly via: string;
      readonly revision: string;
      readonly eras: readonly Era[];
      readonly tools: number;
      readonly durationMs: number;
    }
  | { readonly kind: 'connect_failed'; readonly reason: string; readonly detail?: unknown; readonly retryInMs: number }
  | { readonly kind: 'lost'; readonly reason: string }
  /** Definitions of tools were accepted as they are now. */
  | { readonly kind: 'tools_accepted'; readonly tools: readonly string[]; readonly by: string }
  | { readonly kind: 'tools_left_out'; readonly reasons: readonly string[] }
  | { readonly kind: 'catalogue_refreshed'; readonly list: ListName; readonly tools: number }
  | { readonly kind: 'refresh_failed'; readonly reason: string }
  | { readonly kind: 'child_started'; readonly pid: number; readonly purpose: 'serve' | 'probe' | 'check' }
  | {
      readonly kind: 'child_exited';
      readonly pid: number;
      readonly code: number | null;
      readonly signal: string | null;
      /** True if we ended it. */
      readonly wanted: boolean;
      readonly stderr: readonly string[];
    }
  /** The group did not end even after SIGKILL. */
  | { readonly kind: 'group_survives'; readonly pid: number }
  /** Lines on stdout that are not MCP: of the first at once, then less and less often how many there were. */
  | { readonly kind: 'garbage'; readonly lines: number; readonly sample: string }
  | { readonly kind: 'frame_too_large'; readonly bytes: number }
  /** A server request that was not expected (PROTOCOL A2, C16); at most one event per method and connection. */
  | { readonly kind: 'server_request'; readonly method: string; readonly answer: 'ignored' | 'refused' }
  | { readonly kind: 'session_lost' }
  /** The url is that of an HTTP+SSE server: it is spoken to in that transport (S25 transports, "Backwards Compatibility"). */
  | { readonly kind: 'transport_fallback'; readonly transport: 'sse' }
  /** What is known of servers could not be read or kept; it concerns none in particular. */
  | { readonly kind: 'verdicts_fault'; readonly error: unknown }
  /** A task that we minted has ended. */
  | {
      readonly kind: 'task_ended';
      readonly tool: string;
      readonly status: string;
      readonly attempts: number;
      readonly durationMs: number;
    }
  /** Calls to the server fail at once (open), one at a time tries it (half open), or all is well again. */
  | { readonly kind: 'breaker'; readonly state: 'open' | 'half_open' | 'closed' }
  /** Pins could not be read or kept; it concerns no server in particular. */
  | { readonly kind: 'pins_fault'; readonly error: unknown }
  /** A task could not be read or written; it concerns no server in particular. */
  | { readonly kind: 'tasks_fault'; readonly error: unknown }
  | { readonly kind: 'orphan_ended'; readonly pid: number }
  | { readonly kind: 'orphan_left'; readonly pid: number; readonly reason: string }
);

/** Events of one server, without its name. */
export type OwnEvent = UpstreamEvent extends infer E ? (E extends UpstreamEvent ? Omit<E, 'server'> : never) : never;
export type Emit = (event: OwnEvent) => void;
