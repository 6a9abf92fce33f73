/** Bounds of the connections to upstreams. Sizes in bytes, times in milliseconds. */
export interface Limits {
  /** Largest message from an upstream. */
  readonly frameBytes: number;
  /** Largest answer that flows through without being held (PROTOCOL A13): 64 MB of content, and what is around it. */
  readonly streamBytes: number;
  /** How long a result that flows may stand still. */
  readonly streamIdleMs: number;
  /** Bytes that may wait to be written to one child. */
  readonly stdinBytes: number;
  /** Until a server has introduced itself and listed its tools. */
  readonly connectMs: number;
  /** Silence of a stdio server after which it counts as legacy. */
  readonly probeMs: number;
  /** How long a call waits for a server that is just (re)connecting. */
  readonly waitMs: number;
  readonly maxTools: number;
  /** Prompts, resources and resource templates of one server: so many of each. */
  readonly maxItems: number;
  readonly maxPages: number;
  /** All pages of one tools/list together. */
  readonly catalogueBytes: number;
  /** Lines of a child's stderr that are kept for events. */
  readonly stderrLines: number;
  /** Bytes kept of one such line. */
  readonly stderrLineBytes: number;
  /** Bytes per 100 ms that a child may write besides answers; more is left in its pipe for that long. */
  readonly noiseBytes: number;
  /** After its stdin was closed a child has this long before SIGTERM. */
  readonly closeMs: number;
  /** After SIGTERM a process group has this long before SIGKILL. */
  readonly termMs: number;
  readonly backoffFirstMs: number;
  readonly backoffMaxMs: number;
  /** A connection that lasted this long was a good one: the next backoff starts anew. */
  readonly stableMs: number;
  /** How long a server is shown to nobody while it is tried whether it speaks the legacy era too. */
  readonly secondMs: number;
  /** How long a verdict about a server's era holds before the server is asked again. */
  readonly verdictMs: number;
  /** Lifetime of a tool list whose server gave no hint. */
  readonly toolsTtlMs: number;
  /** A tool list is not read again sooner than this, however short its lifetime, unless its server announces a change. */
  readonly refreshMinMs: number;
  /** From the beginning of one reading of a list to that of the next one for clients that want it when its lifetime is over. */
  readonly rereadMinMs: number;
  /** A server that refuses the revision it agreed to is connected to anew, and one that seems to have changed its era is asked, no more often than this. */
  readonly renewMs: number;
  /** Until a server has acknowledged that it will tell of changes. */
  readonly listenMs: number;
  /** Resources and tasks of one server that clients follow at once. */
  readonly maxFollowed: number;
  /** How long a leased connection is kept that nobody uses. */
  readonly leaseIdleMs: number;
  /** What a server is left to end a call that was given up, before its leased connection is closed. */
  readonly leaseGraceMs: number;
  /** How long a call waits for its client's answer, and how long its outcome is kept for a late retry. */
  readonly parkMs: number;
  /** How long a task that we minted is kept, from its beginning; at least as long as its call may take. */
  readonly taskTtlMs: number;
  /** How often clients are asked to look at a task. */
  readonly taskPollMs: number;
  /** Tasks that run at once, and those of one principal. */
  readonly maxTasks: number;
  readonly maxTasksPerPrincipal: number;
  /** Tasks that are kept until their lifetime ends, the running ones included; their results together, and the largest one, in bytes. */
  readonly maxTasksKept: number;
  readonly taskResultsBytes: number;
  readonly taskResultBytes: number;
  /** How long list_changed notifications are gathered before the list is read again. */
  readonly refreshDelayMs: number;
}

export const DEFAULT_LIMITS: Limits = {
  frameBytes: 16 * 1024 * 1024,
  streamBytes: 65 * 1024 * 1024,
  streamIdleMs: 30_000,
  stdinBytes: 16 * 1024 * 1024,
  connectMs: 30_000,
  probeMs: 5_000,
  waitMs: 20_000,
  maxTools: 5_000,
  maxItems: 10_000,
  maxPages: 1_000,
  catalogueBytes: 64 * 1024 * 1024,
  stderrLines: 200,
  stderrLineBytes: 2_000,
  noiseBytes: 8 * 1024 * 1024,
  closeMs: 2_000,
  termMs: 2_000,
  backoffFirstMs: 1_000,
  backoffMaxMs: 60_000,
  stableMs: 60_000,
  secondMs: 2_000,
  verdictMs: 24 * 3_600_000,
  toolsTtlMs: 300_000,
  refreshMinMs: 30_000,
  rereadMinMs: 100,
  renewMs: 60_000,
  listenMs: 2_000,
  maxFollowed: 10_000,
  leaseIdleMs: 60_000,
  leaseGraceMs: 5_000,
  parkMs: 600_000,
  taskTtlMs: 3_600_000,
  taskPollMs: 1_000,
  maxTasks: 1_000,
  maxTasksPerPrincipal: 100,
  maxTasksKept: 10_000,
  taskResultsBytes: 256 * 1024 * 1024,
  taskResultBytes: 1024 * 1024,
  refreshDelayMs: 100,
};
