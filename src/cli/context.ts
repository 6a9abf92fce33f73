import type { Readable, Writable } from 'node:stream';
import type { AppPort } from './app-port.ts';
import type { SignalSource } from './shutdown.ts';

/** Everything the command touches outside itself, so that tests can hand in their own. */
export interface CliContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly stdin: Readable;
  readonly stdout: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  readonly stderr: Writable;
  readonly signals: SignalSource;
  /** Absolute paths of the Node that runs this, and of bin/stockpulse.js: for what people paste elsewhere. */
  readonly node: string;
  readonly script: string;
  readonly nodeVersion: string;
  /** Loaded on demand: `--help` needs nothing of it. */
  readonly loadApp: () => Promise<AppPort>;
  /** Ends the process at once; used only when closing hangs or a second signal comes. */
  readonly exit: (code: number) => void;
}
