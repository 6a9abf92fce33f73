import type { Readable, Writable } from 'node:stream';
import type { Config, ConfigOrigin } from '../config/index.ts';

/** A running gateway, as far as the command uses it; src/app.ts makes it. */
export interface Gateway {
  readonly url: string;
  readonly socketPath: string;
  /** The secrets that the first start made: they cannot be read again. */
  readonly firstKeys: { readonly agent: string; readonly approver: string } | undefined;
  /** The 0600 file that holds the agent key for `stockpulse stdio`. */
  readonly agentKeyFile: string;
  close(): Promise<void>;
  serveStdio(input: Readable, output: Writable, options?: { readonly server?: string }): Promise<void>;
}

/** The process that owns a data folder. `url` and `socketPath` are absent while it starts. */
export interface Owner {
  readonly pid: number;
  readonly url?: string;
  readonly socketPath?: string;
  readonly startedAt: string;
  readonly version: string;
}

export interface StartOptions {
  /** Storage and the local socket only: for a verb while nobody runs. */
  readonly offline?: boolean;
  readonly log?: 'stderr' | 'silent';
  /** Where the configuration came from: doctor tells when that changed. */
  readonly origin?: ConfigOrigin;
}

/** What the command needs of src/app.ts. */
export interface AppPort {
  readonly VERSION: string;
  startGateway(config: Config, options?: StartOptions): Promise<Gateway>;
  findOwner(dataDir: string): Owner | undefined;
}
