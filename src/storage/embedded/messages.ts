/** What the worker is started with. */
export interface EngineStart {
  /** The database folder, e.g. `<data folder>/pgdata`. */
  readonly folder: string;
  /** Whether it has to be made first. */
  readonly fresh: boolean;
}

/** To the worker, besides protocol bytes. */
export interface EngineCommand {
  readonly command: 'close';
}

/** From the worker, besides protocol bytes. */
export type EngineEvent =
  | { readonly event: 'ready' }
  | { readonly event: 'failed'; readonly message: string; readonly output: readonly string[] }
  | { readonly event: 'closed' };
